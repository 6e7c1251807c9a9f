"""How good a result is: still pictures against a reference, or by themselves, and steadiness.

Pictures are uint8 RGB (H, W, 3); brightness and its changes are in levels of 0 to 255.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from streamlight.errors import UsageError
from streamlight.evaluation.baselines.pixels import check_picture
from streamlight.frame import Image

_LUMA_BT709 = np.array([0.2126, 0.7152, 0.0722])
_GREY_BT601 = np.array([0.299, 0.587, 0.114])

# --- against a reference ----------------------------------------------------------------------


def psnr(result: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB over all three channels, as scikit-image defines it.

    Infinite for equal pictures.

    Raises:
        UsageError: the pictures differ in shape or are not uint8 RGB.
    """
    _check_alike(result, reference)
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
    _check_alike(result, reference)
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
    _check_alike(result, reference)
    mean = _mean_of(result, _GREY_BT601)
    ratio = _mean_of(reference, _GREY_BT601) / mean if mean else 1.0
    return _psnr(np.minimum(result * ratio, 255), reference)


def _psnr(values: NDArray[np.float64], reference: Image) -> float:
    error = float(np.mean(np.square(values - reference)))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _check_alike(result: Image, reference: Image) -> None:
    check_picture(result)
    check_picture(reference)
    if result.shape != reference.shape:
        raise UsageError(
            f"a result of {result.shape[1]}x{result.shape[0]} cannot be compared with a"
            f" reference of {reference.shape[1]}x{reference.shape[0]}: the sizes must be equal"
        )


# --- without a reference: NIQE ----------------------------------------------------------------

NIQE_PATCH = 96
NIQE_SHARPNESS = 0.75

_ALPHAS = np.arange(0.2, 10.001, 0.001)
_LOG_GAMMA = {k: np.array([math.lgamma(k / alpha) for alpha in _ALPHAS]) for k in (1, 2, 3)}
_MOMENT_RATIOS = np.exp(2 * _LOG_GAMMA[2] - _LOG_GAMMA[1] - _LOG_GAMMA[3])
"""E[|x|]^2 / E[x^2] of a generalised Gaussian of each shape alpha; it rises with alpha."""


def niqe(image: Image) -> float:
    """Unnaturalness of a picture by its local statistics; less is better. A guard, not a goal.

    The features and the distance are those of A. Mittal, R. Soundararajan, A. C. Bovik, "Making a
    'Completely Blind' Image Quality Analyzer", IEEE Signal Processing Letters 20(3), 2013. The
    model of pristine pictures is our own (`niqe_pristine.npz`, see `fit_niqe`), as the authors'
    is in no package that can be installed. So the values order results, but do not compare with
    published ones.

    Raises:
        UsageError: the picture is less than two patches of 96 pixels in height or width.
    """
    features, _ = _niqe_features(image)
    features = features[np.isfinite(features).all(axis=1)]
    if len(features) < 2:  # nothing but flat patches
        return math.inf
    mean, covariance = _pristine()
    apart = features.mean(axis=0) - mean
    spread = (np.cov(features, rowvar=False) + covariance) / 2
    return float(np.sqrt(apart @ np.linalg.pinv(spread) @ apart))


