"""How much of the enhancement a picture needs, by itself and over the frames of a video."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.brightness import (
    BRIGHT,
    DARK,
    BrightnessGate,
    brightness,
    is_bright,
    needed_strength,
)


def view(luma: float) -> NDArray[np.float32]:
    """Grey with noise; its mean is `luma`."""
    noise = np.random.default_rng(0).normal(0, 0.02, (1, 3, 96, 96))
    return np.asarray(luma + noise - noise.mean(), np.float32)


def test_brightness_is_mean_luma_of_bt709() -> None:
    assert brightness(view(0.25)) == pytest.approx(0.25, abs=1e-3)
    for channel, weight in enumerate((0.2126, 0.7152, 0.0722)):
        one = np.zeros((1, 3, 96, 96), np.float32)
        one[:, channel] = 1
        assert brightness(one) == pytest.approx(weight)


def test_the_strength_falls_evenly_between_dark_and_bright() -> None:
    assert [needed_strength(luma) for luma in (0.0, DARK)] == [1, 1]
    assert [needed_strength(luma) for luma in (BRIGHT, 1.0)] == [0, 0]
    assert needed_strength((DARK + BRIGHT) / 2) == pytest.approx(0.5)


def test_a_picture_is_bright_where_it_needs_nothing() -> None:
    assert not is_bright(view(BRIGHT - 0.01))
    assert is_bright(view(BRIGHT + 0.01))


def strengths(lumas: list[float], rate: float = 25) -> list[float]:
    gate = BrightnessGate()
    return [gate(view(luma), i / rate) for i, luma in enumerate(lumas)]


def test_the_first_frame_is_taken_by_itself() -> None:
    assert strengths([0.1]) == [1]
    assert strengths([0.6]) == [0]


def test_a_sunrise_fades_without_a_pop() -> None:
    found = strengths(list(np.linspace(0.2, 0.6, 200)))
    steps = -np.diff(found)
    assert (found[0], found[-1]) == (1, 0)
    assert steps.min() >= 0
    assert steps.max() < 0.03


def test_a_small_swing_of_the_light_leaves_the_strength_alone() -> None:
    swing = 0.35 + 0.008 * np.sin(np.arange(100))
    assert len(set(strengths([0.35, *swing]))) == 1


def test_a_larger_swing_is_evened_out() -> None:
    swing = 0.35 + 0.03 * np.sin(2 * np.pi * 5 / 25 * np.arange(150))  # 5 Hz
    found = strengths(list(swing))
    unfiltered = [needed_strength(luma) for luma in swing]
    assert np.ptp(found[50:]) < 0.15 * np.ptp(unfiltered)


def test_the_rate_of_the_frames_makes_no_difference() -> None:
    slow = strengths([0.32] * 2 + [0.38] * 25, rate=25)
    fast = strengths([0.32] * 4 + [0.38] * 50, rate=50)
    assert slow[-1] == pytest.approx(fast[-1], abs=0.02)
    assert 0 < slow[-1] < slow[0]


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.6), (0.6, 0.1), (0.45, 0.3)])
def test_a_switch_or_a_cut_is_followed_at_once(before: float, after: float) -> None:
    found = strengths([before] * 10 + [after])
    assert found[9] == pytest.approx(needed_strength(before), abs=0.02)
    assert found[10] == pytest.approx(needed_strength(after), abs=0.02)


@pytest.mark.parametrize("how", ["reset", "an earlier time"])
def test_another_video_begins_anew(how: str) -> None:
    gate = BrightnessGate()
    for i in range(10):
        gate(view(0.38), i / 25)
    if how == "reset":
        gate.reset()
    assert gate(view(0.34), 1.0 if how == "reset" else 0.0) == pytest.approx(0.6, abs=0.02)


def test_black_is_dark() -> None:
    assert strengths([0.1, 0.0, 0.0]) == [1, 1, 1]
