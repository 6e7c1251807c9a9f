"""The figures of steadiness, on clips with a known answer."""

import math
from itertools import pairwise

import numpy as np
import pytest
from sample_pictures import level, noisy, photograph

from streamlight.errors import UsageError
from streamlight.evaluation.steadiness import (
    cut_error,
    flicker_rms,
    pixel_deviation,
    settling_time_s,
    warping_error,
)
from streamlight.frame import Image


def test_flicker_of_a_still_scene_is_the_deviation_over_time() -> None:
    assert flicker_rms([101, 99, 101, 99], [80, 80, 80, 80]) == pytest.approx(1)


def test_flicker_leaves_out_what_the_reference_does() -> None:
    reference = 100 + 20 * np.sin(np.arange(40) / 5)
    own = np.tile([1.0, -1.0], 20)

    assert flicker_rms(list(3 * reference - 50), list(reference)) == pytest.approx(0, abs=1e-9)
    assert flicker_rms(list(0.5 * reference + own), list(reference)) == pytest.approx(1, rel=0.01)


def test_flicker_against_the_scene_counts_in_full() -> None:
    reference = [10.0, 20.0, 10.0, 20.0]

    assert flicker_rms([20, 10, 20, 10], reference) == pytest.approx(5)


def test_flicker_wants_a_reference_for_each_frame() -> None:
    with pytest.raises(UsageError, match="one for each"):
        flicker_rms([1, 2, 3], [1, 2])


def test_pixel_deviation_is_the_noise_of_a_static_scene() -> None:
    still = np.full((60, 80, 3), 120, np.uint8)
    frames = [noisy(still, 5, seed) for seed in range(60)]

    assert pixel_deviation(iter(frames)) == pytest.approx(np.std(frames, axis=0).mean())
    assert pixel_deviation(frames) == pytest.approx(5, rel=0.02)
    assert pixel_deviation([still, still]) == 0
    with pytest.raises(UsageError, match="no frames"):
        pixel_deviation([])


def pan(step: int, frames: int = 5) -> list[Image]:
    return [photograph()[40:200, 20 + i * step : 260 + i * step] for i in range(frames)]


def test_warping_error_follows_the_motion() -> None:
    clean = pan(3)

    moved = warping_error(clean, clean)

    unmoved = np.mean([np.square(a - b.astype(float)).mean() for a, b in pairwise(clean)])
    assert moved < 0.25 * math.sqrt(unmoved)


def test_warping_error_measures_flicker_on_top_of_motion() -> None:
    clean = [frame // 2 + 40 for frame in pan(3)]
    flickering = [frame + np.uint8(20 * (i % 2)) for i, frame in enumerate(clean)]

    error = warping_error(flickering, clean)

    assert error == pytest.approx(math.hypot(20, warping_error(clean, clean)), rel=0.05)


def test_warping_error_leaves_out_what_was_hidden() -> None:
    background = photograph()[:160, :240]

    def frame(i: int, color: tuple[int, int, int]) -> Image:
        picture = background.copy()
        left = 40 + 12 * i
        picture[50:110, left : left + 60] = noisy(np.full((60, 60, 3), color, np.uint8), 25)
        return picture

    clean = [frame(i, (128, 128, 128)) for i in range(3)]
    # 7.0 when the strip that the square uncovers counts
    assert warping_error(clean, clean) < 5


def test_settling_of_an_immediate_step_takes_no_time() -> None:
    times = [i / 10 for i in range(40)]

    assert settling_time_s([50] * 20 + [90] * 20, times, 2.0) == 0


def test_settling_of_an_exponential_approach_takes_ln_10_time_constants() -> None:
    times = np.arange(300) / 100
    decay = np.exp(-np.maximum(times - 1, 0) / 0.2)
    brightness = np.where(times < 1, 50, 150 - 100 * decay)

    settled = settling_time_s(list(brightness), list(times), 1.0)

    assert settled == pytest.approx(0.2 * math.log(10), abs=0.011)


def test_settling_waits_for_an_overshoot_to_end() -> None:
    times = [i / 10 for i in range(40)]
    back_to_the_same = [100.0] * 20 + [180, 160, 140, 120, 105] + [100] * 15

    assert settling_time_s(back_to_the_same, times, 2.0) == pytest.approx(0.4)


def test_settling_ignores_noise() -> None:
    times = [i / 10 for i in range(40)]
    quiet = [100 + 0.3 * (-1) ** i for i in range(40)]

    assert settling_time_s(quiet, times, 2.0) == 0


def test_settling_wants_a_step_within_the_clip() -> None:
    for step in (-1.0, 9.0):
        with pytest.raises(UsageError, match="within the clip"):
            settling_time_s([1, 2, 3], [0, 1, 2], step)


def test_cut_error_looks_at_the_frames_after_the_cut() -> None:
    plain = [level(20)] * 4 + [level(100)] * 6
    smoothed = [level(25)] * 4 + [level(60), level(80), level(90)] + [level(99)] * 3

    assert cut_error(smoothed, plain, cut=4) == pytest.approx((40 + 20 + 10) / 3)
    assert cut_error(smoothed, plain, cut=4, count=1) == 40
    assert cut_error(plain, plain, cut=4) == 0
    with pytest.raises(UsageError, match="end before"):
        cut_error(plain, plain, cut=10)
