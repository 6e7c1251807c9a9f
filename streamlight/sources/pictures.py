"""Still pictures from files: upright RGB, and what lay beside the pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image, JpegImagePlugin
from PIL.ImageFile import ImageFile

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.deep_pictures import (
    BITS,
    COMPRESSION,
    HEIGHT,
    WIDTH,
    decode_deep_png,
    decode_deep_tiff,
    is_deep_tiff,
)
from streamlight.sources.exif import ORIENTATION, orientation_of, without_orientation
from streamlight.sources.ifd import read_directory
from streamlight.sources.picture_formats import (
    READERS,
    UNREADABLE,
    check_size,
    format_of,
    read_bytes,
    reason_of,
    too_large,
)
from streamlight.sources.picture_pixels import Pixels, decode_pixels, turned
from streamlight.sources.picture_tags import (
    PictureTags,
    photoshop_of_jpeg,
    tags_of_info,
    tags_of_tiff,
)
from streamlight.sources.png import plain_png, png_chunks
from streamlight.sources.png_tags import tags_of_png

_UNCOMPRESSED = 1
_LOSSY_TIFF = (6, 7, 34892, 50001)


@dataclass(frozen=True, slots=True)
class PictureCoding:
    """How a picture was coded, for an output that is like it.

    Attributes:
        format: a key of `READERS`, such as "JPEG".
        is_lossless: whether the pixels were stored exactly.
        is_compressed: of a TIFF.
        quantization: tables of a JPEG of YCbCr or grey, else none.
        subsampling: of its chroma, as Pillow numbers it: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        is_progressive: of a JPEG.
    """

    format: str
    is_lossless: bool = True
    is_compressed: bool = True
    quantization: tuple[tuple[int, ...], ...] = ()
    subsampling: int = 0
    is_progressive: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A still picture, upright.

    Attributes:
        image: RGB (H, W, 3), uint8 or uint16.
        alpha: opacity (H, W), of the same dtype; None without.
        is_grey: whether the file holds one channel; `image` holds it three times.
        tags: what was beside the pixels, true for the upright picture.
        coding: how the file was coded.
        notes: what the user should know, one sentence each.
    """

    image: Pixels
    alpha: Pixels | None
    is_grey: bool
    tags: PictureTags
    coding: PictureCoding
    notes: tuple[str, ...] = ()


class PictureSource:
    """A still picture as a stream of one frame.

    Attributes:
        path: of the file.
        picture: what was read.
        info: size and time base; the frame is shown at 0.
        notes: what the user should know of the input, one sentence each.
    """

    def __init__(self, path: str | Path) -> None:
        """Read a picture.

        Raises:
            SourceError: the file is missing, damaged or no picture.
            UnsupportedSourceError: it is animated, or of a kind that is not read.
        """
        self.path = Path(path)
        self.picture = read_picture(self.path)
        height, width = self.picture.image.shape[:2]
        color = ColorSpec(Matrix.RGB, Range.FULL)
        self.info = StreamInfo(width, height, Fraction(25), Fraction(1, 25), color, frame_count=1)
        self.notes = list(self.picture.notes)

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: the file was closed when it was read."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the one frame."""
        yield Frame(self.picture.image, 0, self.info.time_base, 0, duration=1)


def read_picture(path: Path) -> Picture:
    """Read a picture, and turn it upright as its EXIF orientation says.

    Raises:
        SourceError: the file is missing, damaged or no picture.
        UnsupportedSourceError: it is animated, or of a kind that is not read.
    """
    data = read_bytes(path)
    format_ = format_of(data, path)
    try:
        if format_ == "TIFF":
            return _read_tiff(data, path)
        if format_ == "PNG":
            return _read_png(data, path)
        return _read_other(data, format_, path)
    except Image.DecompressionBombError as error:
        raise too_large(path) from error
    except UNREADABLE as error:
        reason = reason_of(error)
        raise SourceError(f"{path}: the picture is damaged or cut off ({reason})") from error
    except MemoryError as error:
        raise SourceError(f"{path}: the picture is too large for the memory") from error


def _read_tiff(data: bytes, path: Path) -> Picture:
    directory = read_directory(data)
    check_size((directory.integer(WIDTH), directory.integer(HEIGHT)), path)
    tags = tags_of_tiff(directory)
    notes = ["only the first page is enhanced and copied"] if directory.next else []
    if is_deep_tiff(directory):
        pixels = decode_deep_tiff(data, directory)
    else:
        with READERS["TIFF"](io.BytesIO(without_orientation(data, directory))) as file:
            pixels = _decoded(file, path)
            tags, notes = _without_profile(file, tags, notes)
        if max(directory.integers(BITS), default=1) > 8 and pixels.dtype == np.uint8:
            notes.append("its more than 8 bits a channel are read as 8")
    compression = directory.integer(COMPRESSION, _UNCOMPRESSED)
    coding = PictureCoding(
        "TIFF",
        is_lossless=compression not in _LOSSY_TIFF,
        is_compressed=compression != _UNCOMPRESSED,
    )
    return _picture(pixels, tags, coding, notes, directory.integer(ORIENTATION, 1))


