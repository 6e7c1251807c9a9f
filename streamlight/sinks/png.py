"""PNG files of 8 and 16 bits a channel, with all that was beside the pixels."""

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from typing import IO

import av
import numpy as np

from streamlight.sources.picture_pixels import Pixels
from streamlight.sources.picture_tags import PictureTags
from streamlight.sources.png import SIGNATURE, png_chunk, png_chunks

_FORMATS = {
    (1, 1): "gray",
    (1, 2): "ya8",
    (1, 3): "rgb24",
    (1, 4): "rgba",
    (2, 1): "gray16be",
    (2, 2): "ya16be",
    (2, 3): "rgb48be",
    (2, 4): "rgba64be",
}
"""libav's name of the pixels, by bytes a sample and channels."""

_INCHES_A_METRE = 1 / 0.0254


def write_png(file: IO[bytes], pixels: Pixels, tags: PictureTags, *, effort: int) -> None:
    """Write a picture.

    Args:
        file: to write to.
        pixels: (H, W, C), uint8 or uint16, of 1 to 4 channels.
        tags: what to write beside them.
        effort: zlib's level, 1 to 9.

    Raises:
        FFmpegError: the encoder refuses the picture.
        OSError: the file cannot be written.
    """
    coded = _encode(pixels, effort)
    file.write(SIGNATURE)
    for name, content in png_chunks(coded):
        if name == b"IHDR":
            file.write(png_chunk(name, content))
            for chunk in _tag_chunks(tags):
                file.write(png_chunk(*chunk))
        elif name == b"IDAT":
            file.write(png_chunk(name, content))
    file.write(png_chunk(b"IEND", b""))


def _encode(pixels: Pixels, effort: int) -> bytes:
    height, width, channels = pixels.shape
    size = pixels.dtype.itemsize
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = _FORMATS[size, channels]
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"compression_level": str(effort), "pred": "mixed"}
    frame = av.VideoFrame(width, height, encoder.pix_fmt)
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), f">u{size}").reshape(height, -1)
    rows[:, : width * channels] = pixels.reshape(height, -1)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _tag_chunks(tags: PictureTags) -> Iterator[tuple[bytes, bytes]]:
    """Yield chunks in an order that PNG allows: what is said of colours comes first."""
    yield from tags.chunks
    if tags.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(tags.icc)
    if tags.dpi:
        x, y = (round(dpi * _INCHES_A_METRE) for dpi in tags.dpi)
        yield b"pHYs", struct.pack(">2LB", x, y, 1)
    if tags.exif:
        yield b"eXIf", tags.exif
    if tags.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + tags.xmp
