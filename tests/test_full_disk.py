"""A disk that becomes full: one line that says so, whatever is written, and nothing left on it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import Picture, Sound, make_clip
from PIL import Image as PillowImage
from typer.testing import CliRunner

import streamlight
from streamlight.cli import app
from streamlight.color import ColorSpec
from streamlight.errors import SinkError
from streamlight.frame import Frame, StreamInfo
from streamlight.sinks.recording import RecordingSink

IS_ROOT = os.geteuid() == 0
UMOUNT = shutil.which("umount") or ""
LARGE = streamlight.EncoderOptions(crf=4, preset="ultrafast")
MODEL = "gladnet-fast"
FULL = "the disk is full; free some space or write elsewhere"
"""The rest of the line, in every case."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a file system in memory of so many KiB, empty."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(size_kib: int) -> Path:
        nonlocal mounted
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", str(folder)]
        if not IS_ROOT or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root")
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run([UMOUNT, "--lazy", str(folder)], check=True)


def noise(index: int, width: int, height: int) -> Picture:
    return np.random.default_rng(index).integers(0, 60, (height, width, 3), np.uint8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip that no codec makes small: 30 frames of noise of 320x240, with sound."""
    return make_clip(
        tmp_path / "noise.mkv",
        codec="ffv1",
        size=(320, 240),
        frames=30,
        picture=noise,
        sound=[Sound(duration_s=1.2)],
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of noise: 400 KiB as a PNG."""
    path = tmp_path / "noise.png"
    PillowImage.fromarray(noise(0, 500, 400)).save(path)
    return path


def run_command(*arguments: str | Path) -> tuple[int, list[str]]:
    """Run `streamlight file`; return its exit code and the lines that it says."""
    fast = ["--model", MODEL, "--backend", "openvino"]
    result = CliRunner().invoke(app, ["file", *map(str, arguments), *fast])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.stderr.splitlines()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def free_bytes(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_bsize


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.avi", "out.ts", "out.webm"])
@pytest.mark.usefixtures("no_thread_left")
def test_a_video_that_does_not_fit_is_one_error(
    tmp_path: Path, clip: Path, small_disk: Callable[[int], Path], name: str
) -> None:
    options, size_kib = LARGE, 256
    if name == "out.webm":  # holds no AAC, and VP9 makes even noise small
        clip = make_clip(tmp_path / "silent.mkv", codec="ffv1", size=(320, 240), picture=noise)
        options, size_kib = streamlight.EncoderOptions(extra=("cpu-used=8",)), 32
    folder = small_disk(size_kib)
    empty = free_bytes(folder)
    with pytest.raises(SinkError, match=f"{name}: {FULL}"):
        streamlight.enhance_file(clip, folder / name, model=MODEL, encoder=options)
    assert names(folder) == []
    assert free_bytes(folder) == empty


def test_what_was_there_before_stays(clip: Path, small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(256)
    (folder / "out.mp4").write_text("precious")
    with pytest.raises(SinkError, match=FULL):
        streamlight.enhance_file(
            clip, folder / "out.mp4", model=MODEL, encoder=LARGE, overwrite=True
        )
    assert names(folder) == ["out.mp4"]
    assert (folder / "out.mp4").read_text() == "precious"


@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.jpg", "out.webp"])
def test_a_picture_that_does_not_fit_is_one_error(
    picture: Path, small_disk: Callable[[int], Path], name: str
) -> None:
    folder = small_disk(16)
    with pytest.raises(SinkError, match=f"{name}: {FULL}"):
        streamlight.enhance_file(picture, folder / name, model=MODEL)
    assert names(folder) == []


def test_pictures_of_a_sequence_that_do_not_fit_are_removed(
    clip: Path, small_disk: Callable[[int], Path]
) -> None:
    folder = small_disk(512)
    (folder / "other.txt").write_text("precious")
    with pytest.raises(SinkError, match=f"frame_[0-9]+.png: {FULL}"):
        streamlight.enhance_file(clip, folder / "frame_%03d.png", model=MODEL)
    assert names(folder) == ["other.txt"]


@pytest.mark.parametrize("extra", [(), ("--keep-partial",)], ids=" ".join)
def test_the_command_ends_with_1_and_one_line(
    clip: Path, small_disk: Callable[[int], Path], extra: tuple[str, ...]
) -> None:
    folder = small_disk(256)
    target = folder / "out.mp4"
    code, lines = run_command(clip, "-o", target, "--preset", "ultrafast", "--crf", "4", *extra)
    assert code == 1
    assert [line for line in lines if FULL in line] == [f"error: {target}: {FULL}"]
    assert names(folder) == []


def test_the_command_says_it_of_a_picture_too(
    picture: Path, small_disk: Callable[[int], Path]
) -> None:
    target = small_disk(16) / "out.png"
    code, lines = run_command(picture, "-o", target)
    assert code == 1
    assert lines[-1] == f"error: {target}: {FULL}"
    assert names(target.parent) == []


def test_of_several_files_those_that_fit_are_written(
    tmp_path: Path, clip: Path, small_disk: Callable[[int], Path]
) -> None:
    small = make_clip(tmp_path / "small.mkv")
    folder = small_disk(256)
    code, lines = run_command(clip, small, "-o", folder, "--preset", "ultrafast", "--crf", "4")
    assert code == 1
    assert FULL in "".join(lines)
    assert [name for name in names(folder) if "noise" in name] == []
    assert len(names(folder)) == 1


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_recording_of_which_nothing_fits_leaves_no_file(
    small_disk: Callable[[int], Path], suffix: str
) -> None:
    folder = small_disk(4)
    (folder / "other.txt").write_bytes(bytes(4096))
    tick = Fraction(1, 25)
    info = StreamInfo(320, 240, 1 / tick, tick, ColorSpec(), is_live=True)
    with RecordingSink(folder / f"cam{suffix}", info) as sink:
        with pytest.raises(SinkError, match=r"the disk is full; nothing is kept$"):
            for index in range(100):
                sink.write(Frame(noise(index, 320, 240), index, tick, index))
        assert sink.files == []
    assert names(folder) == ["other.txt"]