def _read_png(data: bytes, path: Path) -> Picture:
    chunks = list(png_chunks(data))
    if any(name == b"acTL" for name, _ in chunks):
        raise _animated(path)
    tags, notes = tags_of_png(chunks)
    # without the rest, of which Pillow would refuse what is damaged or long
    plain = plain_png(chunks)
    with READERS["PNG"](io.BytesIO(plain)) as file:
        check_size(file.size, path)
        is_deep = chunks[0][1][8] == 16
        pixels = decode_deep_png(plain) if is_deep else _decoded(file, path)
    return _picture(pixels, tags, PictureCoding("PNG"), notes, orientation_of(tags.exif))


def _read_other(data: bytes, format_: str, path: Path) -> Picture:
    with READERS[format_](io.BytesIO(data)) as file:
        check_size(file.size, path)
        if getattr(file, "n_frames", 1) > 1:
            raise _animated(path)
        pixels = _decoded(file, path)
        tags = tags_of_info(file.info)
        tags, notes = _without_profile(file, tags, [])
        coding = PictureCoding(format_, is_lossless=format_ != "AVIF")
        if isinstance(file, JpegImagePlugin.JpegImageFile):
            tags = replace(tags, photoshop=photoshop_of_jpeg(file.applist))
            coding = _coding_of_jpeg(file)
            if "mp" in file.info:
                notes.append("the further pictures in it (depth, gain map) are not copied")
        elif format_ == "WebP":
            coding = PictureCoding(format_, is_lossless=_is_lossless_webp(data))
    return _picture(pixels, tags, coding, notes, orientation_of(tags.exif))


def _decoded(file: ImageFile, path: Path) -> Pixels:
    pixels = decode_pixels(file)
    if pixels is None:
        raise UnsupportedSourceError(
            f"{path}: pixels of floating point, or of more than 16 bits, are not read; convert it "
            "to a TIFF of 16-bit integers"
        )
    return pixels


def _picture(
    pixels: Pixels, tags: PictureTags, coding: PictureCoding, notes: list[str], orientation: int
) -> Picture:
    """Make an upright picture of (H, W, C), C from 1 to 4, and the tags true for it."""
    pixels = turned(pixels, orientation)
    height, width, channels = pixels.shape
    upright = tags.made_upright((width, height), is_turned=5 <= orientation <= 8)
    if tags.exif and not upright.exif:
        notes = [*notes, "its EXIF is damaged and is not copied"]
    alpha = np.ascontiguousarray(pixels[:, :, -1]) if channels in (2, 4) else None
    if channels < 3:
        image = np.repeat(pixels[:, :, :1], 3, axis=2)
    else:
        image = np.ascontiguousarray(pixels[:, :, :3])
    return Picture(image, alpha, channels < 3, upright, coding, tuple(notes))


def _without_profile(
    file: ImageFile, tags: PictureTags, notes: list[str]
) -> tuple[PictureTags, list[str]]:
    """Drop the profile of colours that were converted."""
    if file.mode not in ("CMYK", "LAB"):
        return tags, notes
    return replace(tags, icc=None), [*notes, f"its {file.mode} colours are converted to sRGB"]


def _coding_of_jpeg(file: JpegImagePlugin.JpegImageFile) -> PictureCoding:
    tables = file.quantization if file.mode in ("L", "RGB") else {}
    return PictureCoding(
        "JPEG",
        is_lossless=False,
        quantization=tuple(tuple(tables[key]) for key in sorted(tables)),
        subsampling=max(0, JpegImagePlugin.get_sampling(file)),
        is_progressive=bool(file.info.get("progressive")),
    )


def _is_lossless_webp(data: bytes) -> bool:
    """Look for the chunk of a lossless bitstream (WebP container specification)."""
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name in (b"VP8L", b"VP8 "):
            return name == b"VP8L"
        at += 8 + size + size % 2
    return False


def _animated(path: Path) -> UnsupportedSourceError:
    return UnsupportedSourceError(
        f"{path}: is animated; make a video of it first: "
        f"ffmpeg -i {path.name} -c:v ffv1 {path.stem}.mkv"
    )
