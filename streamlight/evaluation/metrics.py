"""How near a picture is to its reference, and how bright it is.

Pictures are uint8 RGB (H, W, 3); brightness is in levels of 0 to 255.
"""

import math

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from streamlight.errors import UsageError
from streamlight.evaluation.baselines.pixels import check_picture
from streamlight.frame import Image

_LUMA_BT709 = np.array([0.2126, 0.7152, 0.0722])
GREY_BT601 = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in grey (ITU-R BT.601)."""


def psnr(result: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB over all three channels, as scikit-image defines it.

    Infinite for equal pictures.

    Raises:
        UsageError: the pictures differ in shape or are not uint8 RGB.
    """
    check_alike(result, reference)
    return _psnr(result.astype(np.float64), reference)


def ssim(result: Image, reference: Image) -> float:
    """Structural similarity, scikit-image's, with the window and constants of Wang et al. 2004.

    A Gaussian window of sigma 1.5 px, population covariance, K1 0.01, K2 0.03, each channel by
    itself, then the mean of the three. (scikit-image's defaults, a flat 7x7 window and the sample
    covariance, give about 0.005 less.)

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From
    Error Visibility to Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004.

    Raises:
        UsageError: the pictures differ in shape or are not uint8 RGB.
    """
    check_alike(result, reference)
    return float(
        structural_similarity(
            reference,
            result,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def gt_mean_psnr(result: Image, reference: Image) -> float:
    """PSNR after the result's brightness was set to the reference's.

    The result is multiplied by the ratio of the two mean grey values (BT.601) and clipped, not
    rounded: what KinD (Zhang et al., ACM MM 2019) and LLFlow (Wang et al., AAAI 2022) report as
    their PSNR. It forgives a wrong exposure by knowing the right one, so it stands in a column of
    its own. A black result stays black.

    Raises:
        UsageError: the pictures differ in shape or are not uint8 RGB.
    """
    check_alike(result, reference)
    mean = weighted_mean(result, GREY_BT601)
    ratio = weighted_mean(reference, GREY_BT601) / mean if mean else 1.0
    return _psnr(np.minimum(result * ratio, 255), reference)


def _psnr(values: NDArray[np.float64], reference: Image) -> float:
    error = float(np.mean(np.square(values - reference)))
    return 10 * math.log10(255**2 / error) if error else math.inf


def check_alike(result: Image, reference: Image) -> None:
    """Check that two pictures are uint8 RGB of one shape.

    Raises:
        UsageError: they are not.
    """
    check_picture(result)
    check_picture(reference)
    if result.shape != reference.shape:
        raise UsageError(
            f"a result of {result.shape[1]}x{result.shape[0]} cannot be compared with a"
            f" reference of {reference.shape[1]}x{reference.shape[0]}: the sizes must be equal"
        )


def luma(image: Image) -> float:
    """Mean luma (BT.709, of the coded values) in levels, 0 to 255."""
    check_picture(image)
    return weighted_mean(image, _LUMA_BT709)


def weighted_mean(image: Image, weights: NDArray[np.float64]) -> float:
    """Weighted sum of the mean R, G and B of a picture."""
    return float(image.mean(axis=(0, 1)) @ weights)
