"""The example scripts, each in a process of its own, with nothing but the core install."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Picture, Sound, make_clip
from numpy.typing import NDArray

import streamlight

ROOT = Path(streamlight.__file__).parents[1]
NOT_IN_CORE = ("cv2", "onnx", "safetensors", "scipy", "skimage", "torch")
FRAMES = 5

RunExample = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_example(tmp_path: Path) -> RunExample:
    """Return what runs a script in `tmp_path` without the packages that are not in the core."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in NOT_IN_CORE:
        (blocked / f"{name}.py").write_text("raise ImportError('not in the core install')\n")
    path = os.pathsep.join([str(blocked), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(script: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90
        )

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(
        tmp_path / "dark.mp4", frames=FRAMES, picture=_dark, sound=[Sound(duration_s=0.2)]
    )


def test_enhance_a_file_writes_a_brighter_file_and_shows_its_progress(
    run_example: RunExample, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bright.mp4"
    done = run_example("enhance_a_file.py", clip, target)
    assert done.returncode == 0, done.stderr
    progress, result = done.stdout.splitlines()[-2:]  # text mode takes the \r for ends of lines
    assert progress.startswith(f"{FRAMES} frames, ")
    assert result.startswith(f"{target}: ")
    before, after = _pictures(clip), _pictures(target)
    assert len(after) == FRAMES
    assert np.mean(after) > np.mean(before) + 20


def test_enhance_a_file_says_in_one_line_what_is_wrong(
    run_example: RunExample, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bright.mp4"
    target.write_bytes(b"mine")
    done = run_example("enhance_a_file.py", clip, target)
    assert done.returncode == 1
    assert done.stderr == f"{target}: exists already; -y overwrites it\n"
    assert target.read_bytes() == b"mine"


def test_numpy_loop_prints_how_bright_the_pictures_were_and_are(
    run_example: RunExample, clip: Path
) -> None:
    done = run_example("numpy_loop.py", clip, "--frames", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gladnet-fast: openvino, ")
    luma = re.search(r"mean luma ([\d.]+) -> ([\d.]+)", done.stdout)
    assert luma is not None, done.stdout
    assert float(luma[1]) == pytest.approx(np.mean(_pictures(clip)[:3]), abs=2)
    assert float(luma[2]) > float(luma[1]) + 20
    assert re.search(r"[\d.]+ ms a frame, [\d.]+ ms for the first", done.stdout)


def test_custom_sink_writes_every_nth_picture_before_and_after(
    run_example: RunExample, clip: Path, tmp_path: Path
) -> None:
    done = run_example("custom_sink.py", clip, "stills", "--every", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"stills: 3 stills of {FRAMES} frames\n"
    stills = sorted((tmp_path / "stills").iterdir())
    assert [still.name for still in stills] == ["000000.png", "000002.png", "000004.png"]
    originals = _pictures(clip)
    for still, index in zip(stills, (0, 2, 4), strict=True):
        [picture] = _pictures(still)
        height, width = picture.shape[0], picture.shape[1] // 2
        assert (height, width) == originals[index].shape[:2]
        before, after = picture[:, :width], picture[:, width:]
        assert abs(float(np.mean(before)) - float(np.mean(originals[index]))) < 2
        assert np.mean(after) > np.mean(before) + 20
    assert not (tmp_path / ".stills.partial").exists()


def test_custom_sink_leaves_nothing_of_a_run_that_fails(
    run_example: RunExample, clip: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.mkv"
    make_clip(cut, frames=100)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    done = run_example("custom_sink.py", cut, "stills", "--every", "1")
    assert done.returncode == 1
    assert "SourceError" in done.stderr
    assert "cut off" in done.stderr
    assert not list(tmp_path.glob("*stills*"))


def _dark(index: int, width: int, height: int) -> Picture:
    return np.full((height, width, 3), 12 + index, np.uint8)


def _pictures(path: Path) -> list[NDArray[Any]]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
