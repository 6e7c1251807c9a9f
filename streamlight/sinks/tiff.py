"""TIFF files of 8 and 16 bits a channel, with all that was beside the pixels (TIFF 6.0)."""

import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import numpy as np

from streamlight.sources.exif import exif_fields
from streamlight.sources.ifd import (
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Field,
    Order,
    header,
    new_field,
    write_directory,
)
from streamlight.sources.picture_pixels import Pixels
from streamlight.sources.picture_tags import PictureTags, iptc_of

_STRIP_BYTES = 1 << 18
_UNCOMPRESSED, _DEFLATE = 1, 8
_DIFFERENCES = 2
_GREY, _RGB = 1, 2
_INCH, _NO_UNIT = 2, 1
_EFFORT = 3
"""zlib's level: three times as fast as its default, at 2 % more bytes (docs/pictures.md)."""
_OPACITY = 2


def write_tiff(file: IO[bytes], pixels: Pixels, tags: PictureTags, *, is_compressed: bool) -> None:
    """Write a picture in strips, deflated with differences of neighbours, or plain.

    It is in the byte order of its EXIF block, whose values are copied as they are.

    Args:
        file: to write to; must be seekable.
        pixels: (H, W, C), uint8 or uint16, of 1 to 4 channels.
        tags: what to write beside them.
        is_compressed: deflate it.

    Raises:
        ValueError: it does not fit into the 4 GiB of a TIFF file.
        OSError: the file cannot be written.
    """
    height, width, channels = pixels.shape
    described = exif_fields(tags.exif)
    order = described.order
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.dtype.itemsize))
    strips = [pixels[top : top + rows] for top in range(0, height, rows)]

    def coded(strip: Pixels) -> bytes:
        return _coded(strip, order, is_compressed)

    file.write(header(order))
    places: list[int] = []
    sizes: list[int] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "streamlight-tiff") as workers:
        at = 8
        for data in workers.map(coded, strips):
            places.append(at)
            sizes.append(len(data))
            file.write(data + bytes(len(data) % 2))
            at += len(data) + len(data) % 2
    try:
        fields = {
            **dict(_tag_fields(tags, order)),
            **dict(_layout(pixels, order, is_compressed)),
            273: new_field(order, LONG, *places),
            278: new_field(order, LONG, rows),
            279: new_field(order, LONG, *sizes),
        }
        file.write(write_directory(described.with_fields(fields), at))
        file.seek(0)
        file.write(header(order, at))
    except struct.error as error:
        raise ValueError("more than 4 GiB") from error


def _coded(strip: Pixels, order: Order, is_compressed: bool) -> bytes:
    data = strip
    if is_compressed:
        data = strip.copy()
        data[:, 1:] -= strip[:, :-1]
    raw = np.ascontiguousarray(data.astype(data.dtype.newbyteorder(order), copy=False)).tobytes()
    return zlib.compress(raw, _EFFORT) if is_compressed else raw


def _layout(pixels: Pixels, order: Order, is_compressed: bool) -> Iterator[tuple[int, Field]]:
    height, width, channels = pixels.shape
    yield 256, new_field(order, LONG, width)
    yield 257, new_field(order, LONG, height)
    yield 258, new_field(order, SHORT, *[pixels.dtype.itemsize * 8] * channels)
    yield 259, new_field(order, SHORT, _DEFLATE if is_compressed else _UNCOMPRESSED)
    yield 262, new_field(order, SHORT, _GREY if channels < 3 else _RGB)
    yield 277, new_field(order, SHORT, channels)
    yield 284, new_field(order, SHORT, 1)
    if is_compressed:
        yield 317, new_field(order, SHORT, _DIFFERENCES)
    if channels in (2, 4):
        yield 338, new_field(order, SHORT, _OPACITY)


def _tag_fields(tags: PictureTags, order: Order) -> Iterator[tuple[int, Field]]:
    x, y = tags.dpi or (1.0, 1.0)
    yield 282, new_field(order, RATIONAL, x)
    yield 283, new_field(order, RATIONAL, y)
    yield 296, new_field(order, SHORT, _INCH if tags.dpi else _NO_UNIT)
    if tags.icc:
        yield 34675, new_field(order, UNDEFINED, tags.icc)
    if tags.xmp:
        yield 700, new_field(order, BYTE, tags.xmp)
    if tags.photoshop:
        yield 34377, new_field(order, BYTE, tags.photoshop)
        if iptc := iptc_of(tags.photoshop):
            yield 33723, new_field(order, UNDEFINED, iptc)
