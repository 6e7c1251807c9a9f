"""DeHZ: a dark picture, inverted, looks hazy. Take the haze away and invert again.

Sources:
- X. Dong, G. Wang, Y. Pang, W. Li, J. Wen, W. Meng, Y. Lu, "Fast Efficient Algorithm for
  Enhancement of Low Lighting Video", IEEE ICME 2011.
- K. He, J. Sun, X. Tang, "Single Image Haze Removal Using Dark Channel Prior", CVPR 2009,
  for the model of haze that it uses.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamlight.evaluation.baselines.pixels import to_bytes, to_unit
from streamlight.frame import Image

AIRLIGHT_CANDIDATES = 100


def dehz(image: Image, omega: float = 0.8, block: int = 1) -> Image:
    """Invert, remove the haze, invert.

    Args:
        image: uint8 RGB (H, W, 3).
        omega: how much of the haze goes.
        block: side of the neighbourhood whose minimum is the dark channel. The paper has such a
            block; 1, each pixel by itself, is what public implementations do. It flattens bright
            tones, a block leaves dark rims along edges.
    """
    hazy = 1 - to_unit(image)
    airlight = _airlight(hazy)
    dark = (hazy / airlight).min(axis=2)
    if block > 1:
        dark = cv2.erode(dark, np.ones((block, block), np.uint8))
    transmission = 1 - omega * np.minimum(dark, 1)
    # P(x) = 2 t(x) where t < 0.5: the darkest parts get more
    transmission = np.where(transmission < 0.5, 2 * transmission**2, transmission)[:, :, None]
    return to_bytes(1 - ((hazy - airlight) / transmission + airlight))


def _airlight(hazy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Color of the haze: of the 100 pixels with the highest minimum, the one of highest sum."""
    pixels = hazy.reshape(-1, 3)
    count = min(AIRLIGHT_CANDIDATES, len(pixels))
    candidates = pixels[np.argpartition(pixels.min(axis=1), -count)[-count:]]
    brightest = candidates[candidates.sum(axis=1).argmax()]
    return np.asarray(np.maximum(brightest, 1 / 255), np.float32)
