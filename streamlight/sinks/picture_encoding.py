"""A picture to a file of any of the formats, with as much beside the pixels as it can hold."""

import errno
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import av.error
import numpy as np
from PIL import Image, features

from streamlight.errors import SinkError, UsageError
from streamlight.sinks.png import write_png
from streamlight.sinks.tiff import write_tiff
from streamlight.sources.picture_names import WRITABLE
from streamlight.sources.picture_pixels import Pixels
from streamlight.sources.picture_tags import PHOTOSHOP_HEADER, PictureTags
from streamlight.sources.pictures import PictureCoding

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
"""Format by the output's extension."""

PNG_EFFORT = 6
_LOSSLESS_ONLY = ("PNG", "TIFF")
_LARGEST_SIDE = {"JPEG": 65_500, "WebP": 16_383, "AVIF": 65_536}
_DEFAULT_QUALITY = {"JPEG": 95, "WebP": 90, "AVIF": 90}
_HOLDS_16_BITS = ("PNG", "TIFF")
_HOLDS_GREY = ("JPEG", "PNG", "TIFF")
_LONGEST_SEGMENT = 65_533
"""Of a JPEG, less its two bytes of length; EXIF and XMP have to fit into one."""

_LUMA = np.array([54, 183, 19], np.uint32)  # BT.709's weights, of 256


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to write pictures.

    Attributes:
        format: a value of `FORMATS`.
        quality: of JPEG, WebP and AVIF, 1 to 100; None for that of the input.
        png_effort: zlib's level.
    """

    format: str
    quality: int | None = None
    png_effort: int = PNG_EFFORT


def choose_encoding(
    target: Path, quality: int | None = None, *, png_effort: int = PNG_EFFORT
) -> Encoding:
    """Choose by the extension of a file name.

    Raises:
        SinkError: the extension is unknown, or AVIF cannot be written here.
        UsageError: the quality is out of range, or of a format that has none.
    """
    format_ = FORMATS.get(target.suffix.lower())
    if format_ is None:
        raise SinkError(
            f"{target}: a picture is not written as {target.suffix!r}; "
            f"choose one of {', '.join(WRITABLE)}"
        )
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--quality {quality}: must be between 1 and 100")
    if quality is not None and format_ in _LOSSLESS_ONLY:
        raise UsageError(f"--quality {quality}: {format_} is lossless; leave it out")
    if format_ == "AVIF" and not features.check("avif"):
        raise SinkError(f"{target}: this build of Pillow cannot write AVIF; choose .png or .jpg")
    return Encoding(format_, quality, png_effort)


def check_picture_size(target: Path, encoding: Encoding, width: int, height: int) -> None:
    """Check that a format can hold a picture.

    Raises:
        SinkError: it is too wide or too high.
    """
    most = _LARGEST_SIDE.get(encoding.format)
    if most is not None and max(width, height) > most:
        raise SinkError(
            f"{target}: {encoding.format} holds at most {most} pixels a side, "
            f"the picture is {width}x{height}; write .png or .tif"
        )


def save_picture(
    path: Path,
    encoding: Encoding,
    image: Pixels,
    alpha: Pixels | None = None,
    *,
    is_grey: bool = False,
    tags: PictureTags | None = None,
    coding: PictureCoding | None = None,
) -> list[str]:
    """Write a picture.

    Args:
        path: of the file, which is overwritten.
        encoding: format and quality.
        image: RGB (H, W, 3), uint8 or uint16.
        alpha: opacity (H, W), of the same dtype.
        is_grey: write its luma, where the format has grey pictures.
        tags: what to write beside the pixels.
        coding: of the input, which the output is to be like.

    Returns:
        What the format cannot hold, one sentence each.

    Raises:
        OSError: the file cannot be written.
        FFmpegError, ValueError: the encoder refuses the picture.
    """
    notes: list[str] = []
    format_ = encoding.format
    if alpha is not None and format_ == "JPEG":
        image, is_opaque = _on_white(image, alpha)
        alpha = None
        if not is_opaque:
            notes.append("JPEG holds no transparency: the picture is put on white")
    if image.dtype == np.uint16 and format_ not in _HOLDS_16_BITS:
        notes.append(f"the picture has 16 bits a channel; {format_} holds 8")
        image = to_8_bits(image)
        alpha = None if alpha is None else to_8_bits(alpha)
    is_grey = is_grey and format_ in _HOLDS_GREY
    pixels = _luma(image) if is_grey else image
    if alpha is not None:
        pixels = np.concatenate((pixels, alpha[:, :, None]), axis=2)
    tags = _fitting(tags or PictureTags(), format_, is_grey, notes)
    coding = coding or PictureCoding("", is_lossless=False)
    with path.open("wb") as file:
        if format_ == "PNG":
            write_png(file, pixels, tags, effort=encoding.png_effort)
        elif format_ == "TIFF":
            write_tiff(file, pixels, tags, is_compressed=coding.is_compressed)
        else:
            _save_with_pillow(file, encoding, pixels, tags, coding)
    return notes


@contextmanager
def translated_errors(target: Path) -> Iterator[None]:
    """Turn what encoders and the disk raise into one error that names the file.

    Raises:
        SinkError: in place of theirs.
    """
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        if error.errno == errno.ENOSPC:
            raise SinkError(
                f"{target}: the disk is full; free some space or write elsewhere"
            ) from error
        raise SinkError(f"{target}: writing failed ({error.strerror or error})") from error
    except (ValueError, zlib.error, RuntimeError, struct.error) as error:
        raise SinkError(f"{target}: writing failed ({error})") from error


def to_8_bits(pixels: Pixels) -> Pixels:
    """Round 16 bits to 8: white stays white."""
    result = np.empty(pixels.shape, np.uint8)
    for row, out in zip(pixels, result, strict=True):  # by rows, which needs little memory
        out[...] = (row.astype(np.uint32) + 128) // 257
    return result


def _luma(image: Pixels) -> Pixels:
    result = np.empty((*image.shape[:2], 1), image.dtype)
    for row, out in zip(image, result, strict=True):
        out[:, 0] = (row @ _LUMA + 128) >> 8
    return result


def _on_white(image: Pixels, alpha: Pixels) -> tuple[Pixels, bool]:
    peak = np.iinfo(image.dtype).max
    if (alpha == peak).all():
        return image, True
    result = np.empty_like(image)
    for row, opacity, out in zip(image, alpha[:, :, None] / peak, result, strict=True):
        out[...] = np.rint(row * opacity + peak * (1 - opacity))
    return result, False


def _fitting(tags: PictureTags, format_: str, is_grey: bool, notes: list[str]) -> PictureTags:
    """Drop what a format cannot hold, and note it."""
    changes: dict[str, Any] = {}
    lost: list[str] = []
    if tags.icc and tags.icc[16:20] not in ((b"GRAY", b"RGB ") if is_grey else (b"RGB ",)):
        changes["icc"] = None
        notes.append("its colour profile is not one of RGB pixels and is not copied")
    if tags.photoshop and format_ not in ("JPEG", "TIFF"):
        changes["photoshop"] = None
        lost.append("IPTC captions")
    if tags.comment and format_ != "JPEG":
        changes["comment"] = None
        lost.append("comment")
    if format_ != "PNG" and any(name.endswith(b"Xt") for name, _ in tags.chunks):
        lost.append("text")
    if format_ == "JPEG":
        for name, label in (("exif", "EXIF"), ("xmp", "XMP"), ("photoshop", "IPTC captions")):
            if len(getattr(tags, name) or b"") > _LONGEST_SEGMENT - 40:
                changes[name] = None
                lost.append(f"{label} of more than 64 KiB")
    if lost:
        notes.append(f"{format_} does not hold its {', '.join(lost)}")
    return replace(tags, **changes)


def _save_with_pillow(
    file: IO[bytes], encoding: Encoding, pixels: Pixels, tags: PictureTags, coding: PictureCoding
) -> None:
    options: dict[str, Any] = {}
    if tags.icc:
        options["icc_profile"] = tags.icc
    if tags.exif:
        options["exif"] = (b"Exif\0\0" if encoding.format == "JPEG" else b"") + tags.exif
    if tags.xmp:
        options["xmp"] = tags.xmp
    quality = encoding.quality
    if encoding.format == "JPEG":
        options |= _jpeg_options(tags, coding, quality)
    elif encoding.format == "WebP" and quality is None and coding.is_lossless:
        options |= {"lossless": True, "exact": True}
    else:
        options["quality"] = quality or _DEFAULT_QUALITY[encoding.format]
        if encoding.format == "WebP":
            options["exact"] = True
        else:
            options["subsampling"] = "4:4:4"
    squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(squeezed)).save(file, encoding.format, **options)


def _jpeg_options(tags: PictureTags, coding: PictureCoding, quality: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "subsampling": coding.subsampling,
        "progressive": coding.is_progressive,
        "comment": tags.comment or b"",
    }
    if quality is None and coding.quantization:
        options["qtables"] = [list(table) for table in coding.quantization]
    else:
        options["quality"] = quality or _DEFAULT_QUALITY["JPEG"]
    if tags.dpi:
        options["dpi"] = tags.dpi
    if tags.photoshop:
        content = PHOTOSHOP_HEADER + tags.photoshop
        options["extra"] = b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content
    return options
