"""Outputs that cannot be written, or that end early: a clear error, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Picture, Sound, dim, make_clip
from fidelity import copy_clip

from streamlight.errors import SinkError, SourceError, UsageError
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

IS_ROOT = os.geteuid() == 0
UMOUNT = shutil.which("umount") or ""
BIG = EncoderOptions(crf=10, preset="ultrafast")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip in a folder of its own."""
    (tmp_path / "in").mkdir()
    return make_clip(tmp_path / "in" / "clip.mp4")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for outputs."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def noise(index: int, width: int, height: int) -> Picture:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("out.flv", r"unknown extension '.flv'; choose one of .mp4, .m4v, .mov, .mkv"),
        ("out", "unknown extension ''"),
        ("missing/out.mp4", r"missing: no such folder; create it with mkdir -p"),
        ("folder.mp4", "is a folder; a file name was expected"),
        ("a" * 300 + ".mp4", r"cannot write there \(File name too long\)"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    clip: Path, out: Path, target: str, message: str
) -> None:
    (out / "folder.mp4").mkdir()
    with pytest.raises(SinkError, match=message):
        copy_clip(clip, out / target)
    assert names(out) == ["folder.mp4"]


def test_a_name_of_the_greatest_length_can_be_written(clip: Path, out: Path) -> None:
    target = out / ("é" * 125 + "a.mp4")  # 255 bytes
    copy_clip(clip, target)
    assert names(out) == [target.name]


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(clip: Path, out: Path) -> None:
    out.chmod(0o500)
    with pytest.raises(SinkError, match=r"cannot write there \(Permission denied\)"):
        copy_clip(clip, out / "out.mp4")


@pytest.fixture
def mount(out: Path) -> Iterator[Callable[..., Path]]:
    """Mount a file system in memory on the folder for outputs."""
    mounted = False

    def mount_on_out(options: str) -> Path:
        nonlocal mounted
        kind = "remount," if mounted else ""
        command = ["mount", "-t", "tmpfs", "-o", kind + options, "tmpfs", str(out)]
        if not IS_ROOT or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root")
        mounted = True
        return out

    yield mount_on_out
    if mounted:
        subprocess.run([UMOUNT, "--lazy", str(out)], check=True)


def test_a_read_only_folder_is_refused(clip: Path, mount: Callable[..., Path]) -> None:
    out = mount("ro")
    with pytest.raises(SinkError, match=r"cannot write there \(Read-only file system\)"):
        copy_clip(clip, out / "out.mp4")


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, mount: Callable[..., Path], name: str
) -> None:
    clip = make_clip(
        tmp_path / "noise.mkv",
        codec="ffv1",
        size=(320, 240),
        frames=20,
        picture=noise,
        sound=[Sound()],
    )
    out = mount("size=600k")
    with pytest.raises(SinkError, match=f"{name}: the disk is full; free some space or write"):
        copy_clip(clip, out / name, BIG)
    assert names(out) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_disk_that_is_full_from_the_start_is_named(
    clip: Path, mount: Callable[..., Path], name: str
) -> None:
    out = mount("size=16k")
    (out / "big").write_bytes(bytes(16 * 1024))
    with pytest.raises(SinkError, match="the disk is full"):
        copy_clip(clip, out / name)
    assert names(out) == ["big"]


def test_a_disk_that_is_full_in_the_last_moment_is_named(
    tmp_path: Path, mount: Callable[..., Path]
) -> None:
    """X264 holds back all 20 pictures until `finish`."""
    clip = make_clip(
        tmp_path / "noise.mkv", codec="ffv1", size=(160, 120), frames=20, picture=noise
    )
    out = mount("size=100k")
    with (
        FileSource(clip) as source,
        FileSink(out / "out.mp4", source, EncoderOptions(crf=10, preset="medium")) as sink,
    ):
        for frame in source:
            sink.write(frame)
        with pytest.raises(SinkError, match="the disk is full"):
            sink.finish()
    assert names(out) == []


