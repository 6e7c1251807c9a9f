"""The metrics against a reference, beside scikit-image and hand calculation."""

import math

import cv2
import numpy as np
import pytest
from sample_pictures import level, noisy, photograph
from skimage.metrics import peak_signal_noise_ratio

from streamlight.errors import UsageError
from streamlight.evaluation.metrics import gt_mean_psnr, luma, psnr, ssim
from streamlight.frame import Image


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


def test_luma_is_bt709() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:] = (100, 200, 50)

    assert luma(picture) == pytest.approx(0.2126 * 100 + 0.7152 * 200 + 0.0722 * 50)
