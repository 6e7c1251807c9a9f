"""Numbered pictures as a stream."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stills import SIZE, photo_exif, quarters, stored

from streamlight.errors import SourceError, UsageError
from streamlight.sinks.png import write_png
from streamlight.sources.exif import orientation_of
from streamlight.sources.picture_tags import PictureTags
from streamlight.sources.sequence import SequenceSource


def write(folder: Path, numbers: range | list[int], pattern: str = "f_{:03}.png") -> Path:
    """Write pictures of grey level 10 * number; return the printf-like pattern of them."""
    for number in numbers:
        Image.new("RGB", SIZE, (10 * number,) * 3).save(folder / pattern.format(number))
    return folder / "f_%03d.png"


def levels(source: SequenceSource) -> list[int]:
    return [int(frame.image[0, 0, 0]) // 10 for frame in source]


def test_pictures_come_in_order_at_a_steady_rate(tmp_path: Path) -> None:
    with SequenceSource(write(tmp_path, range(3, 8)), "30000/1001") as source:
        assert source.info.frame_count == 5
        assert source.info.rate == Fraction(30000, 1001)
        assert (source.info.width, source.info.height) == SIZE
        frames = list(source)
    assert [int(frame.image[0, 0, 0]) // 10 for frame in frames] == [3, 4, 5, 6, 7]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[4].time_s == pytest.approx(4 * 1001 / 30000)
    assert source.notes == []


def test_a_sequence_can_be_read_again(tmp_path: Path) -> None:
    with SequenceSource(write(tmp_path, range(3))) as source:
        assert levels(source) == levels(source) == [0, 1, 2]


def test_a_start_number_leaves_out_those_before(tmp_path: Path) -> None:
    pattern = write(tmp_path, range(6))
    with SequenceSource(pattern, start_number=4) as source:
        assert levels(source) == [4, 5]
        assert source.first_number == 4
    with pytest.raises(SourceError, match=r"f_009\.png: no such file; .* begins with number 0"):
        SequenceSource(pattern, start_number=9)


def test_a_gap_ends_the_sequence_and_is_named(tmp_path: Path) -> None:
    with SequenceSource(write(tmp_path, [1, 2, 3, 5, 6])) as source:
        assert levels(source) == [1, 2, 3]
        assert source.info.frame_count == 3
        assert source.notes == [
            "f_004.png is missing: the sequence ends before it, and 2 later pictures are left out"
        ]


def test_a_glob_takes_all_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 9, 10, 12], "f_{}.png")
    (tmp_path / ".f_11.png.partial.png").write_bytes(b"of an interrupted run")
    with SequenceSource(tmp_path / "*.png") as source:
        assert levels(source) == [1, 2, 9, 10, 12]
        assert source.notes == []


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    pattern = write(tmp_path, range(3))
    Image.new("RGB", (8, 8)).save(tmp_path / "f_002.png")
    with (
        SequenceSource(pattern) as source,
        pytest.raises(SourceError, match=r"f_002\.png: is 8x8, and f_000\.png 24x16; all pictures"),
    ):
        list(source)


def test_a_picture_of_another_depth_is_named(tmp_path: Path) -> None:
    pattern = write(tmp_path, range(2))
    with (tmp_path / "f_001.png").open("wb") as file:
        write_png(file, quarters(np.uint16), PictureTags(), effort=1)
    with (
        SequenceSource(pattern) as source,
        pytest.raises(SourceError, match=r"f_001\.png: has 16 bits a channel, and f_000\.png 8"),
    ):
        list(source)


def test_a_damaged_picture_in_the_middle_is_named(tmp_path: Path) -> None:
    pattern = write(tmp_path, range(3))
    (tmp_path / "f_001.png").write_bytes((tmp_path / "f_001.png").read_bytes()[:40])
    frames = iter(SequenceSource(pattern))
    next(frames)
    with pytest.raises(SourceError, match=r"f_001\.png: the picture is damaged or cut off"):
        next(frames)


def test_16_bits_are_kept(tmp_path: Path) -> None:
    with (tmp_path / "f_001.png").open("wb") as file:
        write_png(file, quarters(np.uint16), PictureTags(), effort=1)
    with SequenceSource(tmp_path / "f_%03d.png") as source:
        assert source.pixel_format.name == "rgb48le"
        assert np.array_equal(next(iter(source)).image, quarters(np.uint16))


def test_pictures_are_upright_and_their_tags_can_be_had_once(tmp_path: Path) -> None:
    Image.fromarray(stored(quarters(), 6)).save(tmp_path / "f_1.png", exif=photo_exif(6))
    with SequenceSource(tmp_path / "f_%d.png") as source:
        source.keep_tags()
        (frame,) = source
        assert np.array_equal(frame.image, quarters())
        exif = source.take_tags(0).exif
        assert exif is not None and orientation_of(exif) == 1
        assert source.take_tags(0) == PictureTags()


def test_tags_that_nobody_takes_are_not_collected(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "f_1.png", exif=photo_exif())
    with SequenceSource(tmp_path / "f_%d.png") as source:
        list(source)
        assert source.take_tags(0) == PictureTags()


def test_transparency_is_dropped_and_said_once(tmp_path: Path) -> None:
    for number in (1, 2):
        Image.new("RGBA", SIZE, (9, 9, 9, 100)).save(tmp_path / f"f_{number}.png")
    with SequenceSource(tmp_path / "f_%d.png") as source:
        assert [frame.image.shape for frame in source] == [(SIZE[1], SIZE[0], 3)] * 2
        assert source.notes == ["f_1.png: its transparency is not kept"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    pattern = write(tmp_path, range(2))
    with pytest.raises(SourceError, match="no picture of that name is there"):
        SequenceSource(tmp_path / "g_%03d.png")
    with pytest.raises(SourceError, match="no picture of that name is there"):
        SequenceSource(tmp_path / "g*.png")
    with pytest.raises(SourceError, match=r"missing: cannot be read \(No such file"):
        SequenceSource(tmp_path / "missing" / "g_%03d.png")
    with pytest.raises(UsageError, match=r"has no %d"):
        SequenceSource(tmp_path / "*.png", start_number=3)
    for rate in (0, -1, "fast", "1/0", float("nan"), float("inf"), 5000):
        with pytest.raises(UsageError, match="--rate"):
            SequenceSource(pattern, rate)