def test_input_and_output_may_not_be_the_same_file(clip: Path, out: Path) -> None:
    content = clip.read_bytes()
    (out / "symbolic.mp4").symlink_to(clip)
    (out / "hard.mp4").hardlink_to(clip)
    for target in (
        clip,
        out / "symbolic.mp4",
        out / "hard.mp4",
        clip.parent / ".." / "in/clip.mp4",
    ):
        with pytest.raises(UsageError, match="input and output are the same file"):
            copy_clip(clip, target, overwrite=True)
    assert clip.read_bytes() == content
    assert names(clip.parent) == ["clip.mp4"]


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(clip: Path, out: Path) -> None:
    (out / "out.mp4").write_text("precious")
    with pytest.raises(SinkError, match="exists already; -y overwrites it"):
        copy_clip(clip, out / "out.mp4")
    assert (out / "out.mp4").read_text() == "precious"
    copy_clip(clip, out / "out.mp4", overwrite=True)
    assert frames_of(out / "out.mp4") == 10
    assert names(out) == ["out.mp4"]


def test_an_existing_file_outlives_a_run_that_fails(clip: Path, out: Path) -> None:
    (out / "out.mp4").write_text("precious")
    with FileSource(clip) as source, FileSink(out / "out.mp4", source, overwrite=True) as sink:
        sink.write(next(iter(source)))
    assert (out / "out.mp4").read_text() == "precious"
    assert names(out) == ["out.mp4"]


@pytest.mark.parametrize("written", [0, 5])
def test_without_finish_nothing_is_left(clip: Path, out: Path, written: int) -> None:
    with FileSource(clip) as source, FileSink(out / "out.mp4", source) as sink:
        for frame, _ in zip(source, range(written), strict=False):
            sink.write(frame)
        (partial,) = names(out)
        assert re.fullmatch(rf"\.out\.{os.getpid()}-\d+\.partial\.mp4", partial)
    assert names(out) == []


def test_a_source_that_fails_in_mid_run_leaves_nothing(tmp_path: Path, out: Path) -> None:
    clip = make_clip(
        tmp_path / "cut.mp4", frames=100, picture=dim, muxer_options={"movflags": "faststart"}
    )
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    with (
        pytest.raises(SourceError, match="cut off"),
        FileSource(clip, strict=True) as source,
        FileSink(out / "out.mp4", source) as sink,
    ):
        for frame in source:
            sink.write(frame)
    assert names(out) == []


def test_what_was_written_before_a_failure_can_be_finished(clip: Path, out: Path) -> None:
    """`--keep-partial` does this."""
    with FileSource(clip) as source, FileSink(out / "out.mp4", source) as sink:
        for frame, _ in zip(source, range(4), strict=False):
            sink.write(frame)
        sink.finish()
    assert frames_of(out / "out.mp4") == 4


def test_aborting_after_the_end_changes_nothing(clip: Path, out: Path) -> None:
    with FileSource(clip) as source:
        sink = FileSink(out / "out.mp4", source)
        for frame in source:
            sink.write(frame)
        sink.finish()
        sink.abort()
    assert frames_of(out / "out.mp4") == 10


def test_a_process_that_is_killed_leaves_only_the_hidden_file(clip: Path, out: Path) -> None:
    """The kernel gives no chance to remove it; the target itself never holds half a video."""
    program = textwrap.dedent("""
        import sys, time
        from streamlight.sinks import FileSink
        from streamlight.sources import FileSource
        source = FileSource(sys.argv[1])
        sink = FileSink(sys.argv[2], source)
        for frame in source:
            sink.write(frame)
        print("written", flush=True)
        time.sleep(60)
    """)
    command = [sys.executable, "-c", program, str(clip), str(out / "out.mp4")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    [hidden] = names(out)
    assert re.fullmatch(rf"\.out\.{process.pid}-\d+\.partial\.mp4", hidden)
