"""The baselines, on photographs that scikit-image ships, made dark by the synthetic recipe."""

from functools import lru_cache

import numpy as np
import pytest
from skimage import data

from streamlight.errors import UsageError
from streamlight.evaluation.baselines import BASELINES
from streamlight.evaluation.baselines.dehz import dehz
from streamlight.evaluation.baselines.gamma import automatic_gamma, gamma
from streamlight.evaluation.baselines.lime import smooth_illumination
from streamlight.evaluation.baselines.srie import _adjoint, _gradient, _gradient_power, decompose
from streamlight.evaluation.synthesis import darken
from streamlight.frame import Image

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")
METHODS = [name for name in BASELINES if name != "input"]


@lru_cache
def reference(photograph: str) -> Image:
    picture: Image = getattr(data, photograph)()
    return np.ascontiguousarray(picture[:240, 100:420])


@lru_cache
def dark(photograph: str) -> Image:
    return darken(reference(photograph), -3, np.random.default_rng(0))


@lru_cache
def result(method: str, photograph: str) -> Image:
    return BASELINES[method](dark(photograph))


def saturation(image: Image) -> float:
    high, low = image.max(axis=2).astype(float), image.min(axis=2)
    return float(np.mean((high - low) / np.maximum(high, 1)))


def clipped(image: Image) -> float:
    return float(np.mean(image.max(axis=2) == 255))


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_brightens(method: str, photograph: str) -> None:
    picture = result(method, photograph)

    assert picture.dtype == np.uint8
    assert picture.shape == dark(photograph).shape
    assert picture.mean() > 1.3 * dark(photograph).mean()


def test_input_comes_back_as_it_is() -> None:
    np.testing.assert_array_equal(result("input", "coffee"), dark("coffee"))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_leaves_its_input_alone_and_repeats_itself(method: str) -> None:
    picture = dark("chelsea")[:96, :128]
    kept = picture.copy()

    first = BASELINES[method](picture)

    np.testing.assert_array_equal(picture, kept)
    np.testing.assert_array_equal(BASELINES[method](kept), first)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("error")
def test_a_picture_of_one_level_stays_one_level(method: str, level: int) -> None:
    picture = np.full((48, 64, 3), level, np.uint8)

    flat = BASELINES[method](picture)

    assert int(flat.max()) - int(flat.min()) <= 1
    # MSRCR knows only differences, so that it takes any even picture to the middle
    expected = 128 if method == "msrcr" else level if level in (0, 255) else None
    if expected is not None:
        # OpenCV's CLAHE puts an even black picture to the first step of its curve
        assert abs(int(flat[0, 0, 0]) - expected) <= (16 if method == "clahe" else 1)


@pytest.mark.parametrize("method", METHODS)
def test_odd_and_tiny_sizes_come_through(method: str) -> None:
    for height, width in ((1, 1), (1, 7), (5, 1), (33, 47)):
        picture = dark("coffee")[:height, :width]
        assert BASELINES[method](picture).shape == (height, width, 3)


@pytest.mark.parametrize("method", METHODS)
def test_other_pictures_are_refused(method: str) -> None:
    for wrong in (np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8)):
        with pytest.raises(UsageError, match="expected uint8 RGB"):
            BASELINES[method](wrong)


# What the GLADNet paper says of the methods that it compares with


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_msrcr_is_whitish(photograph: str) -> None:
    whitish, right = result("msrcr", photograph), reference(photograph)

    assert saturation(whitish) < 0.75 * saturation(right)
    assert whitish.mean() > 1.3 * right.mean()
    # even the darkest parts are veiled
    assert np.quantile(whitish, 0.05) > np.quantile(right, 0.05) + 20


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_highlights_of_lime_are_over_bright(photograph: str) -> None:
    assert clipped(result("lime", photograph)) > clipped(reference(photograph)) + 0.01


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_srie_is_too_dark(photograph: str) -> None:
    assert result("srie", photograph).mean() < 0.85 * reference(photograph).mean()
    assert result("srie", photograph).mean() < result("gamma", photograph).mean()


