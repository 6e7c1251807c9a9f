"""MSRCR: multiscale retinex with colour restoration.

Sources:
- D. J. Jobson, Z. Rahman, G. A. Woodell, "A Multiscale Retinex for Bridging the Gap Between Color
  Images and the Human Observation of Scenes", IEEE Transactions on Image Processing 6(7), 1997.
- A. B. Petro, C. Sbert, J.-M. Morel, "Multiscale Retinex", Image Processing On Line 4, 2014,
  for the last step. The gain and the offset that the first paper prints (192 and -30) do not map
  its result to 0..255; the second one takes both from the picture, and so does this module.

The GLADNet paper finds its results whitish.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamlight.evaluation.baselines.pixels import check_picture, to_bytes
from streamlight.frame import Image

SCALES = (15, 80, 250)
"""Standard deviations of the surrounds in pixels, equally weighted."""

COLOR_ALPHA = 125.0
COLOR_BETA = 46.0


def msrcr(image: Image, clipped: float = 0.01) -> Image:
    """Subtract the logarithm of the surround, restore the colour, stretch each channel.

    Args:
        image: uint8 RGB (H, W, 3).
        clipped: fraction of a channel's pixels that the stretch puts to 0, and to 255.
    """
    check_picture(image)
    values = image.astype(np.float32) + 1  # a logarithm needs positive values
    logs = np.log(values)
    retinex = sum(logs - np.log(_surround(values, scale)) for scale in SCALES) / len(SCALES)
    # the channel's share of the pixel's sum brings back the colour that the retinex took
    color = COLOR_BETA * (np.log(COLOR_ALPHA) + logs - np.log(values.sum(axis=2, keepdims=True)))
    return to_bytes(_stretch(color * retinex, clipped))


def _surround(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), scale))


def _stretch(values: NDArray[np.float32], clipped: float) -> NDArray[np.float32]:
    """Gain and offset of each channel ("simplest color balance" of Petro et al.)."""
    low, high = np.quantile(values, (clipped, 1 - clipped), axis=(0, 1))
    width = high - low
    # a flat channel has nothing to stretch: the middle
    return np.where(width > 1e-3, (values - low) / np.maximum(width, 1e-3), 0.5).astype(np.float32)
