"""From 8-bit pictures to numbers in [0, 1], and back."""

import numpy as np
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Image


def check_picture(image: Image) -> None:
    """Make sure that this is uint8 RGB (H, W, 3).

    Raises:
        UsageError: it is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise UsageError(
            f"a picture of {image.dtype} and shape {image.shape}: expected uint8 RGB (H, W, 3)"
        )


def to_unit(image: Image) -> NDArray[np.float32]:
    """Scale 0..255 to 0..1.

    Raises:
        UsageError: not uint8 RGB (H, W, 3).
    """
    check_picture(image)
    return image.astype(np.float32) / np.float32(255)


def to_bytes(values: NDArray[np.floating]) -> Image:
    """Scale 0..1 to 0..255, clipped and rounded."""
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
