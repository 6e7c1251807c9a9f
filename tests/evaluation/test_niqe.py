"""NIQE on cases with a known order or answer."""

import math

import cv2
import numpy as np
import pytest
from sample_pictures import noisy, photograph

from streamlight.errors import UsageError
from streamlight.evaluation import niqe as niqe_module
from streamlight.evaluation.niqe import _asymmetric_gaussian, fit_niqe, niqe


def test_niqe_rises_with_noise_and_with_blur() -> None:
    clean = niqe(photograph())

    assert clean < niqe(noisy(photograph(), 10)) < niqe(noisy(photograph(), 40))
    soft, softer = (cv2.GaussianBlur(photograph(), (0, 0), sigma) for sigma in (1.5, 4))
    assert clean < niqe(soft) < niqe(softer)


def test_niqe_of_a_picture_without_structure_is_infinite() -> None:
    assert niqe(np.full((192, 192, 3), 90, np.uint8)) == math.inf


def test_niqe_refuses_a_picture_of_less_than_two_patches() -> None:
    with pytest.raises(UsageError, match="at least 192"):
        niqe(photograph()[:191])


def test_niqe_measures_from_the_pictures_that_the_model_was_fitted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = [noisy(np.full((192, 192, 3), 128, np.uint8), 30, seed) for seed in range(40)]
    mean, covariance, patches = fit_niqe(noise)

    assert mean.shape == (36,)
    assert covariance.shape == (36, 36)
    assert 100 < patches <= 160

    monkeypatch.setattr(niqe_module, "_pristine", lambda: (mean, covariance))
    another = noisy(np.full((384, 384, 3), 128, np.uint8), 30, seed=99)
    assert niqe(another) < 0.5 * niqe(photograph())


def test_the_fit_of_niqe_recovers_a_skewed_distribution() -> None:
    generator = np.random.default_rng(0)
    # a Laplace distribution (shape 1) with scale 1 on the left and 2 on the right
    sizes = generator.exponential(1, (4, 200, 500))
    values = np.where(generator.random(sizes.shape) < 1 / 3, -sizes, 2 * sizes)

    alpha, left, right, mean = _asymmetric_gaussian(values)

    assert alpha == pytest.approx([1] * 4, rel=0.03)
    assert left == pytest.approx([1] * 4, rel=0.03)
    assert right == pytest.approx([2] * 4, rel=0.03)
    assert mean == pytest.approx(values.mean(axis=(1, 2)), rel=0.03)
