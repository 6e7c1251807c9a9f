"""Frames to numbered pictures, and the whole way between sequences and videos."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from clips import bars, make_clip
from ffprobe import Probe, needs_ffmpeg, psnr_db
from numpy.typing import NDArray
from PIL import Image
from stills import SIZE, Doubler, photo_exif, profile, quarters

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame, StreamInfo
from streamlight.pipeline import Pipeline
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sinks.sequence import SequenceSink, turned_by_matrix
from streamlight.sources import FileSource
from streamlight.sources.sequence import SequenceSource


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, count: int, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(quarters() + np.uint8(number)).save(folder / f"f_{number}.png", **options)
    return folder / "f_%d.png"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SequenceSource]:
    with SequenceSource(write(tmp_path / "in", 3)) as source:
        yield source


def test_a_sequence_becomes_a_sequence_with_its_tags_and_numbers(tmp_path: Path) -> None:
    icc = profile()
    pattern = write(tmp_path / "in", 3, exif=photo_exif(), icc_profile=icc, dpi=(300, 300))
    (tmp_path / "in" / "f_0.png").unlink()
    target = tmp_path / "bright_%04d.tif"
    with SequenceSource(pattern) as source, SequenceSink(target, source) as sink:
        report = Pipeline(source, Doubler(), sink).run()
        assert (report.frames_out, sink.frames_written, sink.notes) == (2, 2, [])
    assert names(tmp_path) == ["bright_0001.tif", "bright_0002.tif", "in"]
    for number in (1, 2):
        with Image.open(tmp_path / f"bright_{number:04}.tif") as image:
            assert np.array_equal(np.array(image), 2 * (quarters() + np.uint8(number)))
            assert image.info["icc_profile"] == icc
            assert image.getexif()[0x010F] == "Maker"


@needs_ffmpeg
def test_a_sequence_becomes_a_video(tmp_path: Path) -> None:
    for number in range(6):
        Image.fromarray(bars(number, 64, 48)).save(tmp_path / f"f_{number:05}.png")
    target = tmp_path / "out.mp4"
    options = EncoderOptions(crf=1, preset="ultrafast")
    with (
        SequenceSource(tmp_path / "f_%05d.png", 10) as source,
        FileSink(target, cast(FileSource, source), options) as sink,
    ):
        for frame in source:
            sink.write(frame)
        sink.finish()
    probe = Probe(target)
    assert probe.frame_times_s == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert probe.video["avg_frame_rate"] == "10/1"
    original = np.stack([bars(number, 64, 48) for number in range(6)])
    inside = (slice(None), slice(4, 12), slice(4, 12))
    assert psnr_db(probe.decode()[inside], original[inside]) > 38


def test_a_video_becomes_a_sequence_numbered_from_one(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mkv", pixel_format="yuv444p", picture=bars, frames=3, options={"qp": "0"}
    )
    with FileSource(clip) as frames, SequenceSink(tmp_path / "f_%05d.png", frames) as sink:
        report = Pipeline(frames, Doubler(), sink).run()
    assert report.frames_out == 3
    assert names(tmp_path) == ["a.mkv", "f_00001.png", "f_00002.png", "f_00003.png"]
    with Image.open(tmp_path / "f_00002.png") as image:
        expected = np.minimum(bars(1, 64, 48).astype(int) * 2, 255)
        assert np.abs(np.array(image).astype(int) - expected).max() <= 6


@needs_ffmpeg
@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_video_becomes_upright_pictures(tmp_path: Path, degrees: int) -> None:
    clip = make_clip(
        tmp_path / "a.mp4",
        size=(64, 48),
        frames=1,
        picture=bars,
        pixel_format="yuv444p",
        rotation=degrees,
    )
    with FileSource(clip) as frames, SequenceSink(tmp_path / "f_%d.png", frames) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
    shown = Probe(clip).decode(rotate=True)[0]
    with Image.open(tmp_path / "f_1.png") as image:
        written = np.array(image)
    assert written.shape == shown.shape
    assert psnr_db(written[None], shown[None]) > 40


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), lambda a: a),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),
        ((0, -1, 1, 0), lambda a: np.rot90(a, 1)),
        ((0, 1, 1, 0), lambda a: a.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda a: np.rot90(a, 2).swapaxes(0, 1)),
    ],
)
def test_all_eight_matrices(matrix: tuple[int, int, int, int], turn: Any) -> None:
    a, b, c, d = (65536 * value for value in matrix)
    turned: NDArray[Any] = turned_by_matrix(quarters(), (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    assert np.array_equal(turned, turn(quarters()))


def test_pictures_appear_one_by_one_and_an_aborted_run_takes_them_back(
    tmp_path: Path, source: SequenceSource
) -> None:
    (tmp_path / "g_7.png").write_bytes(b"mine")
    with SequenceSink(tmp_path / "f_%d.png", source) as sink:
        for frame in source:
            sink.write(frame)
        assert names(tmp_path) == ["f_0.png", "f_1.png", "f_2.png", "g_7.png", "in"]
    assert names(tmp_path) == ["g_7.png", "in"]


def test_a_finished_run_stays(tmp_path: Path, source: SequenceSource) -> None:
    with SequenceSink(tmp_path / "f_%d.png", source) as sink:
        sink.write(next(iter(source)))
        sink.finish()
    assert names(tmp_path) == ["f_0.png", "in"]


def test_existing_pictures_are_kept_unless_it_is_said(
    tmp_path: Path, source: SequenceSource
) -> None:
    (tmp_path / "f_2.png").write_bytes(b"mine")
    (tmp_path / "f_9.png").write_bytes(b"mine")
    with pytest.raises(SinkError, match=r"f_2\.png: exists already; -y overwrites it"):
        SequenceSink(tmp_path / "f_%d.png", source)
    with SequenceSink(tmp_path / "f_%d.png", source, overwrite=True) as sink:
        for frame in source:
            sink.write(frame)
        sink.finish()
    assert sink.notes == ["f_9.png and later ones are of an earlier run"]
    assert (tmp_path / "f_2.png").read_bytes() != b"mine"


def test_a_start_number_can_be_chosen(tmp_path: Path, source: SequenceSource) -> None:
    with SequenceSink(tmp_path / "f_%d.jpg", source, start_number=100, quality=50) as sink:
        sink.write(next(iter(source)))
        sink.finish()
    assert names(tmp_path) == ["f_100.jpg", "in"]


def test_targets_that_cannot_be_are_refused(tmp_path: Path, source: SequenceSource) -> None:
    with pytest.raises(UsageError, match="input and output are the same pictures"):
        SequenceSink(source.path, source, overwrite=True)
    with pytest.raises(UsageError, match="needs one number in its file name"):
        SequenceSink(tmp_path / "f.png", source)
    with pytest.raises(SinkError, match="a picture is not written as"):
        SequenceSink(tmp_path / "f_%d.gif", source)
    with pytest.raises(SinkError, match="no such folder; create it with mkdir -p"):
        SequenceSink(tmp_path / "missing" / "f_%d.png", source)
    with pytest.raises(UsageError, match="--start-number -1: must not be negative"):
        SequenceSink(tmp_path / "f_%d.png", source, start_number=-1)
    with (
        SequenceSink(tmp_path / "f_%d.png", source) as sink,
        pytest.raises(SinkError, match="no picture was written"),
    ):
        sink.finish()
    assert names(tmp_path) == ["in"]


def test_a_full_disk_takes_the_run_back(
    tmp_path: Path, source: SequenceSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SequenceSink(tmp_path / "f_%d.png", source) as sink:
        frames = iter(source)
        sink.write(next(frames))

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("streamlight.sinks.picture_encoding.write_png", full)
        with pytest.raises(SinkError, match=r"f_1\.png: the disk is full"):
            sink.write(next(frames))
    assert names(tmp_path) == ["in"]


class Anamorphic:
    """A video whose pixels are wide."""

    path = Path("a.mp4")
    display_matrix = None
    sample_aspect_ratio = Fraction(64, 45)

    def __init__(self, info: StreamInfo) -> None:
        self.info = info


def test_pixels_that_are_not_square_are_named(tmp_path: Path, source: SequenceSource) -> None:
    with SequenceSink(tmp_path / "f_%d.png", Anamorphic(source.info)) as sink:
        sink.write(Frame(np.zeros((*SIZE[::-1], 3), np.uint16), 0, Fraction(1, 25), 0))
        sink.finish()
    assert sink.notes == [
        "pixels of the video are not square (64/45); those of pictures are, so that they look "
        "squeezed"
    ]
    with Image.open(tmp_path / "f_1.png") as image:
        assert image.mode in ("RGB", "I;16"), "Pillow shows 16 bits as 8"
    assert (tmp_path / "f_1.png").read_bytes()[24] == 16
