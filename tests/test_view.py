"""The view against loops that are written from its definition."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.view import (
    PHASES,
    nearest_indices,
    sample,
    sample_area,
    sample_light,
    sample_nearest,
)

PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}
SIZES = [(1, 1), (3, 5), (95, 97), (96, 96), (192, 100), (360, 641)]


def picture(height: int, width: int, dtype: str) -> Image:
    values = np.random.default_rng(1).random((height, width, 3)) * PEAKS[dtype]
    return values.astype(dtype)


@pytest.mark.parametrize("sizes", [range(1, 2200), (3840, 4320, 7680, 10**6, 2**31)])
def test_indices_are_the_floor_in_exact_arithmetic(sizes: list[int]) -> None:
    for size in sizes:
        expected = [i * size // 96 for i in range(96)]  # Python's integers have no limit
        assert nearest_indices(size).tolist() == expected, size
        assert 0 <= expected[-1] < size


@pytest.mark.parametrize("dtype", PEAKS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_nearest_takes_the_pixels_at_the_floor_index(height: int, width: int, dtype: str) -> None:
    image = picture(height, width, dtype)
    view = sample_nearest(image)
    assert view.shape == (1, 3, 96, 96)
    assert view.dtype == np.float32
    assert view.flags.c_contiguous
    for row, column in ((0, 0), (0, 95), (95, 0), (95, 95), (47, 12), (13, 80)):
        pixel = image[row * height // 96, column * width // 96] / PEAKS[dtype]
        np.testing.assert_allclose(view[0, :, row, column], pixel, rtol=1e-6)


def mean_of_cell(image: Image, row: int, column: int) -> NDArray[np.float64]:
    """From the floor index of a cell up to that of the next; at least one pixel."""
    height, width = image.shape[:2]
    top, left = row * height // 96, column * width // 96
    bottom = max((row + 1) * height // 96, top + 1)
    right = max((column + 1) * width // 96, left + 1)
    return np.asarray(image[top:bottom, left:right].astype(np.float64).mean(axis=(0, 1)))


@pytest.mark.parametrize("dtype", PEAKS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_area_takes_the_mean_of_each_cell(height: int, width: int, dtype: str) -> None:
    image = picture(height, width, dtype)
    view = sample_area(image)
    assert view.shape == (1, 3, 96, 96)
    assert view.dtype == np.float32
    for row, column in ((0, 0), (0, 95), (95, 0), (95, 95), (47, 12), (13, 80)):
        expected = mean_of_cell(image, row, column) / PEAKS[dtype]
        np.testing.assert_allclose(view[0, :, row, column], expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", PEAKS)
def test_white_is_one_and_black_is_zero(dtype: str) -> None:
    for level, expected in ((0, 0), (PEAKS[dtype], 1)):
        image = np.full((1080, 1920, 3), level, dtype)
        for view in (sample_nearest(image), sample_area(image)):
            assert (view.min(), view.max()) == (expected, pytest.approx(expected, abs=1e-6))


def test_the_way_is_chosen_by_name() -> None:
    image = picture(200, 300, "uint8")
    np.testing.assert_array_equal(sample(image), sample_nearest(image))
    np.testing.assert_array_equal(sample(image, "nearest"), sample_nearest(image))
    np.testing.assert_array_equal(sample(image, "area"), sample_area(image))
    with pytest.raises(UsageError, match="choose one of many, nearest, area"):
        sample(image, "cubic")  # type: ignore[arg-type]


def test_the_phases_are_sixteen_places_and_begin_with_the_papers() -> None:
    assert PHASES[0] == (0, 0)
    assert len(set(PHASES)) == 16
    assert all(0 <= step < 16 for phase in PHASES for step in phase)


@pytest.mark.parametrize("size", [1, 50, 95, 96, 97, 720, 1080])
def test_every_phase_stays_in_its_cell(size: int) -> None:
    for phase in range(16):
        for i, index in enumerate(nearest_indices(size, phase)):
            assert i * size // 96 <= index <= min(size - 1, (i + 1) * size // 96)


@pytest.mark.parametrize("dtype", PEAKS)
def test_the_light_is_the_mean_luma_of_sixty_four_pixels_of_each_block(dtype: str) -> None:
    image = picture(192, 384, dtype)
    luma = image[:, ::2].astype(np.float64) @ [0.2126, 0.7152, 0.0722] / PEAKS[dtype]
    light = sample_light(image)
    assert light.shape == (24, 24) and light.dtype == np.float32
    np.testing.assert_allclose(light, luma.reshape(24, 8, 24, 8).mean(axis=(1, 3)), atol=1e-5)


def test_the_light_of_any_size_can_be_taken() -> None:
    assert sample_light(np.full((1, 1, 3), 51, np.uint8)) == pytest.approx(0.2)
