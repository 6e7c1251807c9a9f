"""How pictures and feature maps lie in the device's memory."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LANES = 16
"""Pictures have so many channels as their pixels have, rounded up to this: a tensor core takes
no fewer, and 32 bytes a pixel let the copy engine (TMA) read whole rows. The others are 0."""


def padded_channels(unshuffle: int) -> int:
    """Channels of an unshuffled picture in memory."""
    colors = 3 * unshuffle**2
    return -(-colors // LANES) * LANES


def size_of_map(height: int, width: int, unshuffle: int) -> tuple[int, int, int]:
    """Shape (h, w, C) of the map that holds a picture (height, width, 3)."""
    return height // unshuffle, width // unshuffle, padded_channels(unshuffle)


def as_nchw(map_: "Tensor") -> "Tensor":
    """View (h, w, C) as (1, C, h, w) in channels_last."""
    return map_.permute(2, 0, 1)[None]


def as_map(x: "Tensor") -> "Tensor":
    """View (1, C, h, w) in channels_last as (h, w, C)."""
    return x[0].permute(1, 2, 0)
