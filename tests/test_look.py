"""Strength, exposure and comparison, against formulas that are written here once more."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.look import Look, blend, expose

PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}


def every_level(dtype: str) -> Image:
    """A picture with every level that the dtype has."""
    levels = np.linspace(0, 1, 65536) * PEAKS[dtype]
    return np.repeat(levels.round(0 if dtype != "float32" else 9).astype(dtype), 3).reshape(
        256, 256, 3
    )


def linear(value: float) -> float:
    """IEC 61966-2-1, equation 5."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def expected_exposure(image: Image, stops: float) -> NDArray[np.float64]:
    """Level by level, in Python's floats."""
    peak = PEAKS[str(image.dtype)]
    table = {}
    for level in np.unique(image).tolist():
        light = min(linear(level / peak) * 2**stops, 1.0)
        curve = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
        table[level] = curve * peak
    return np.array([table[level] for level in image.ravel().tolist()]).reshape(image.shape)


@pytest.mark.parametrize("dtype", PEAKS)
@pytest.mark.parametrize("stops", [1.0, -1.0, 2.5])
def test_exposure_multiplies_linear_light(dtype: str, stops: float) -> None:
    image = every_level(dtype)
    result = expose(image, stops)
    assert result.dtype == image.dtype
    tolerance = 1e-6 if dtype == "float32" else 0.51
    assert np.abs(result - expected_exposure(image, stops)).max() <= tolerance


def test_one_stop_is_twice_the_light_and_white_stays_white() -> None:
    grey = np.full((1, 1, 3), 0.2, np.float32)
    assert linear(float(expose(grey, 1)[0, 0, 0])) == pytest.approx(2 * linear(0.2), rel=1e-5)
    assert expose(np.full((1, 1, 3), 250, np.uint8), 1).tolist() == [[[255] * 3]]
    np.testing.assert_array_equal(expose(every_level("uint8"), -0.0), every_level("uint8"))


@pytest.mark.parametrize("dtype", PEAKS)
@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_strength_mixes_input_and_result(dtype: str, strength: float) -> None:
    before = every_level(dtype)
    after = np.ascontiguousarray(before[::-1, ::-1])
    mixed = blend(before, after, strength)
    assert mixed.dtype == before.dtype
    expected = (1 - strength) * before.astype(np.float64) + strength * after.astype(np.float64)
    # of integers, the strength is taken in 256 steps, and the result is rounded
    tolerance = 1e-6 if dtype == "float32" else PEAKS[dtype] / 512 + 0.5
    assert np.abs(mixed - expected).max() <= tolerance
    if strength == 0:
        np.testing.assert_array_equal(mixed, before)


def test_exposure_acts_on_the_result_and_not_on_the_input_in_the_mix() -> None:
    before, after = (np.full((4, 4, 3), level, np.uint8) for level in (100, 50))
    look = Look(strength=0.5, exposure_ev=1.0)
    expected = blend(before, expose(after, 1.0), 0.5)
    np.testing.assert_array_equal(look.apply(before, after), expected)


def test_a_plain_look_gives_the_result_itself() -> None:
    before, after = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)
    assert Look().apply(before, after) is after


BEFORE, AFTER = 40, 200


def pair(height: int, width: int, dtype: str = "uint8") -> tuple[Image, Image]:
    before = np.full((height, width, 3), BEFORE, dtype)
    return before, np.full((height, width, 3), AFTER, dtype)


def as_seen(image: NDArray[Any], rotation: int) -> NDArray[Any]:
    """Turn counter-clockwise, as a player does with that rotation."""
    return np.rot90(image, rotation // 90)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (49, 65)])
def test_side_by_side_has_the_input_at_the_viewers_left(
    height: int, width: int, rotation: int
) -> None:
    before, after = pair(height, width)
    look = Look(compare="side", rotation=rotation)
    picture = look.apply(before, after)
    assert picture.shape[1::-1] == look.output_size(width, height)
    seen = as_seen(picture, rotation)
    assert seen.shape[1] == 2 * as_seen(before, rotation).shape[1]
    left, right = np.split(seen, 2, axis=1)
    assert (left == BEFORE).all()
    assert (right == AFTER).all()


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (49, 65), (1400, 1300)])
def test_split_has_the_input_in_the_viewers_left_half_and_a_line_between(
    height: int, width: int, rotation: int
) -> None:
    before, after = pair(height, width)
    look = Look(compare="split", rotation=rotation)
    picture = look.apply(before, after)
    assert picture.shape == before.shape
    assert look.output_size(width, height) == (width, height)
    seen = as_seen(picture, rotation)
    middle = seen.shape[1] // 2
    around = max(1, seen.shape[1] // 640) + 1
    assert (seen[:, : middle - around] == BEFORE).all()
    assert (seen[:, middle + around :] == AFTER).all()
    line = seen[0, middle - around : middle + around + 1, 0]
    assert round(255 * 0.85) - 1 in line
    assert (seen == seen[:1]).all(), "the line goes from top to bottom"
    assert (before == BEFORE).all(), "the input was changed"
    assert (after == AFTER).all(), "the network's result was changed"


@pytest.mark.parametrize("dtype", PEAKS)
def test_the_line_is_as_bright_in_every_dtype(dtype: str) -> None:
    before = np.zeros((4, 8, 3), dtype)
    picture = Look(compare="split").apply(before, before)
    assert picture.max() / PEAKS[dtype] == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("compare", ["split", "side"])
def test_the_smallest_picture_can_be_compared(compare: Any) -> None:
    before, after = pair(1, 1)
    look = Look(compare=compare)
    assert look.apply(before, after).shape[1::-1] == look.output_size(1, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength": 1.1}, r"--strength 1.1: must be between 0 and 1"),
        ({"strength": -0.1}, r"--strength -0.1: must be between 0 and 1"),
        ({"strength": float("nan")}, "--strength nan"),
        ({"exposure_ev": 6}, r"--exposure 6: must be between -5 and 5 stops"),
        ({"compare": "diff"}, r"--compare diff: choose one of none, split, side"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Look(**values)
