"""The 96x96 view of the whole frame that the global illumination network sees."""

import numpy as np
from numpy.typing import NDArray

from streamlight.frame import Image
from streamlight.models.spec import PRIOR_SIZE


def nearest_indices(size: int) -> NDArray[np.intp]:
    """Rows (columns) of a picture of `size` that the view takes: floor(i * size / 96)."""
    return np.arange(PRIOR_SIZE) * size // PRIOR_SIZE


def sample_nearest(image: Image) -> NDArray[np.float32]:
    """Take the view as the paper does, by nearest neighbour.

    It is taken here and not in the networks' graphs, because runtimes disagree about the
    rounding of the index, which moves the result by up to 80 levels (docs/architecture.md).

    Args:
        image: RGB (H, W, 3), uint8, uint16, or float32 in [0, 1].

    Returns:
        RGB (1, 3, 96, 96) in [0, 1].
    """
    height, width = image.shape[:2]
    view = image[nearest_indices(height)[:, None], nearest_indices(width)]
    scale = np.float32(1 if image.dtype == np.float32 else 1 / np.iinfo(image.dtype).max)
    return np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32) * scale
