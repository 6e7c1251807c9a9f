"""EXIF blocks, changed in place.

Maker notes hold offsets from the start of the block, in ways that every maker invents. So the
block is not written anew: the few values that are no longer true are overwritten where they lie.
"""

import struct
from contextlib import suppress
from dataclasses import replace

from streamlight.sources.ifd import (
    EXIF_DIRECTORY,
    LONG,
    SHORT,
    Directory,
    header,
    next_directory,
    read_directory,
    write_directory,
)

ORIENTATION = 0x0112
_UPRIGHT = 1
_WIDTHS = (0x0100, 0xA002)
_HEIGHTS = (0x0101, 0xA003)
_THUMBNAIL_AT, _THUMBNAIL_SIZE = (0x0201, 0x0111), (0x0202, 0x0117)

_OF_THE_FILE = (
    {254, 255, *range(256, 260), 262, 263, 264, 265, 266, 273, *range(277, 282)}
    | {282, 283, 284, *range(288, 294), 296, 297, 301, 317, *range(320, 326), 330}
    | {*range(332, 335), *range(336, 343), 347, *range(512, 522), *range(529, 533)}
    | {700, 33723, 34377, 34675, 37724}
)
"""Tags of a TIFF file that describe how its pixels lie, or that are carried by other means."""


def orientation_of(exif: bytes | None) -> int:
    """Return how the stored picture has to be turned: 1 to 8 (EXIF 2.32, table 6)."""
    try:
        value = read_directory(exif or b"").integer(ORIENTATION, _UPRIGHT)
    except ValueError:
        return _UPRIGHT
    return value if 1 <= value <= 8 else _UPRIGHT


def without_orientation(data: bytes, directory: Directory) -> bytes:
    """Return a TIFF file whose pixels Pillow leaves as they lie: it would turn those of TIFF."""
    if directory.integer(ORIENTATION, _UPRIGHT) == _UPRIGHT:
        return data
    block = bytearray(data)
    _overwrite(block, directory, (ORIENTATION,), _UPRIGHT)
    return bytes(block)


def made_upright(exif: bytes, width: int, height: int) -> bytes | None:
    """Make a block true for the enhanced picture: upright, of that size, and without thumbnail.

    The thumbnail would show the dark picture.

    Returns:
        The block; None when it is damaged beyond reading.
    """
    block = bytearray(exif)
    try:
        directory = read_directory(exif)
    except ValueError:
        return None
    nested = directory.fields.get(EXIF_DIRECTORY)
    for found in (directory, nested.nested if nested else None):
        if found is not None:
            _overwrite(block, found, (ORIENTATION,), _UPRIGHT)
            _overwrite(block, found, _WIDTHS, width)
            _overwrite(block, found, _HEIGHTS, height)
    _drop_thumbnail(block, directory)
    return bytes(block)


def exif_of_tiff(directory: Directory) -> bytes | None:
    """Make an EXIF block of what a TIFF file says of the photograph; None when it says nothing."""
    fields = {t: f for t, f in directory.fields.items() if t not in _OF_THE_FILE}
    if not fields:
        return None
    return header(directory.order) + write_directory(replace(directory, fields=fields), 8)


def exif_fields(exif: bytes | None) -> Directory:
    """Return the fields of a block that a TIFF file takes into its own directory."""
    if exif:
        with suppress(ValueError):
            directory = read_directory(exif)
            fields = {t: f for t, f in directory.fields.items() if t not in _OF_THE_FILE}
            return Directory(directory.order, fields)
    return Directory("<", {})


def _overwrite(block: bytearray, directory: Directory, tags: tuple[int, ...], value: int) -> None:
    for tag in tags:
        field = directory.fields.get(tag)
        code = {SHORT: "H", LONG: "L"}.get(field.kind) if field else None
        if field is not None and code and value < (1 << 16 if code == "H" else 1 << 32):
            struct.pack_into(directory.order + code, block, field.at, value)


def _drop_thumbnail(block: bytearray, directory: Directory) -> None:
    """Blank the thumbnail, and cut it off where it is the last in the block, as it mostly is."""
    thumbnail = next_directory(bytes(block), directory)
    if directory.next and directory.next_at + 4 <= len(block):
        struct.pack_into(f"{directory.order}L", block, directory.next_at, 0)
    if thumbnail is None:
        return
    for offset_tag, size_tag in zip(_THUMBNAIL_AT, _THUMBNAIL_SIZE, strict=True):
        start, size = thumbnail.integer(offset_tag), thumbnail.integer(size_tag)
        end = start + size
        if not start or not size or start < 8 or end > len(block):
            continue
        if not any(block[end:]):
            del block[start:]
        else:
            block[start:end] = bytes(size)