def fit_niqe(pictures: Iterable[Image]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Fit the model of pristine pictures: a Gaussian over the features of their sharp patches.

    `niqe_pristine.npz` holds what this gave for 106 CC0 and public-domain photographs (660
    patches): the project's training pictures of licence class "pd", without the two sets of
    plain phone shots ("clothing-dataset-small", "public-domain-recipes").

    Args:
        pictures: well exposed and sharp, uint8 RGB (H, W, 3).

    Returns:
        Mean (36,), covariance (36, 36), and how many patches they are of.
    """
    chosen = []
    for picture in pictures:
        features, sharpness = _niqe_features(picture)
        sharp = sharpness > NIQE_SHARPNESS * sharpness.max()
        chosen.append(features[sharp & np.isfinite(features).all(axis=1)])
    patches = np.concatenate(chosen)
    return patches.mean(axis=0), np.cov(patches, rowvar=False), len(patches)


@lru_cache(maxsize=1)
def _pristine() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with (files("streamlight.evaluation") / "niqe_pristine.npz").open("rb") as stream:
        model = np.load(stream)
        return model["mean"], model["covariance"]


def _niqe_features(image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (N, 36) and sharpness (N,) of the patches; features of flat ones are not finite."""
    check_picture(image)
    height, width = (side // NIQE_PATCH for side in image.shape[:2])
    if min(height, width) < 2:
        raise UsageError(
            f"NIQE of a picture of {image.shape[1]}x{image.shape[0]}:"
            f" height and width must be at least {2 * NIQE_PATCH}"
        )
    grey = np.rint(image[: height * NIQE_PATCH, : width * NIQE_PATCH] @ _GREY_BT601)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    full_scale, deviation = _normalised(grey, NIQE_PATCH)
    half_scale, _ = _normalised(np.asarray(half), NIQE_PATCH // 2)
    features = np.hstack([_patch_features(full_scale), _patch_features(half_scale)])
    return features, deviation.mean(axis=(1, 2))


def _normalised(
    grey: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Subtract the local mean, divide by the local deviation (eq. 1); both as (N, side, side)."""

    def local(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE))

    def patches(values: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = values.shape[0] // side, values.shape[1] // side
        grid = values.reshape(rows, side, columns, side).swapaxes(1, 2)
        return grid.reshape(-1, side, side)

    mean = local(grey)
    deviation = np.sqrt(np.abs(local(grey**2) - mean**2))
    return patches((grey - mean) / (deviation + 1)), patches(deviation)


def _patch_features(patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 18 features of one scale: (N, side, side) -> (N, 18)."""
    alpha, left, right, _ = _asymmetric_gaussian(patches)
    columns = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        products = patches * np.roll(patches, shift, axis=(1, 2))
        alpha, left, right, mean = _asymmetric_gaussian(products)
        columns += [alpha, mean, left, right]
    return np.stack(columns, axis=1)


def _asymmetric_gaussian(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Fit by moments: shape, left and right scale, mean (eq. 4 to 8); each (N,).

    Source: N.-E. Lasmar, Y. Stitou, Y. Berthoumieu, "Multiscale skewed heavy tailed model for
    texture analysis", ICIP 2009.
    """
    values = values.reshape(len(values), -1)
    negative = values < 0
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = values**2
        left = np.sqrt((squares * negative).sum(axis=1) / negative.sum(axis=1))
        right = np.sqrt((squares * ~negative).sum(axis=1) / (~negative).sum(axis=1))
        skew = left / right
        ratio = np.abs(values).mean(axis=1) ** 2 / squares.mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    index = np.searchsorted(_MOMENT_RATIOS, np.nan_to_num(ratio)).clip(0, len(_ALPHAS) - 1)
    to_scale = np.exp((_LOG_GAMMA[1][index] - _LOG_GAMMA[3][index]) / 2)
    left, right = left * to_scale, right * to_scale
    mean = (right - left) * np.exp(_LOG_GAMMA[2][index] - _LOG_GAMMA[1][index])
    alpha = np.where(np.isfinite(ratio), _ALPHAS[index], np.nan)
    return alpha, left, right, mean


# --- steadiness of clips ----------------------------------------------------------------------


def luma(image: Image) -> float:
    """Mean luma (BT.709, of the coded values) in levels, 0 to 255."""
    check_picture(image)
    return _mean_of(image, _LUMA_BT709)


def flicker_rms(output_luma: Sequence[float], reference_luma: Sequence[float]) -> float:
    """RMS over time of the part of the brightness that the reference does not explain, in levels.

    Both sequences (`luma` of each frame) lose their mean; then the reference's, scaled by the
    factor >= 0 that explains most (least squares), is taken from the output's. For a steady
    reference this is the standard deviation over time.
    """
    output = np.asarray(output_luma, np.float64)
    reference = np.asarray(reference_luma, np.float64)
    if output.shape != reference.shape or output.ndim != 1 or not output.size:
        raise UsageError(
            f"brightness of {output.size} frames and of {reference.size} reference frames:"
            " there must be one for each, and at least one"
        )
    output, reference = output - output.mean(), reference - reference.mean()
    power = reference @ reference
    factor = max(0.0, float(output @ reference / power)) if power else 0.0
    return float(np.sqrt(np.mean((output - factor * reference) ** 2)))


def pixel_deviation(frames: Iterable[Image]) -> float:
    """Noise that is left in a static scene: standard deviation over time, mean of all pixels.

    In levels, over the three channels. Frames are looked at one after the other.
    """
    count = 0
    mean: NDArray[Any] = np.zeros(1)
    squares: NDArray[Any] = np.zeros(1)
    for count, frame in enumerate(frames, start=1):  # Welford's method: no cancellation
        check_picture(frame)
        change = frame - mean
        mean = mean + change / count
        squares = squares + change * (frame - mean)
    if not count:
        raise UsageError("pixel_deviation: no frames")
    return float(np.sqrt(squares / count).mean())


def warping_error(frames: Iterable[Image], clean_frames: Iterable[Image]) -> float:
    """How much frames differ from the frame before, moved along the motion: RMS in levels.

    The motion is taken from the clean reference clip, so that it is the same for every method
    (OpenCV's DIS flow, medium preset). Pixels that were hidden or outside in the frame before do
    not count: those whose flow there and back does not come home, |w + w'|^2 > 0.01 (|w|^2 +
    |w'|^2) + 0.5.

    Sources: W.-S. Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, section 4.2
    (their E_warp is the mean square of values in [0, 1]); N. Bonneel et al., "Blind Video Temporal
    Consistency", SIGGRAPH Asia 2015; M. Ruder et al., "Artistic Style Transfer for Videos", GCPR
    2016, for the test of occlusion.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    error, count = 0.0, 0
    for (before, clean_before), (now, clean_now) in pairwise(
        zip(frames, clean_frames, strict=True)
    ):
        _check_alike(now, clean_now)
        grey_before, grey_now = (
            cv2.cvtColor(np.ascontiguousarray(clean), cv2.COLOR_RGB2GRAY)
            for clean in (clean_before, clean_now)
        )
        backward = flow.calc(grey_now, grey_before, None)
        forward = flow.calc(grey_before, grey_now, None)
        visible = _visible(backward, forward)
        difference = now.astype(np.float32) - _warped(before.astype(np.float32), backward)
        error += float(np.square(difference[visible], dtype=np.float64).sum())
        count += 3 * int(visible.sum())
    return math.sqrt(error / count) if count else math.nan


def _warped(values: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fetch for each pixel the value that lies where `flow` (H, W, 2), x and y, points."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return np.asarray(
        cv2.remap(
            values,
            columns + flow[:, :, 0],
            rows + flow[:, :, 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def _visible(backward: NDArray[np.float32], forward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels whose way back and forth ends where it began, and within the picture."""
    returned = _warped(forward, backward)
    gap = np.square(backward + returned).sum(axis=2)
    length = np.square(backward).sum(axis=2) + np.square(returned).sum(axis=2)
    height, width = gap.shape
    rows, columns = np.indices(gap.shape, np.float32)
    x, y = columns + backward[:, :, 0], rows + backward[:, :, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.asarray(inside & (gap <= 0.01 * length + 0.5))


def settling_time_s(
    brightness: Sequence[float],
    times_s: Sequence[float],
    step_time_s: float,
    fraction: float = 0.9,
    tolerance: float = 0.5,
) -> float:
    """Time after a step of the light until the brightness has settled and stays so.

    The end value is the mean of the last tenth of the frames. The brightness has settled when
    what is left of the way, from the most distant value since the step or just before it, is
    less than `1 - fraction` of that distance. A result that follows at once has 0.

    Args:
        brightness: `luma` of each frame.
        times_s: when each frame is shown, ascending.
        step_time_s: when the first frame after the step is shown.
        fraction: of the way that must be done.
        tolerance: in levels; less than this is noise and counts as settled.

    Raises:
        UsageError: there is no frame before the step or none from it on.
    """
    values, times = np.asarray(brightness, np.float64), np.asarray(times_s, np.float64)
    after = times >= step_time_s
    if values.shape != times.shape or not after.any() or after.all():
        raise UsageError(
            f"a step at {step_time_s:g} s in {times.size} frames of {values.size} values:"
            " it must lie within the clip"
        )
    end = values[-max(1, len(values) // 10) :].mean()
    distance = np.abs(values - end)
    amplitude = max(distance[~after][-1], distance[after].max())
    moving = after & (distance > max((1 - fraction) * amplitude, tolerance))
    if not moving.any():
        return 0.0
    settled = int(np.flatnonzero(moving)[-1]) + 1
    return float(times[min(settled, len(times) - 1)] - step_time_s)


def cut_error(
    frames: Iterable[Image], unsmoothed: Iterable[Image], cut: int, count: int = 3
) -> float:
    """What smoothing over time leaves of the old scene after a cut, in levels.

    Args:
        frames: the smoothed result.
        unsmoothed: the result with each frame by itself.
        cut: index of the first frame of the new scene.
        count: how many frames from the cut on are looked at.

    Returns:
        Mean absolute difference of the two, over these frames.

    Raises:
        UsageError: the clips end before the cut.
    """
    errors = []
    for index, (smoothed, plain) in enumerate(zip(frames, unsmoothed, strict=False)):
        if index >= cut + count:
            break
        if index >= cut:
            _check_alike(smoothed, plain)
            errors.append(float(cv2.absdiff(smoothed, plain).mean()))
    if not errors:
        raise UsageError(f"a cut at frame {cut}: the clips end before it")
    return float(np.mean(errors))


def _mean_of(image: Image, weights: NDArray[np.float64]) -> float:
    return float(image.mean(axis=(0, 1)) @ weights)
