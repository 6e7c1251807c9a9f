"""Bringing what was done to a small picture up to the full one, with its detail kept.

The small picture and its result say by how much each place was brightened. That gain is smooth,
so it is averaged, interpolated and applied to the full picture: edges and grain come from the
full picture, and not from a blown-up small one. It is the idea of bilateral guided upsampling
(J. Chen et al., SIGGRAPH Asia 2016) with a gain in place of the affine model, which was measured
to be as good here, and takes half the work (docs/live-sinks.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamlight.frame import Image

Gain = NDArray[np.float32]
"""Factors (h, w, 3), one for each block of `COARSER` x `COARSER` pixels of a small picture."""

COARSER = 2

_FLOOR = 8 / 255
"""Added before and taken off after the gain, as a fraction of white, so that black has one too."""


def shrink(image: Image, factor: int) -> Image:
    """Average blocks of factor x factor pixels; the last ones are filled up from the edge.

    Returns:
        A picture (ceil(H / factor), ceil(W / factor), 3) of the same dtype; integers are rounded.
    """
    if factor == 1:
        return image
    bottom, right = -image.shape[0] % factor, -image.shape[1] % factor
    if bottom or right:
        image = np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="edge")
    height, width = image.shape[0] // factor, image.shape[1] // factor
    rows = np.ascontiguousarray(image).reshape(height, factor, width * factor * 3)
    is_float = image.dtype == np.float32
    # 16 bits hold 257 rows of 8 bits
    wide: Any = np.float32 if is_float else np.uint16 if image.dtype == np.uint8 else np.uint32
    columns = rows[:, 0].astype(wide)
    for row in range(1, factor):
        columns += rows[:, row]
    blocks = columns.reshape(height, width, factor * 3)
    small: NDArray[Any] = np.empty((height, width, 3), np.float32)
    for channel in range(3):  # one at a time: loops over three numbers are slow in NumPy
        total = blocks[..., channel].astype(np.float32)
        for column in range(1, factor):
            total += blocks[..., 3 * column + channel]
        small[..., channel] = total
    small *= np.float32(1 / factor**2)
    return small if is_float else np.rint(small, out=small).astype(image.dtype)


def gain_of(before: Image, after: Image) -> Gain:
    """Compute by how much a picture was brightened, averaged over 6x6 pixels.

    Args:
        before: RGB (h, w, 3).
        after: the same picture brightened, of the same shape and dtype.

    Returns:
        Factors (ceil(h / 2), ceil(w / 2), 3).
    """
    floor = np.float32(_FLOOR * _peak(before.dtype))
    gain = _average(shrink(after, COARSER)) + floor
    gain /= _average(shrink(before, COARSER)) + floor
    return gain


def apply_gain(image: Image, gain: Gain, factor: int) -> Image:
    """Brighten a picture by the gain of a picture that `shrink` made of it.

    The gain is interpolated bilinearly between the centres of its blocks.

    Args:
        image: RGB (H, W, 3).
        gain: of `gain_of`.
        factor: as it was given to `shrink`.

    Returns:
        A new picture of the image's shape and dtype.
    """
    height, width = image.shape[:2]
    peak = np.float32(_peak(image.dtype))
    floor = np.float32(_FLOOR * peak)
    half = np.float32(0 if image.dtype == np.float32 else 0.5)  # rounds where the cast cuts off
    left, share = _neighbours(width, factor * COARSER, gain.shape[1])
    step = np.diff(gain, axis=1, append=gain[:, -1:])[:, left]
    wide = (gain[:, left] + step * share[:, None]).reshape(len(gain), width * 3)
    step = np.diff(wide, axis=0, append=wide[-1:])
    above, share = _neighbours(height, factor * COARSER, gain.shape[0])
    starts = np.flatnonzero(np.diff(above, prepend=-1))
    ends = np.append(starts[1:], height)

    pixels = np.ascontiguousarray(image).reshape(height, width * 3)
    result = np.empty_like(pixels)
    # The few rows between two rows of the gain at a time: they fit into the processor's cache.
    strips = np.empty((int((ends - starts).max()), width * 3), np.float32)
    for row, start, end in zip(above[starts], starts, ends, strict=True):
        strip = strips[: end - start]
        np.multiply(share[start:end, None], step[row], out=strip)
        strip += wide[row]
        strip *= pixels[start:end] + floor
        strip -= floor - half
        np.clip(strip, 0, peak, out=strip)
        result[start:end] = strip
    return result.reshape(image.shape)


def _peak(dtype: "np.dtype[Any]") -> float:
    return 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)


def _neighbours(size: int, block: int, blocks: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Find the block whose centre lies before each pixel, and how near the next one is: [0, 1)."""
    place = np.clip((np.arange(size) + 0.5) / block - 0.5, 0, blocks - 1)
    first = place.astype(np.intp)
    return first, (place - first).astype(np.float32)


def _average(picture: Image) -> NDArray[np.float32]:
    """Average over 3x3 pixels; the edge is repeated."""
    average = picture.astype(np.float32)
    padded = np.pad(average, ((1, 1), (0, 0), (0, 0)), mode="edge")
    average += padded[:-2]
    average += padded[2:]
    padded = np.pad(average, ((0, 0), (1, 1), (0, 0)), mode="edge")
    average += padded[:, :-2]
    average += padded[:, 2:]
    average *= np.float32(1 / 9)
    return average
