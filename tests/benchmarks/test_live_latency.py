"""The benchmark of live pictures, as a process with real RTSP cameras."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamlight.pipeline import DropReason, LatencyPart

sys.path.append(str(Path(__file__).parents[1] / "live"))
from peers import require_gstreamer

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "live_latency.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BENCHMARK.is_file(), reason="the benchmarks are only in a checkout"),
]


def test_two_small_cameras_are_measured_with_every_figure(tmp_path: Path) -> None:
    require_gstreamer()
    written = tmp_path / "live.json"
    command = [sys.executable, str(BENCHMARK), "--cameras", "2", "--size", "160x96"]
    command += ["--rate", "10", "--seconds", "3", "--warm-up", "1", "--json", str(written)]
    done = subprocess.run([*command, "--no-baselines"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(written.read_text())

    assert result["size"] == "160x96"
    assert result["rate"] == 10
    assert result["streamlight"] and result["openvino"] and result["engine"]
    assert 3 <= result["seconds"] < 10
    assert result["warm_up_s"] == 1
    assert len(result["memory"]["rss_mb"]) == 3
    assert all(megabytes > 50 for megabytes in result["memory"]["rss_mb"])
    assert result["memory"]["growth_percent"] is None  # of 3 s nothing can be said
    assert result["machine"]["own_percent"] > 0
    assert result["machine"]["server_percent"] > 0

    assert [camera["name"] for camera in result["cameras"]] == ["camera0", "camera1"]
    for camera in result["cameras"]:
        assert camera["phase"] == "connected"
        assert 0 < camera["fps"] < 15  # frames of the warm-up are not in it
        assert camera["drops"].keys() == {"overtaken", *DropReason}
        latency = camera["latency"]
        assert 0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
        assert latency["parts"].keys() == set(LatencyPart)
        (recording,) = (name for name in camera["outputs"] if name.endswith(".mkv"))
        assert camera["outputs"][recording]["frames"] > 0
    even = result["evenness"]
    assert even["slowest"] <= 1 <= even["fastest"]
    assert "evenness: slowest" in done.stdout


def test_a_system_without_the_rtsp_server_is_told_what_to_install(tmp_path: Path) -> None:
    program = (
        "import runpy, sys; names = runpy.run_path(sys.argv[1]);"
        "server = names['rtsp_server']; server.__wrapped__.__globals__['SERVER'] = sys.argv[2];"
        "server(1, (160, 96), 10).__enter__()"
    )
    command = [sys.executable, "-c", program, str(BENCHMARK), str(tmp_path / "missing.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "docs/live.md" in done.stderr
