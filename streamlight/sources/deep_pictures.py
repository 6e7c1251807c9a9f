"""Pictures of 16 bits a channel, which Pillow would cut to 8.

PNG is decoded by libav. TIFF is decoded by Pillow's libtiff, which knows every way of packing
pixels, under another label: a row of RGB pixels is also a row of three times as many grey ones,
and those Pillow gives in 16 bits.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from streamlight.sources.ifd import (
    LONG,
    SHORT,
    Directory,
    Field,
    header,
    new_field,
    write_directory,
)

Deep = NDArray[np.uint16]

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_A_STRIP, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 317, 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT = 338, 339

_FILL_ORDER = 266
_DIFFERENCES = 2
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_PREMULTIPLIED = 1
_UNSIGNED = 1


def decode_deep_png(data: bytes) -> Deep:
    """Decode a PNG of 16 bits.

    Returns:
        (H, W, C), of 1 (grey), 2 (grey, alpha), 3 or 4 channels.

    Raises:
        ValueError: it cannot be decoded.
    """
    decoder = av.CodecContext.create("png", "r")
    decoder.thread_count = 1
    try:
        frames = decoder.decode(av.Packet(data)) or decoder.decode(None)
    except av.error.FFmpegError as error:
        raise ValueError(error.strerror) from error
    if not frames:
        raise ValueError("there is no picture in it")
    frame = frames[0]
    plane, channels = frame.planes[0], len(frame.format.components)
    rows = np.frombuffer(memoryview(plane), ">u2").reshape(frame.height, plane.line_size // 2)
    pixels = rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
    return pixels.astype(np.uint16)


def is_deep_tiff(directory: Directory) -> bool:
    """Whether a TIFF is one that `decode_deep_tiff` takes: grey or RGB of 16-bit integers."""
    return (
        set(directory.integers(BITS)) == {16}
        and set(directory.integers(SAMPLE_FORMAT)) <= {_UNSIGNED}
        and directory.integer(PHOTOMETRIC) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        and directory.integer(SAMPLES, 1) >= (3 if directory.integer(PHOTOMETRIC) == _RGB else 1)
    )


def decode_deep_tiff(data: bytes, directory: Directory) -> Deep:
    """Decode the first page of a TIFF for which `is_deep_tiff` holds.

    Returns:
        (H, W, C), of 1 (grey), 2 (grey, alpha), 3 or 4 channels.

    Raises:
        ValueError: the sizes that it states do not fit together.
        OSError: it cannot be decoded (Pillow's error).
    """
    channels = 3 if directory.integer(PHOTOMETRIC) == _RGB else 1
    has_alpha = directory.integer(EXTRA_SAMPLES) in (1, 2) and bool(
        directory.integers(EXTRA_SAMPLES)
    )
    samples = directory.integer(SAMPLES, 1)
    if samples > 32:
        raise ValueError(f"{samples} channels")
    if directory.integer(PLANAR, 1) == 1:
        pixels = _decode_plane(data, directory, samples, None)
    else:
        planes = (_decode_plane(data, directory, 1, (i, samples)) for i in range(samples))
        pixels = np.concatenate(list(planes), axis=2)
    pixels = pixels[:, :, : channels + has_alpha]
    if directory.integer(PHOTOMETRIC) == _WHITE_IS_ZERO:
        pixels[:, :, 0] = 65535 - pixels[:, :, 0]
    if has_alpha and directory.integer(EXTRA_SAMPLES) == _PREMULTIPLIED:
        pixels = _divided_by_alpha(pixels)
    return pixels


def _decode_plane(
    data: bytes, directory: Directory, samples: int, part: tuple[int, int] | None
) -> Deep:
    """Decode pixels of `samples` channels; of separate planes, `part` is (which, of how many)."""
    width, height = directory.integer(WIDTH), directory.integer(HEIGHT)
    order = directory.order
    fields = dict(_relabelled(directory, width * samples, height, part))
    tile_width = directory.integer(TILE_WIDTH)
    if tile_width:
        fields[TILE_WIDTH] = new_field(order, LONG, tile_width * samples)
    at = len(data) + len(data) % 2
    label = write_directory(replace(directory, fields=fields), at)
    file = header(order, at) + data[8:] + bytes(len(data) % 2) + label
    with TiffImagePlugin.TiffImageFile(io.BytesIO(file)) as grey:
        if grey.size != (width * samples, height) or not grey.mode.startswith("I;16"):
            raise ValueError("its pixels are packed in an unknown way")
        pixels = np.array(grey).astype(np.uint16, copy=False)
    pixels = pixels.reshape(height, width, samples)
    if directory.integer(PREDICTOR, 1) == _DIFFERENCES:
        step = tile_width or width
        for left in range(0, width, step):
            cell = pixels[:, left : left + step]
            np.cumsum(cell, axis=1, dtype=np.uint16, out=cell)
    return pixels


def _relabelled(
    directory: Directory, width: int, height: int, part: tuple[int, int] | None
) -> Iterator[tuple[int, Field]]:
    order = directory.order
    for tag, value in ((BITS, 16), (PHOTOMETRIC, 1), (SAMPLES, 1), (PLANAR, 1), (PREDICTOR, 1)):
        yield tag, new_field(order, SHORT, value)
    yield WIDTH, new_field(order, LONG, width)
    yield HEIGHT, new_field(order, LONG, height)
    for tag in (COMPRESSION, _FILL_ORDER, ROWS_A_STRIP, TILE_HEIGHT):
        if tag in directory.fields:
            yield tag, new_field(order, LONG, directory.integer(tag))
    for tag in (STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES):
        values: Any = directory.integers(tag)
        if part is not None:
            each = len(values) // part[1]
            values = values[part[0] * each : (part[0] + 1) * each]
        if values:
            yield tag, new_field(order, LONG, *values)


def _divided_by_alpha(pixels: Deep) -> Deep:
    """Take the alpha out of colours that were multiplied by it."""
    alpha = np.maximum(pixels[:, :, -1:], 1).astype(np.float64)
    colors = np.minimum(np.rint(pixels[:, :, :-1] * (65535 / alpha)), 65535)
    return np.concatenate((colors.astype(np.uint16), pixels[:, :, -1:]), axis=2)
