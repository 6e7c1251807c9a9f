"""What a picture file holds beside its pixels: EXIF, colour profile, XMP, IPTC, resolution."""

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streamlight.sources.exif import exif_of_tiff, made_upright
from streamlight.sources.ifd import Directory

PHOTOSHOP_HEADER = b"Photoshop 3.0\0"

_THUMBNAIL_RESOURCES = (1033, 1036)

_XRES, _YRES, _RES_UNIT = 282, 283, 296
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_IPTC_RESOURCE = 1028

_STALE_XMP = (
    rb"""\s(?:hdrgm|GCamera|Camera|xmpNote):[A-Za-z]+\s*=\s*(?:"[^"]*"|'[^']*')""",
    rb"<Container:Directory>.*?</Container:Directory>",
    rb"<GContainer:Directory>.*?</GContainer:Directory>",
    rb"<(?:xmp|xap):Thumbnails>.*?</(?:xmp|xap):Thumbnails>",
)
"""What XMP says of data that lay behind the picture (gain map, motion video) and of thumbnails."""

_XMP_ORIENTATION = rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)[1-8]"""


@dataclass(frozen=True, slots=True)
class PictureTags:
    """What is written beside the pixels, each None where the file has none.

    Attributes:
        exif: a block as in JPEG, without "Exif" before it.
        icc: colour profile.
        xmp: packet.
        dpi: pixels per inch, horizontally and vertically.
        photoshop: image resources, which hold IPTC's captions and keywords.
        comment: of a JPEG.
        chunks: of a PNG: text, and what it says of colours besides the profile.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    photoshop: bytes | None = None
    comment: bytes | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()

    def made_upright(self, size: tuple[int, int], *, is_turned: bool) -> "PictureTags":
        """Make the tags true for the enhanced picture: upright, of that size, new.

        Args:
            size: width and height of the upright picture.
            is_turned: whether width and height changed places.
        """
        exif = made_upright(self.exif, *size) if self.exif else None
        xmp = _fresh_xmp(self.xmp) if self.xmp else None
        dpi = (self.dpi[1], self.dpi[0]) if self.dpi and is_turned else self.dpi
        return replace(self, exif=exif, xmp=xmp, dpi=dpi)


def tags_of_info(info: Mapping[Any, Any]) -> PictureTags:
    """Collect what Pillow found in a JPEG, WebP, AVIF, BMP or GIF."""
    comment = info.get("comment")
    return PictureTags(
        exif=plain_exif(info.get("exif")),
        icc=info.get("icc_profile") or None,
        xmp=info.get("xmp") or None,
        dpi=checked_resolution(info.get("dpi")),
        comment=comment if isinstance(comment, bytes) else None,
    )


def tags_of_tiff(directory: Directory) -> PictureTags:
    """Collect the tags of a TIFF page."""
    fields = directory.fields
    x, y = directory.rational(_XRES), directory.rational(_YRES)
    unit = {2: 1.0, 3: 2.54}.get(directory.integer(_RES_UNIT, 2))
    photoshop = b""
    if _PHOTOSHOP in fields:
        photoshop = without_thumbnail(fields[_PHOTOSHOP].data) or b""
    if _IPTC in fields and iptc_of(photoshop) is None:
        photoshop += _resource(_IPTC_RESOURCE, fields[_IPTC].data)
    return PictureTags(
        exif=exif_of_tiff(directory),
        icc=fields[_ICC].data if _ICC in fields else None,
        xmp=fields[_XMP].data if _XMP in fields else None,
        dpi=checked_resolution((x * unit, y * unit) if x and y and unit else None),
        photoshop=photoshop or None,
    )


def photoshop_of_jpeg(segments: Iterable[tuple[str, bytes]]) -> bytes | None:
    """Collect the image resources of a JPEG's (name, content) segments, without thumbnails."""
    parts = [
        content[len(PHOTOSHOP_HEADER) :]
        for name, content in segments
        if name == "APP13" and content.startswith(PHOTOSHOP_HEADER)
    ]
    return without_thumbnail(b"".join(parts))


def iptc_of(photoshop: bytes) -> bytes | None:
    """Return IPTC's record out of the image resources."""
    return next((data for code, data, _ in _resources(photoshop) if code == _IPTC_RESOURCE), None)


def without_thumbnail(photoshop: bytes) -> bytes | None:
    """Drop the thumbnails, which show the dark picture, from the image resources."""
    kept = [raw for code, _, raw in _resources(photoshop) if code not in _THUMBNAIL_RESOURCES]
    return b"".join(kept) or None


def _resources(photoshop: bytes) -> list[tuple[int, bytes, bytes]]:
    """Take image resources apart, as (code, content, all of it); what is damaged is left out."""
    found, at = [], 0
    while photoshop[at : at + 4] == b"8BIM" and at + 12 <= len(photoshop):
        (code,) = struct.unpack_from(">H", photoshop, at + 4)
        start = at + 6 + (photoshop[at + 6] + 2) // 2 * 2  # the name is padded to even
        if start + 4 > len(photoshop):
            break
        (size,) = struct.unpack_from(">L", photoshop, start)
        end = start + 4 + size + size % 2
        if start + 4 + size > len(photoshop):
            break
        content = photoshop[start + 4 : start + 4 + size]
        found.append((code, content, photoshop[at:end].ljust(end - at, b"\0")))
        at = end
    return found


def _resource(code: int, content: bytes) -> bytes:
    padded = content + bytes(len(content) % 2)
    return b"8BIM" + struct.pack(">HHL", code, 0, len(content)) + padded


def _fresh_xmp(xmp: bytes) -> bytes:
    for stale in _STALE_XMP:
        xmp = re.sub(stale, b"", xmp, flags=re.DOTALL)
    return re.sub(_XMP_ORIENTATION, rb"\g<1>1", xmp)


def plain_exif(exif: bytes | None) -> bytes | None:
    """Take off the word "Exif" that JPEG, and some writers of other formats, put before it."""
    return re.sub(rb"^(Exif\0\0)+", b"", exif) or None if exif else None


def checked_resolution(dpi: Any) -> tuple[float, float] | None:
    """Return pixels per inch if they are such that a file may state them."""
    try:
        x, y = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= 60_000 and 1 <= y <= 60_000 else None
