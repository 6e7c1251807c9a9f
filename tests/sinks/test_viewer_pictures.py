"""Pictures as viewers get them: size, turn, colours, before above after."""

import io
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from streamlight.frame import Frame, Image
from streamlight.sinks.view import View, jpeg, video_frame

RED, BLUE = (200, 30, 20), (10, 20, 180)


def frame_of(image: Image, original: Image | None = None) -> Frame:
    return Frame(image, 0, Fraction(1, 25), 0, original=original)


def flat(width: int, height: int, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((height, width, 3), color, np.uint8)


def opened(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    ("size", "rows", "expected"),
    [
        ((640, 360), 360, (640, 360)),
        ((640, 360), 180, (320, 180)),
        ((640, 360), 2160, (640, 360)),
        ((641, 361), 720, (641, 361)),
        ((1, 1), 16, (1, 1)),
        ((3, 4000), 16, (1, 16)),
    ],
)
def test_no_picture_is_larger_than_wanted_or_than_it_is(
    size: tuple[int, int], rows: int, expected: tuple[int, int]
) -> None:
    picture = frame_of(flat(*size, RED))
    assert opened(jpeg(picture, View(rows))).shape[1::-1] == expected
    video = video_frame(picture, View(rows))
    assert (video.width, video.height) == tuple(max(2, side & ~1) for side in expected)
    assert video.format.name == "yuv420p"


def test_the_input_is_above_the_result_and_of_the_same_height() -> None:
    picture = frame_of(flat(64, 49, RED), flat(64, 49, BLUE))
    still = opened(jpeg(picture, View(720, compare=True)))
    assert still.shape == (98, 64, 3)
    assert np.abs(still[:40].mean(axis=(0, 1)) - BLUE).max() < 6
    assert np.abs(still[58:].mean(axis=(0, 1)) - RED).max() < 6
    video = video_frame(picture, View(720, compare=True))
    assert (video.width, video.height) == (64, 96)


def test_without_the_input_the_result_is_shown_twice() -> None:
    still = opened(jpeg(frame_of(flat(64, 48, RED)), View(720, compare=True)))
    assert still.shape == (96, 64, 3)
    assert np.abs(still.mean(axis=(0, 1)) - RED).max() < 6


def test_a_picture_that_compares_already_is_not_compared_with_a_smaller_one() -> None:
    picture = frame_of(flat(128, 48, RED), flat(64, 48, BLUE))
    assert opened(jpeg(picture, View(720, compare=True))).shape == (96, 128, 3)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_pictures_are_turned_upright(rotation: int) -> None:
    image = flat(64, 32, RED)
    image[:8, :8] = BLUE  # the top left corner of what was coded
    corner = {90: np.s_[-4:, :4], 180: np.s_[-4:, -4:], -90: np.s_[:4, -4:]}[rotation]
    still = opened(jpeg(frame_of(image), View(720), rotation))
    assert still.shape[:2] == ((64, 32) if rotation % 180 else (32, 64))
    assert np.abs(still[corner].mean(axis=(0, 1)) - BLUE).max() < 12
    video = video_frame(frame_of(image), View(720), rotation).to_ndarray(format="rgb24")
    assert np.abs(video[corner].mean(axis=(0, 1)) - BLUE).max() < 12


def test_sixteen_bits_are_shown_as_eight() -> None:
    deep = flat(64, 48, RED).astype(np.uint16) * 257
    still = opened(jpeg(replace(frame_of(deep), original=deep), View(720)))
    assert np.abs(still.mean(axis=(0, 1)) - RED).max() < 6
