"""Contrast limited adaptive histogram equalisation, OpenCV's.

Source: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV,
1994, pages 474-485.
"""

import cv2
import numpy as np

from streamlight.evaluation.baselines.pixels import check_picture
from streamlight.frame import Image


def clahe(image: Image, clip_limit: float = 2.0, tiles: int = 8) -> Image:
    """Equalise the lightness L* of CIELAB; the colours a* and b* stay.

    Args:
        image: uint8 RGB (H, W, 3).
        clip_limit: highest bin of a tile's histogram, in units of its mean bin.
        tiles: per side.
    """
    check_picture(image)
    lab = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2LAB)
    equaliser = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles))
    lab[:, :, 0] = equaliser.apply(np.ascontiguousarray(lab[:, :, 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
