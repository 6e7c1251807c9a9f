"""Samples of pictures in NumPy, where swscale is not exact enough: range, depth, chroma."""

from functools import lru_cache
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streamlight.sources.rgb import PLANE_CHANNELS, plane_rows

Samples = NDArray[Any]
"""One of Y, Cb, Cr, uint8 or uint16: (H, W), or less for subsampled chroma."""


def planes_of(frame: av.VideoFrame) -> list[Samples]:
    """View the planes of a planar frame, without the padding of their rows."""
    return [plane_rows(p, _dtype(frame.format))[:, : p.width] for p in frame.planes]


def frame_of_samples(samples: list[Samples], pixel_format: av.VideoFormat) -> av.VideoFrame:
    """Make a frame of Y, Cb, Cr, or of Y alone.

    Args:
        samples: with as many bits as the format has.
        pixel_format: planar, or with Cb and Cr by turns in the second plane (nv12, p010le).
    """
    height, width = samples[0].shape
    frame = av.VideoFrame(width, height, pixel_format.name)
    rows = [plane_rows(plane, _dtype(pixel_format)) for plane in frame.planes]
    is_high = pixel_format.name.startswith("p")  # p010le has its samples at the top of 16 bits
    shift = 16 - pixel_format.components[0].bits if is_high else 0
    for number, plane in enumerate(samples[: len(pixel_format.components)]):
        if number and len(rows) == 2:
            target = rows[1][:, number - 1 : 2 * plane.shape[1] : 2]
        else:
            target = rows[number][:, : plane.shape[1]]
        target[:] = plane << shift if shift else plane
    return frame


def frame_of_rgb(image: Samples, bits: int) -> av.VideoFrame:
    """Make a planar frame of RGB (H, W, 3) of uint16 that holds 9 to 14 bits."""
    frame = av.VideoFrame(image.shape[1], image.shape[0], f"gbrp{bits}le")
    for plane, channel in zip(frame.planes, PLANE_CHANNELS, strict=True):
        plane_rows(plane, np.dtype(np.uint16))[:, : frame.width] = image[..., channel]
    return frame


def pick_chroma(chroma: Samples, location: str, halves_rows: bool, bits: int) -> Samples:
    """Take chroma of every pixel back to where it was interpolated from.

    It undoes linear interpolation exactly, rounding aside. Where a sample lies on a pixel, it is
    that pixel. Where it lies in the middle of two, those two have 3/4 of it and 1/4 of the next
    one; weights of -1, 3, 3, -1 quarters for four pixels leave just it.

    Args:
        chroma: of every pixel, (H, W).
        location: where the samples lie: "left", "center" or "topleft" (ITU-T H.273, figure 1).
        halves_rows: 4:2:0, not 4:2:2.
        bits: of a sample.
    """
    chroma = _pick(chroma.T, bits).T if location == "center" else chroma[:, ::2]
    if halves_rows:
        chroma = chroma[::2] if location == "topleft" else _pick(chroma, bits)
    return chroma


def _pick(chroma: Samples, bits: int) -> Samples:
    wide: Any = np.int16 if bits <= 12 else np.int32
    rows: Samples = np.pad(chroma, ((1, 1 + len(chroma) % 2), (0, 0)), mode="edge").astype(wide)
    picked: Samples = rows[1:-2:2] + rows[2:-1:2]
    picked *= 3
    picked -= rows[0:-3:2]
    picked -= rows[3::2]
    picked += 2
    picked >>= 2
    return picked.clip(0, 2**bits - 1).astype(chroma.dtype)


@lru_cache(maxsize=8)
def full_range_table(bits: int, is_chroma: bool) -> Samples:
    """Map 16 bits of limited range to `bits` of full range (H.273, equations 20 to 25)."""
    samples = np.arange(65536) / 256
    peak = 2**bits - 1
    if is_chroma:
        full = (samples - 128) / 224 * peak + 2 ** (bits - 1)
    else:
        full = (samples - 16) / 219 * peak
    return _integers(np.rint(full).clip(0, peak), bits)


@lru_cache(maxsize=4)
def depth_table(bits: int, new_bits: int) -> Samples:
    """Map full scale of some bits to full scale of others."""
    peak = 2**bits - 1
    return _integers(np.rint(np.arange(peak + 1) * ((2**new_bits - 1) / peak)), new_bits)


def _integers(values: NDArray[np.float64], bits: int) -> Samples:
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def _dtype(pixel_format: av.VideoFormat) -> "np.dtype[Any]":
    return np.dtype(np.uint8 if pixel_format.components[0].bits == 8 else np.uint16)
