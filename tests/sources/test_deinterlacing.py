"""Interlaced pictures become progressive ones: as many, at the same times."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import Picture, make_clip
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Frame
from streamlight.sources import FileSource
from streamlight.sources.deinterlace import Deinterlacing

INTERLACED = {"x264-params": "bff=1", "qp": "4"}
NOTE = "interlaced: deinterlaced with bwdif"
VARIABLE = (0, 3, 4, 9, 10, 20, 21, 30, 31, 32)


def bar(moment: float, width: int, height: int) -> Picture:
    """A bright bar, slightly tilted, that moves 6 pixels in the time of a frame."""
    y, x = np.mgrid[:height, :width]
    inside = np.clip(10 - np.abs(x - 6 * moment - 12 - y / 16), 0, 1)
    return np.repeat((30 + 170 * inside).astype(np.uint8)[..., None], 3, axis=-1)


def fields(index: int, width: int, height: int) -> Picture:
    """Two moments in one picture: odd rows are half a frame older than even ones."""
    picture = bar(index, width, height)
    picture[::2] = bar(index + 0.5, width, height)[::2]
    return picture


def read(path: Path, mode: Deinterlacing) -> tuple[list[Frame], list[str]]:
    with FileSource(path, deinterlace=mode) as source:
        return list(source), source.notes


def combing(image: NDArray[np.uint8]) -> float:
    """How much each row differs from what its neighbours say."""
    rows = image[..., 1].astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_what_says_that_it_is_interlaced_is_deinterlaced(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / name, picture=fields, options=INTERLACED)
    combed, notes = read(clip, "off")
    assert notes == ["interlaced: kept so, and the two fields are enhanced as one picture"]
    frames, notes = read(clip, "auto")
    assert notes == [NOTE]
    assert [(f.pts, f.duration, f.index) for f in frames] == [
        (f.pts, f.duration, f.index) for f in combed
    ]
    for index in range(1, 9):
        before, after = combed[index].image, frames[index].image
        assert combing(after) < combing(before) / 4
        truth = bar(index, 64, 48)
        assert np.abs(after.astype(int) - truth).mean() < 4


def test_variable_times_are_kept(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        picture=fields,
        pts=VARIABLE,
        time_base=Fraction(1, 30),
        options=INTERLACED,
    )
    frames, notes = read(clip, "auto")
    assert notes == [NOTE]
    assert [frame.time_s for frame in frames] == pytest.approx([p / 30 for p in VARIABLE])


def test_progressive_pictures_are_left_alone(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=fields, options={"qp": "4"})
    plain, _ = read(clip, "off")
    frames, notes = read(clip, "auto")
    assert notes == []
    assert all(np.array_equal(a.image, b.image) for a, b in zip(plain, frames, strict=True))


def test_progressive_pictures_among_interlaced_ones_are_left_alone(tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{i}.h264", muxer="h264", picture=fields, options=options)
        for i, options in enumerate([{"qp": "4"}, INTERLACED, {"qp": "4"}])
    ]
    clip = tmp_path / "mixed.h264"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    plain, _ = read(clip, "off")
    frames, notes = read(clip, "auto")
    assert notes == [NOTE]
    same = [np.array_equal(a.image, b.image) for a, b in zip(plain, frames, strict=True)]
    assert same == [True] * 10 + [False] * 10 + [True] * 10
    assert [f.pts for f in frames] == [f.pts for f in plain]


def test_pictures_that_do_not_say_so_are_deinterlaced_on_request(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=fields, options={"qp": "4"})
    combed, _ = read(clip, "off")
    frames, notes = read(clip, "on")
    assert notes == [NOTE]
    assert combing(frames[4].image) < combing(combed[4].image) / 4


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p"])
def test_the_sampling_stays(tmp_path: Path, pixel_format: str) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4", pixel_format=pixel_format, picture=fields, options=INTERLACED
    )
    with FileSource(clip) as source:
        assert source.pixel_format.name == pixel_format
        assert len(list(source)) == 10


def test_an_unknown_mode_is_refused_before_the_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="auto, on, off"):
        FileSource(tmp_path / "missing.mp4", deinterlace="maybe")  # type: ignore[arg-type]
