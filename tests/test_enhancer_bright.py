"""`skip_bright`: bright frames pass as they are and cost no network, the others fade in."""

import numpy as np
import pytest
from fake_backend import FakeBackend

from streamlight.backends import Prior
from streamlight.enhance import Enhancer
from streamlight.frame import Image
from streamlight.look import Look
from streamlight.models.prior_index import Place
from streamlight.models.spec import MODELS
from streamlight.view import PHASES

DARK, BETWEEN, BRIGHT = 40, 89, 150


class White(FakeBackend):
    """Its result is white, whatever comes in."""

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        super().reconstruct(image, prior, place)
        return np.full_like(image, 255)


def grey(level: int) -> Image:
    return np.full((48, 64, 3), level, np.uint8)


def opened(backend: FakeBackend, look: Look | None = None) -> Enhancer:
    return Enhancer(backend, MODELS["gladnet-fast"], look, skip_bright=True)


@pytest.mark.parametrize("time_s", [None, 0.0])
def test_a_bright_picture_passes_unchanged_without_the_network(time_s: float | None) -> None:
    backend, image = White(), grey(BRIGHT)
    result = opened(backend)(image, time_s)
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)
    assert not backend.views
    assert not backend.images


def test_without_the_option_it_is_enhanced() -> None:
    enhancer = Enhancer(White(), MODELS["gladnet-fast"])
    assert enhancer(grey(BRIGHT)).min() == 255
    assert enhancer(grey(BRIGHT), 0.0).min() == 255


@pytest.mark.parametrize("time_s", [None, 0.0])
def test_between_dark_and_bright_the_result_is_blended(time_s: float | None) -> None:
    enhancer = opened(White())
    assert enhancer(grey(DARK), time_s).min() == 255
    half = enhancer(grey(BETWEEN), time_s)  # 0.349 of white, so the strength is 0.51
    assert half.min() == half.max() == pytest.approx(89 + 0.51 * (255 - 89), abs=2)


def test_a_bright_picture_is_not_exposed_either_but_still_compared() -> None:
    enhancer = opened(White(), Look(exposure_ev=1, compare="side"))
    result = enhancer(grey(BRIGHT))
    assert result.shape == (48, 128, 3)
    assert result.min() == result.max() == BRIGHT


def test_the_strength_asked_for_is_the_most_there_is() -> None:
    enhancer = opened(White(), Look(strength=0.5))
    assert enhancer(grey(DARK)).max() == pytest.approx(148, abs=1)
    assert enhancer(grey(BETWEEN)).max() == pytest.approx(89 + 0.255 * (255 - 89), abs=2)


def test_after_bright_frames_the_light_is_estimated_anew() -> None:
    backend = White()
    enhancer = opened(backend)
    for i, level in enumerate((DARK, DARK, BRIGHT, BRIGHT, DARK)):
        before = len(backend.views)
        enhancer.estimate(grey(level), i / 25)
        expected = {0: len(PHASES), 1: 1, 4: len(PHASES)}.get(i, 0)
        assert len(backend.views) - before == expected, i


def test_reset_forgets_the_brightness_too() -> None:
    enhancer = opened(White())
    enhancer.estimate(grey(96), 0.0)
    enhancer.reset()
    assert enhancer.estimate(grey(BETWEEN), 0.04).strength == pytest.approx(0.51, abs=0.01)


def test_an_estimate_passes_between_threads_as_it_is() -> None:
    """The pipeline estimates in order and reconstructs later: the strength travels along."""
    enhancer = opened(White())
    estimates = [enhancer.estimate(grey(level), i) for i, level in enumerate((BRIGHT, DARK))]
    assert enhancer.reconstruct(grey(DARK), estimates[1]).min() == 255
    assert enhancer.reconstruct(grey(BRIGHT), estimates[0]).max() == BRIGHT
