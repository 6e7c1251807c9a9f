"""`--hwaccel`: what it says where pictures cannot stay on a GPU; this machine has none."""

from pathlib import Path

import pytest
from cli_runs import FAST, Run, read_json, run
from clips import dim, make_clip

pytestmark = pytest.mark.skipif(
    Path("/proc/driver/nvidia/version").exists(), reason="there is an NVIDIA driver here"
)

REASON = "the network runs on openvino; --backend cuda takes pictures of the GPU"
NOTE = f"--hwaccel cuda is not used: {REASON}"
PRORES = ("--codec", "prores", "--preset", "hq")


def enhance(folder: Path, name: str, *options: str) -> Run:
    clip = folder / "clip.mp4"
    if not clip.exists():
        make_clip(clip, picture=dim)
    report = ("--report", str(folder / f"{name}.json"))
    return run(folder, "file", str(clip), "-o", str(folder / name), *FAST, *report, *options)


def test_what_was_asked_for_and_is_not_used_is_said_once_and_reported(tmp_path: Path) -> None:
    done = enhance(tmp_path, "out.mp4", "--hwaccel", "cuda")
    assert done.code == 0, done.err
    assert done.lines.count(f"note: {NOTE}") == 1
    report = read_json(tmp_path / "out.mp4.json")
    assert report["hwaccel"] == {"used": "none", "note": NOTE}
    assert report["notes"] == [NOTE]


def test_strict_makes_a_failure_of_it(tmp_path: Path) -> None:
    done = enhance(tmp_path, "out.mp4", "--hwaccel", "cuda", "--strict")
    assert done.code == 1
    assert f"error: --hwaccel cuda: {REASON}" in done.err
    assert not (tmp_path / "out.mp4").exists()


def test_where_it_is_not_asked_for_nothing_is_said_and_the_output_is_the_same(
    tmp_path: Path,
) -> None:
    for value in ("auto", "none"):
        # ProRes: libx264 does not write the same bytes in every run where it uses AVX-512
        done = enhance(tmp_path, f"{value}.mov", "--hwaccel", value, *PRORES)
        assert done.code == 0, done.err
        assert "hwaccel" not in done.err
        report = read_json(tmp_path / f"{value}.mov.json")
        assert report["hwaccel"] == {"used": "none", "note": None}
    assert (tmp_path / "auto.mov").read_bytes() == (tmp_path / "none.mov").read_bytes()


def test_wrong_choices_are_usage_errors(tmp_path: Path) -> None:
    wrong = enhance(tmp_path, "out.mp4", "--hwaccel", "vulkan")
    assert wrong.code == 2
    assert "--hwaccel vulkan: choose one of auto, none, cuda" in wrong.err
    live = run(tmp_path, "file", "clip.mp4", "--realtime", "--hwaccel", "cuda", "-o", "out.mp4")
    assert live.code == 2
    assert "--hwaccel: is not for --realtime" in live.err
