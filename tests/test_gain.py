from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.gain import apply_gain, gain_of, shrink

DTYPES = [np.uint8, np.uint16, np.float32]


def picture(height: int, width: int, dtype: Any, most: float = 0.3) -> NDArray[Any]:
    """Noise up to `most` of white."""
    values = np.random.default_rng(0).random((height, width, 3), np.float32) * np.float32(most)
    if dtype == np.float32:
        return values
    return np.asarray(np.rint(values * np.iinfo(dtype).max), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_shrinking_averages_blocks(dtype: Any, factor: int) -> None:
    image = picture(48, 72, dtype)
    small = shrink(image, factor)
    blocks = image.reshape(48 // factor, factor, 72 // factor, factor, 3)
    expected = blocks.mean(axis=(1, 3), dtype=np.float64)
    assert small.dtype == image.dtype
    tolerance = 1e-6 if dtype == np.float32 else 0.5 + 1e-3
    assert np.abs(small - expected).max() <= tolerance


def test_white_of_sixteen_bits_does_not_overflow() -> None:
    white = np.full((16, 16, 3), 65535, np.uint16)
    assert (shrink(white, 8) == 65535).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 10), (3, 50)])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_the_last_blocks_are_filled_up_from_the_edge(size: tuple[int, int], factor: int) -> None:
    image = np.full((*size, 3), 77, np.uint8)
    small = shrink(image, factor)
    assert small.shape == (-(-size[0] // factor), -(-size[1] // factor), 3)
    assert (small == 77).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_constant_gain_is_applied_as_it_is_with_all_detail(dtype: Any, factor: int) -> None:
    image = picture(50, 71, dtype)
    peak = 1.0 if dtype == np.float32 else np.iinfo(dtype).max
    small = shrink(image, factor).astype(np.float64)
    floor = 8 / 255 * peak
    brighter = ((small + floor) * 2 - floor).astype(dtype)
    result = apply_gain(image, gain_of(small.astype(dtype), brighter), factor)
    expected = (image.astype(np.float64) + floor) * 2 - floor
    assert result.dtype == image.dtype
    assert result.shape == image.shape
    # the averages of the blocks are rounded to whole levels
    assert np.abs(result - expected).max() <= (1e-5 if dtype == np.float32 else 2)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_a_gain_lies_where_it_was_measured(factor: int) -> None:
    """A ramp of gains comes back as that ramp: nothing is shifted by half a block."""
    columns = np.linspace(1, 3, 240, dtype=np.float32)[None, :, None]
    rows = np.linspace(1, 2, 160, dtype=np.float32)[:, None, None]
    image = np.full((160, 240, 3), 0.1, np.float32)
    gain = columns * rows
    bright = (image + 8 / 255) * gain - 8 / 255
    result = apply_gain(image, gain_of(shrink(image, factor), shrink(bright, factor)), factor)
    margin = 3 * factor
    inner = slice(margin, -margin), slice(margin, -margin)
    assert np.abs(result - bright)[inner].max() < 0.002


def test_black_stays_black_and_white_is_not_passed() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 250
    small = shrink(image, 4)
    darker = small // 2
    assert apply_gain(image, gain_of(small, darker), 4)[:, :8].max() == 0
    brighter = np.minimum(small.astype(int) * 4, 255).astype(np.uint8)
    brighter[:, :8] = 40
    result = apply_gain(image, gain_of(small, brighter), 4)
    assert result[:, 60:].min() >= 250


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (33, 17)])
@pytest.mark.parametrize("factor", [1, 2, 8])
def test_the_smallest_pictures_work(size: tuple[int, int], factor: int) -> None:
    image = picture(*size, np.uint8)
    small = shrink(image, factor)
    result = apply_gain(image, gain_of(small, small), factor)
    assert np.array_equal(result, image)


def test_a_picture_that_is_a_view_of_another_is_taken() -> None:
    image = picture(40, 60, np.uint8)[::2, ::3]
    small = shrink(image, 2)
    assert np.array_equal(apply_gain(image, gain_of(small, small), 2), image)
