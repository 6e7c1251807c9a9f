"""The metrics, against scikit-image, hand calculation and cases with a known answer."""

import math
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from streamlight.errors import UsageError
from streamlight.evaluation import metrics
from streamlight.evaluation.metrics import (
    _asymmetric_gaussian,
    cut_error,
    fit_niqe,
    flicker_rms,
    gt_mean_psnr,
    luma,
    niqe,
    pixel_deviation,
    psnr,
    settling_time_s,
    ssim,
    warping_error,
)
from streamlight.frame import Image


@lru_cache
def photograph() -> Image:
    picture: Image = data.astronaut()
    return np.ascontiguousarray(picture[:384, :384])


def noisy(image: Image, sigma: float, seed: int = 0) -> Image:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def level(value: int) -> Image:
    return np.full((8, 8, 3), value, np.uint8)


# --- against a reference


def test_psnr_is_scikit_images() -> None:
    result, reference = noisy(photograph(), 12), photograph()

    expected = peak_signal_noise_ratio(reference, result, data_range=255)

    assert psnr(result, reference) == pytest.approx(expected, abs=1e-9)


def test_equal_pictures_have_infinite_psnr_and_an_ssim_of_one() -> None:
    assert psnr(photograph(), photograph()) == math.inf
    assert ssim(photograph(), photograph()) == pytest.approx(1)


def test_psnr_of_ten_levels_everywhere() -> None:
    assert psnr(level(110), level(100)) == pytest.approx(20 * math.log10(255 / 10))


def test_ssim_uses_the_gaussian_window_of_wang_et_al() -> None:
    reference = photograph()[:64, :80]
    result = noisy(reference, 20)

    def channel(x: Image, y: Image) -> float:
        def local(
            values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
            return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

        a, b = x.astype(np.float64), y.astype(np.float64)
        mean_a, mean_b = local(a), local(b)
        var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
        both = local(a * b) - mean_a * mean_b
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        value = (2 * mean_a * mean_b + c1) * (2 * both + c2)
        value /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
        return float(value[5:-5, 5:-5].mean())

    by_hand = np.mean([channel(result[:, :, c], reference[:, :, c]) for c in range(3)])

    assert ssim(result, reference) == pytest.approx(by_hand, abs=1e-4)


def test_gt_mean_psnr_forgives_a_wrong_exposure_only() -> None:
    reference = np.clip(photograph(), 0, 200)
    darker = np.rint(reference * 0.5).astype(np.uint8)

    assert psnr(darker, reference) < 15
    assert gt_mean_psnr(darker, reference) > 50
    assert gt_mean_psnr(noisy(darker, 10), reference) < 30


def test_gt_mean_psnr_clips_what_the_scaling_over_exposes() -> None:
    result, reference = level(50), level(100)
    result[:4] = 150  # mean 100 against 200: the brighter half becomes 300, clipped to 255
    reference[:] = 200

    error = ((255 - 200) ** 2 + (100 - 200) ** 2) / 2

    assert gt_mean_psnr(result, reference) == pytest.approx(10 * math.log10(255**2 / error))


def test_gt_mean_psnr_of_a_black_result_is_finite() -> None:
    assert gt_mean_psnr(level(0), level(100)) == psnr(level(0), level(100))


def test_pictures_that_differ_in_size_are_refused() -> None:
    for metric in (psnr, ssim, gt_mean_psnr):
        with pytest.raises(UsageError, match="8x8 cannot be compared"):
            metric(level(1), np.zeros((8, 9, 3), np.uint8))
        with pytest.raises(UsageError, match="expected uint8 RGB"):
            metric(np.zeros((8, 8, 3)), level(1))


# --- NIQE


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

    monkeypatch.setattr(metrics, "_pristine", lambda: (mean, covariance))
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


# --- steadiness


def test_luma_is_bt709() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:] = (100, 200, 50)

    assert luma(picture) == pytest.approx(0.2126 * 100 + 0.7152 * 200 + 0.0722 * 50)


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
