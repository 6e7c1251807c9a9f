"""What a PNG holds beside its pixels."""

import struct
import zlib
from collections.abc import Iterable

from streamlight.sources.picture_tags import PictureTags, checked_resolution, plain_exif

_COLOR_CHUNKS = (b"sRGB", b"gAMA", b"cHRM", b"cICP")
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
_LEFT_OUT = (b"Raw profile type", b"Thumb::")
_MOST_BYTES = 1 << 26
"""Of a compressed chunk when it is unpacked: 64 MiB."""

_INCHES_A_METRE = 1 / 0.0254
_PQ, _HLG = 16, 18


def tags_of_png(chunks: Iterable[tuple[bytes, memoryview]]) -> tuple[PictureTags, list[str]]:
    """Collect the tags of a PNG, and notes of what cannot be kept true.

    Text, and what it says of colours besides a profile, are taken over as they are. Thumbnails and
    EXIF in hexadecimal, which ImageMagick wrote before PNG had a chunk for it, are not.
    """
    exif = icc = xmp = dpi = None
    kept, notes = [], []
    for name, view in chunks:
        content = bytes(view) if name != b"IDAT" else b""
        if name == b"eXIf":
            exif = content
        elif name == b"iCCP":
            icc = _inflated(content.partition(b"\0")[2][1:])
        elif name == b"pHYs" and len(content) == 9 and content[8] == 1:
            x, y = struct.unpack_from(">2L", content)
            dpi = checked_resolution((x / _INCHES_A_METRE, y / _INCHES_A_METRE))
        elif name == b"iTXt" and content.startswith(_XMP + b"\0"):
            xmp = _international_text(content)
        elif name == b"zTXt" and content.startswith(_RAW_EXIF):
            exif = exif or _from_hex(_inflated(content.partition(b"\0")[2][1:]))
        elif name == b"tEXt" and content.startswith(_RAW_EXIF):
            exif = exif or _from_hex(content.partition(b"\0")[2])
        elif name in _COLOR_CHUNKS or (name in _TEXT_CHUNKS and not content.startswith(_LEFT_OUT)):
            kept.append((name, content))
        if name == b"cICP" and len(content) == 4 and content[1] in (_PQ, _HLG):
            notes.append("an HDR picture (PQ or HLG) is enhanced as if it were SDR")
    tags = PictureTags(plain_exif(exif), icc, xmp, dpi, chunks=tuple(kept))
    return tags, notes


def _inflated(data: bytes) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(data, _MOST_BYTES) or None
    except zlib.error:
        return None


def _international_text(content: bytes) -> bytes | None:
    """Return the text of an iTXt chunk, without keyword, language and translated keyword."""
    keyword, _, rest = content.partition(b"\0")
    parts = rest[2:].split(b"\0", 2)
    if len(rest) < 2 or len(parts) < 3 or not keyword:
        return None
    return _inflated(parts[2]) if rest[0] else parts[2] or None


def _from_hex(text: bytes | None) -> bytes | None:
    """Decode an empty line, a name, a size and lines of hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join((text or b"").split(b"\n")[3:]).decode("ascii")) or None
    except ValueError:
        return None
