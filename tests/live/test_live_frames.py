"""Pictures that change what they are from one to the next."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from clips import bars, to_frame

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.sources.live_frames import LiveFrames, describe
from streamlight.sources.live_reader import Arrival
from streamlight.sources.rgb import RgbConverter, color_of

KINDS = [
    ((64, 48), "yuv420p", ColorSpec(Matrix.BT709, Range.LIMITED)),
    ((64, 48), "yuv420p", ColorSpec(Matrix.SMPTE170M, Range.LIMITED)),
    ((64, 48), "yuv420p", ColorSpec(Matrix.SMPTE170M, Range.FULL)),
    ((96, 64), "yuv420p", ColorSpec(Matrix.BT709, Range.LIMITED)),
    ((64, 48), "yuv444p", ColorSpec(Matrix.BT709, Range.LIMITED)),
    ((64, 48), "bgr24", ColorSpec(Matrix.RGB, Range.FULL)),
]


def arrival(kind: int, time_s: float) -> Arrival:
    (width, height), pixel_format, color = KINDS[kind]
    picture = to_frame(bars(1, width, height), pixel_format, color)
    if not picture.format.is_rgb:
        picture.colorspace, picture.color_range = color.matrix, color.range
    return Arrival(picture, 0.0, time_s)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(range(len(KINDS)), 2)))
def test_size_format_and_colours_may_change_at_any_frame(one: int, other: int) -> None:
    frames = LiveFrames()
    for index, kind in enumerate((one, other, one)):
        came = arrival(kind, index / 25)
        image = frames.make(came, None).image
        assert (image == RgbConverter()(came.picture, color_of(came.picture))).all()


def test_times_only_grow_and_begin_at_zero() -> None:
    frames = LiveFrames()
    made = [frames.make(arrival(0, s), Fraction(25)) for s in (7.0, 7.04, 7.03, 7.04, 7.12)]
    assert [frame.pts for frame in made] == [0, 3600, 3601, 3602, 10_800]
    assert [frame.index for frame in made] == list(range(5))
    assert made[0].duration == 3600
    assert frames.zero_s == 7.0 and frames.last_s == pytest.approx(7.12)


def test_the_description_is_of_the_first_picture() -> None:
    info = describe(arrival(3, 0.0), Fraction(30))
    assert (info.width, info.height, info.is_live) == (96, 64, True)
    assert info.rate == 30 and info.color.matrix == Matrix.BT709
    assert np.isclose(float(info.time_base), 1 / 90_000)
