"""The two simplest methods: one power curve for all pictures, or one for each."""

import numpy as np

from streamlight.evaluation.baselines.pixels import check_picture, to_bytes
from streamlight.frame import Image


def gamma(image: Image, exponent: float = 1 / 2.2) -> Image:
    """Raise every value in [0, 1] to the same power.

    Args:
        image: uint8 RGB (H, W, 3).
        exponent: less than 1 brightens.
    """
    check_picture(image)
    curve = to_bytes(np.linspace(0, 1, 256) ** exponent)
    return np.asarray(curve[image])


def automatic_gamma(image: Image, target: float = 0.5) -> Image:
    """Choose the power that takes the picture's mean to the middle: log(target) / log(mean).

    The mean of the result is less than `target` for pictures of uneven light, as the mean of a
    power is not the power of the mean.

    Args:
        image: uint8 RGB (H, W, 3).
        target: where the input's mean goes, in (0, 1).
    """
    check_picture(image)
    # a black or white picture has no such power: it comes out as it is
    mean = np.clip(image.mean() / 255, 1 / 255, 254 / 255)
    return gamma(image, float(np.log(target) / np.log(mean)))
