"""The 96x96 view of the whole frame that the global illumination network sees."""

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.models.spec import PRIOR_SIZE

View = NDArray[np.float32]
"""RGB (1, 3, 96, 96) in [0, 1]."""


class Viewable(Protocol):
    """A picture that lies on a device: single pixels of it can be had."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array: (H, W, 3)."""
        ...

    def pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return RGB (len(rows), len(columns), 3) in [0, 1] on the host."""
        ...


Sampling = Literal["many", "nearest", "area"]
SAMPLING = ("many", "nearest", "area")
DEFAULT_SAMPLING: Sampling = "many"
"""The mean of what several views by nearest neighbour give, of one frame or over time, which
`Enhancer` takes; docs/temporal.md compares the three."""


def sample(image: Image | Viewable, sampling: Sampling = DEFAULT_SAMPLING) -> NDArray[np.float32]:
    """Take the view of a picture; of "many", the first.

    "nearest" is the paper's way, and the shipped weights were trained with it. "area" averages
    the pixels of each cell.

    Raises:
        UsageError: there is no such sampling, or it is "area" of a picture on a device.
    """
    if sampling not in SAMPLING:
        raise UsageError(f"--sampling {sampling}: choose one of {', '.join(SAMPLING)}")
    if sampling != "area":
        return sample_nearest(image)
    if not isinstance(image, np.ndarray):
        raise UsageError("--sampling area: averages all pixels, which stay on the device")
    return sample_area(image)


PHASE_STEPS = 16
"""Parts of a cell by which a phase can move the view."""

PHASES = tuple(
    (row + 8 * (turn & 1), column + 8 * (turn >> 1 & 1))
    for row, column in ((0, 0), (4, 4), (4, 0), (0, 4))
    for turn in (0, 3, 1, 2)
)
"""Sixteen places within a cell where nearest neighbour can look, the most distant ones first; the
first is the paper's. Each gives a view as the networks were trained on, with other noise."""

FEW_PHASES = PHASES[:4]
"""For frames of a video that are taken by themselves: near the mean of all, at a quarter of it."""


def nearest_indices(size: int, phase: int = 0) -> NDArray[np.intp]:
    """Rows (columns) of a picture that the view takes: floor((i + phase/16) * size / 96)."""
    steps = np.arange(PRIOR_SIZE) * PHASE_STEPS + phase
    return steps * size // (PRIOR_SIZE * PHASE_STEPS)


def sample_nearest(image: Image | Viewable, phase: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
    """Take the view as the paper does, by nearest neighbour.

    It is taken here and not in the networks' graphs, because runtimes disagree about the
    rounding of the index, which moves the result by up to 80 levels (docs/architecture.md).

    Args:
        image: RGB (H, W, 3), uint8, uint16, or float32 in [0, 1]; or one on a device.
        phase: where in its cell each pixel is taken, in sixteenths from the top and the left;
            (0, 0) is the paper's way.

    Returns:
        RGB (1, 3, 96, 96) in [0, 1].
    """
    height, width = image.shape[:2]
    rows, columns = nearest_indices(height, phase[0]), nearest_indices(width, phase[1])
    if not isinstance(image, np.ndarray):
        return _normalised(image.pixels(rows, columns), np.dtype(np.float32))
    return _normalised(image[rows[:, None], columns], image.dtype)


LIGHT_SIZE = 24
"""Rows and columns of the map that the light of frames is compared by: blocks of 4x4 cells."""

_SIDE = 2 * PRIOR_SIZE
_BLOCK = _SIDE // LIGHT_SIZE

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G, B in luma (ITU-R BT.709)."""


def sample_light(image: Image | Viewable) -> NDArray[np.float32]:
    """Take the light of a picture, to compare frames by.

    It looks at 192x192 pixels, so it costs little at any size.

    Args:
        image: RGB (H, W, 3), uint8, uint16, or float32 in [0, 1]; or one on a device.

    Returns:
        Mean luma (24, 24) in [0, 1] of blocks, of 64 pixels each.
    """
    height, width = image.shape[:2]
    rows, columns = (np.arange(_SIDE) * size // _SIDE for size in (height, width))
    pixels: NDArray[Any]
    if isinstance(image, np.ndarray):
        values = (3 * columns[:, None] + np.arange(3)).ravel()
        pixels = image.reshape(height, 3 * width).take(rows, axis=0).take(values, axis=1)
    else:
        pixels = image.pixels(rows, columns)
    wide = np.float32 if pixels.dtype == np.float32 else np.uint32
    sums = pixels.reshape(LIGHT_SIZE, _BLOCK, -1).sum(axis=1, dtype=wide)
    peak = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    weights = np.tile(_LUMA / np.float32(peak * _BLOCK**2), _BLOCK)
    return np.asarray(sums.reshape(LIGHT_SIZE, LIGHT_SIZE, -1) @ weights, np.float32)


def sample_area(image: Image) -> NDArray[np.float32]:
    """Take the view by averaging: cell i is the mean of the pixels from floor(i * size / 96).

    Where a picture has fewer than 96 pixels a side, a cell is the one pixel that nearest
    neighbour takes. Arguments and result are those of `sample_nearest`.
    """
    wide = np.float64 if image.dtype == np.float32 else np.uint64
    view: NDArray[Any] = image
    for axis in (0, 1):
        starts = nearest_indices(image.shape[axis])
        view = np.add.reduceat(view, starts, axis=axis, dtype=wide)
    rows = np.maximum(np.diff(nearest_indices(height := image.shape[0]), append=height), 1)
    columns = np.maximum(np.diff(nearest_indices(width := image.shape[1]), append=width), 1)
    return _normalised(view / (rows[:, None, None] * columns[:, None]), image.dtype)


def _normalised(view: NDArray[Any], dtype: "np.dtype[Any]") -> NDArray[np.float32]:
    scale = np.float32(1 if dtype == np.float32 else 1 / np.iinfo(dtype).max)
    return np.ascontiguousarray(view.transpose(2, 0, 1)[None], np.float32) * scale
