"""The chunks of a PNG file (ISO/IEC 15948)."""

import struct
import zlib
from collections.abc import Iterable, Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and content of each chunk, up to and without IEND.

    A damaged chunk that is not needed for the picture is left out.

    Raises:
        ValueError: the file is cut off, or what the picture is made of is damaged.
    """
    view, at = memoryview(data), len(SIGNATURE)
    while True:
        if at + 12 > len(data):
            raise ValueError("the file is cut off")
        (size,) = struct.unpack_from(">L", data, at)
        name = data[at + 4 : at + 8]
        end = at + 8 + size
        if name == b"IEND":
            return
        if end + 4 > len(data):
            raise ValueError("the file is cut off")
        (stated,) = struct.unpack_from(">L", data, end)
        if zlib.crc32(view[at + 4 : end]) == stated:
            yield name, view[at + 8 : end]
        elif name[:1].isupper():
            raise ValueError("a checksum in it is wrong")
        at = end + 4


def png_chunk(name: bytes, content: bytes | memoryview) -> bytes:
    """Return a chunk as it lies in the file."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", checksum)


def plain_png(chunks: Iterable[tuple[bytes, bytes | memoryview]]) -> bytes:
    """Return a PNG of those chunks only that make the picture."""
    needed = (chunk for chunk in chunks if chunk[0].isupper() or chunk[0] == b"tRNS")
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in needed) + png_chunk(b"IEND", b"")
