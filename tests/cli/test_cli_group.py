"""`streamlight run` and `serve` as real processes."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_runs import environment, finish, read_json, run, run_here, start
from clips import make_clip
from ffprobe import Probe, needs_ffmpeg

from streamlight.cli.camera_names import names_of
from streamlight.cli.service_manager import notify
from streamlight.errors import UsageError

sys.path.append(str(Path(__file__).parents[1] / "live"))
from peers import RtspServer, free_port, launch, sound, video

PASSWORD = "hunter2-secret"  # noqa: S105


@pytest.fixture(scope="module")
def locked() -> Iterator[RtspServer]:
    """A camera that asks for a password."""
    mounts = {"/cam": launch(video(), sound())}
    with RtspServer(mounts, user="viewer", password=PASSWORD) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, locked: RtspServer) -> Path:
    """One camera that works, one with a wrong password, and a file."""
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    path = tmp_path / "cameras.toml"
    url = locked.url("/cam", login="viewer:${PASSWORD}")
    wrong = locked.url("/cam", login="viewer:wrong-password")
    path.write_text(
        f"""
        [network]
        backend = "openvino"
        [[camera]]
        name = "door"
        source = "{url}"
        output = "{tmp_path}/door.mkv"
        [[camera]]
        name = "locked"
        source = "{wrong}"
        output = "{tmp_path}/locked.mkv"
        [[camera]]
        name = "demo"
        source = "{clip}"
        output = "{tmp_path}/demo.mkv"
        """
    )
    return path


def started(tmp_path: Path, *words: str | Path, **variables: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "streamlight", *map(str, words)]
    return subprocess.Popen(
        command,
        env=environment(tmp_path) | {"PASSWORD": PASSWORD} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_ffmpeg
def test_sigterm_completes_all_recordings_and_the_report_tells_of_each(
    config: Path, tmp_path: Path
) -> None:
    report_path = tmp_path / "report.json"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(30)
    process = started(
        tmp_path, "run", config, "--report", report_path, NOTIFY_SOCKET=str(tmp_path / "notify")
    )
    try:
        with listener:
            assert listener.recv(99) == b"READY=1"
            for name in ("door", "demo"):
                recording = tmp_path / f"{name}.mkv"
                deadline = time.monotonic() + 30
                while not (recording.exists() and recording.stat().st_size > 3000):
                    assert time.monotonic() < deadline, name
                    time.sleep(0.05)
            time.sleep(1)
            stopped_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            done = finish(process)
            assert time.monotonic() - stopped_at < 4
            assert listener.recv(99) == b"STOPPING=1"
    finally:
        process.kill()
    assert (done.code, done.out) == (143, ""), done.err
    assert re.search(r"^3 cameras; gladnet-fast with openvino", done.err, re.M)
    assert re.search(r"^locked: failed: .*401", done.err, re.M)
    assert re.search(r"^door: connected$", done.err, re.M)
    assert re.search(r"^door: \d+ frames; latency p50 \d+, p95 \d+ ms; dropped: ", done.err, re.M)
    report = read_json(report_path)
    assert (report["exit_code"], report["stopped_by"]) == (143, "signal")
    cameras = {camera["name"]: camera for camera in report["cameras"]}
    assert cameras["locked"]["phase"] == "failed"
    for name in ("door", "demo"):
        (output,) = [o for o in cameras[name]["outputs"] if o["name"] != "viewers"]
        shown = len(Probe(tmp_path / f"{name}.mkv").frame_times_s)
        assert shown == output["frames_out"] > 5
    secrets = done.err + report_path.read_text()
    assert PASSWORD not in secrets and "wrong-password" not in secrets


def test_a_duration_ends_it_and_a_failed_camera_is_the_exit_code(
    config: Path, tmp_path: Path
) -> None:
    done = finish(started(tmp_path, "run", config, "--duration", "3s"))
    assert done.code == 1
    assert done.lines[-1] == "error: locked: failed; see above"


def test_a_wrong_file_is_told_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[[camera]]\nnmae = 'door'\nsource = 'a.mp4'\n[web]\nport = 'x'\n")
    failed = run_here("run", path)
    assert failed.code == 2
    assert failed.lines == [
        f'error: {path}:1: name: is missing; write name = "..."',
        f"error: {path}:2: nmae: is unknown; did you mean name?",
        f'error: {path}:5: port: expected a whole number, got "x"',
    ]


def test_a_camera_without_any_output_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mute.toml"
    path.write_text("[[camera]]\nname = 'door'\nsource = 'a.mp4'\n")
    failed = run_here("run", path, "--check")
    assert failed.code == 2
    assert "camera door: has no output" in failed.err


def get(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_serve_shows_all_sources_and_stops_at_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    port = free_port()
    process = start(
        tmp_path, "serve", clip, f"other={clip}", "--port", str(port), "--backend", "openvino"
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                cameras = get(f"http://127.0.0.1:{port}/api/cameras")["cameras"]
            except OSError:
                cameras = []
            if [camera["frames_out"] > 3 for camera in cameras] == [True, True]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [camera["name"] for camera in cameras] == ["clip", "other"]
        stopped_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        done = finish(process)
        assert time.monotonic() - stopped_at < 3
    finally:
        process.kill()
    assert done.code == 130, done.err
    assert done.lines[0] == f"the live page: http://127.0.0.1:{port}/"


def test_serve_names_a_port_that_is_taken_and_a_file_that_is_missing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = run(tmp_path, "serve", clip, "--port", str(port), "--backend", "openvino")
    assert failed.code == 1
    assert failed.lines == [
        f"error: the live page: port {port} is taken by another program; choose another with --port"
    ]
    missing = run_here("serve", "/nowhere/a.mp4")
    assert (missing.code, missing.lines) == (1, ["error: /nowhere/a.mp4: no such file"])


def test_a_public_page_prints_its_token_and_keeps_a_given_one_to_itself(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=2)
    everywhere = "0.0.0.0"  # noqa: S104
    words = ("--port", "0", "--host", everywhere, "--backend", "openvino")
    done = run(tmp_path, "serve", clip, *words, "--duration", "1s")
    assert re.match(r"the live page: http://\S+:\d+/\?token=[\w-]{32}$", done.lines[0])


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["rtsp://me:secret@cam.lan:554/x?key=1"], ["cam-lan"]),
        (["rtsp://10.0.0.2/a", "rtsp://10.0.0.2/b"], ["10-0-0-2", "10-0-0-2-2"]),
        (["rtmp://host/app/secretstreamkey"], ["host"]),
        (["/dev/video0", "1"], ["video0", "camera1"]),
        (["a b/Nacht über.mp4"], ["Nacht-ber"]),
        (["door=rtsp://x/y", "door.mp4"], ["door", "door-2"]),
        (["http://h/x?a=b"], ["h"]),
        (["rtsp://admin:se/cret@cam/x", "rtsp://admin:pa[ss@cam/x"], ["cam", "cam-2"]),
        (["Night.mp4", "night.mkv"], ["Night", "night-2"]),
        (["…"], ["camera"]),
    ],
)
def test_cameras_get_names_without_secrets(sources: list[str], names: list[str]) -> None:
    assert list(names_of(sources)) == names


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="door: is the name of two sources"):
        names_of(["door=a.mp4", "door=b.mp4"])


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/socket")
    notify("READY=1")
