"""Which row (column) of the prior belongs to each row (column) of a picture, or of a part of one.

The detail network resizes the prior (96x96), or a finer grid made of it, to the picture by nearest
neighbour. A tile is a part of a picture, and its pixels take what they take in the whole: its index
is that of the whole picture, cut out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamlight.models.spec import AFFINE_EDGE, AFFINE_SCALE, PRIOR_SIZE, ModelSpec


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tile lies in its frame; all in pixels, and multiples of the model's `unshuffle`.

    Attributes:
        height: of the whole frame.
        width: of the whole frame.
        top: first row of the tile.
        left: first column of the tile.
    """

    height: int
    width: int
    top: int
    left: int


def prior_indices(
    place: Place, height: int, width: int, model: ModelSpec, is_compact: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns to gather for a tile, one for each row and column that the network sees.

    Args:
        place: of the tile.
        height: of the tile, in pixels; a multiple of the model's `unshuffle`.
        width: likewise.
        model: that runs.
        is_compact: index the grid of the compact form.

    Returns:
        Indices (height / unshuffle,) and (width / unshuffle,).
    """
    usual = affine_index if model.is_affine else nearest_index
    index = phase_index if is_compact else usual
    unshuffle = model.unshuffle
    rows = index(place.height // unshuffle)[place.top // unshuffle :][: height // unshuffle]
    columns = index(place.width // unshuffle)[place.left // unshuffle :][: width // unshuffle]
    return rows, columns


def nearest_index(size: int, source: int = PRIOR_SIZE) -> NDArray[np.int64]:
    """Index floor(i * source / size), as `streamlight.models.gladnet.nearest_index`."""
    return np.arange(size, dtype=np.int64) * source // size


def affine_index(size: int) -> NDArray[np.int64]:
    """Index into the grid of the affine form, as `streamlight.models.gladnet.affine_index`."""
    first = AFFINE_EDGE * AFFINE_SCALE + AFFINE_SCALE // 2
    last = AFFINE_SCALE * PRIOR_SIZE - 1 - first
    return nearest_index(size, AFFINE_SCALE * PRIOR_SIZE).clip(first, last)


def phase_index(size: int) -> NDArray[np.int64]:
    """Index into the 288 rows of the compact form, as `streamlight.models.gladnet.phase_index`."""
    cell = nearest_index(size)
    is_edge = cell[1:] != cell[:-1]
    is_first, is_last = np.append(True, is_edge), np.append(is_edge, True)
    return np.asarray(cell * 3 + 1 - is_first + is_last, np.int64)
