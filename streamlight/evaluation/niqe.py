"""NIQE: how unnatural a picture is by its local statistics, without a reference."""

import math
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.evaluation.baselines.pixels import check_picture
from streamlight.evaluation.metrics import GREY_BT601
from streamlight.frame import Image

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
    grey = np.rint(image[: height * NIQE_PATCH, : width * NIQE_PATCH] @ GREY_BT601)
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