# What each method is by its definition


def test_gamma_is_the_power_of_each_value() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)

    expected = np.rint(255 * (picture / 255) ** (1 / 2.2))

    np.testing.assert_array_equal(gamma(picture), expected)


def test_automatic_gamma_takes_the_mean_to_the_middle() -> None:
    picture = np.full((4, 4, 3), 30, np.uint8)
    picture[::2] = 34

    assert automatic_gamma(picture).mean() == pytest.approx(127.5, abs=1)


def test_dehz_is_the_inverted_dehazed_inversion() -> None:
    # one channel decides the haze; the picture holds a black pixel, so the airlight is white
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = (51, 102, 51)  # inverted .8 .6 .8: dark channel .6, t = 1 - .8 * .6 = .52
    picture[0, 1] = (51, 51, 51)  # dark channel .8, t = .36, doubled and squared: .2592

    bright = dehz(picture)

    assert bright[0, 0].tolist() == [round(51 / 0.52), round(102 / 0.52), round(51 / 0.52)]
    assert bright[0, 1].tolist() == [round(51 / 0.2592)] * 3
    assert bright[1].max() == 0


def test_illumination_of_lime_solves_its_equation() -> None:
    initial = np.random.default_rng(0).random((7, 9), dtype=np.float32)
    alpha, epsilon = 0.15, 1e-3

    smooth = smooth_illumination(initial, alpha, sigma=1e-3)  # no window: W = 1 / (|D t| + eps)

    residual = smooth - initial
    for axis in (0, 1):
        weight = alpha / (np.abs(np.diff(initial, axis=axis)) + epsilon) ** 2
        flow = weight * np.diff(smooth, axis=axis)
        padding = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
        residual = residual - np.diff(np.pad(flow, padding), axis=axis)
    assert np.abs(residual).max() < 1e-4 * np.abs(smooth - initial).max()


def test_illumination_of_lime_keeps_edges_and_loses_texture() -> None:
    initial = np.full((64, 64), 0.1, np.float32)
    initial[:, 32:] = 0.6
    texture = np.where(np.indices((64, 64)).sum(axis=0) % 2, 0.03, -0.03).astype(np.float32)

    smooth = smooth_illumination(initial + texture, alpha=0.15, sigma=2.0)

    assert smooth[:, 40:].mean() - smooth[:, :24].mean() > 0.3
    assert smooth[:, :24].std() < 0.3 * texture.std()


def test_srie_splits_into_bounded_factors_that_multiply_to_the_picture() -> None:
    value = np.maximum(dark("astronaut").max(axis=2), 1).astype(np.float64)

    reflectance, illumination = decompose(value)

    assert reflectance.max() <= 1
    assert (illumination >= value * (1 - 1e-9)).all()
    assert illumination.max() <= 255 * (1 + 1e-9)
    assert np.abs(np.log(reflectance * illumination / value)).mean() < 0.05


def test_illumination_of_srie_is_smoother_than_the_picture() -> None:
    value = np.maximum(dark("astronaut").max(axis=2), 1).astype(np.float64)

    _, illumination = decompose(value)

    steps = [np.abs(np.diff(np.log(part), axis=1)).mean() for part in (illumination, value)]
    assert steps[0] < 0.1 * steps[1]


def test_derivatives_of_srie_are_each_others_transpose() -> None:
    generator = np.random.default_rng(0)
    field, vectors = generator.random((6, 9)), generator.random((2, 6, 9))

    assert (_gradient(field) * vectors).sum() == pytest.approx((field * _adjoint(vectors)).sum())
    spectrum = np.fft.rfft2(_adjoint(_gradient(field)))
    np.testing.assert_allclose(spectrum, _gradient_power((6, 9)) * np.fft.rfft2(field), atol=1e-9)
