"""Directories of tags: read and written again, nothing is changed; damage is no crash."""

import struct

import pytest
from stills import photo_exif

from streamlight.sources.ifd import (
    ASCII,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    RATIONAL,
    SHORT,
    Directory,
    Field,
    Order,
    header,
    new_field,
    read_directory,
    write_directory,
)


def written(directory: Directory) -> bytes:
    return header(directory.order) + write_directory(directory, 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_fields_come_back_as_they_were(order: Order) -> None:
    fields = {
        1: new_field(order, SHORT, 7),
        2: new_field(order, SHORT, 1, 2, 3, 4, 5),
        3: Field(ASCII, b"caf\xc3\xa9\0"),
        4: new_field(order, RATIONAL, 300.0),
        5: Field(13, struct.pack(f"{order}L", 8)),
    }
    back = read_directory(written(Directory(order, fields)))
    assert {tag: (f.kind, f.data) for tag, f in back.fields.items()} == {
        tag: (f.kind, f.data) for tag, f in fields.items()
    }
    assert back.integers(2) == (1, 2, 3, 4, 5)
    assert back.rational(4) == 300.0
    assert back.integers(3) == () and back.integer(99, -1) == -1 and back.rational(1) is None


def test_what_a_camera_writes_is_copied_to_the_byte() -> None:
    directory = read_directory(photo_exif().tobytes()[6:])
    back = read_directory(written(directory))
    for tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
        one, other = directory.fields[tag].nested, back.fields[tag].nested
        assert one is not None and other is not None
        assert {t: f.data for t, f in one.fields.items()} == {
            t: f.data for t, f in other.fields.items()
        }


def test_what_lies_outside_of_the_data_is_left_out() -> None:
    block = bytearray(written(Directory("<", {1: Field(ASCII, b"a long text\0")})))
    struct.pack_into("<L", block, 8 + 2 + 8, 10_000)
    assert read_directory(bytes(block)).fields == {}


def test_a_directory_that_contains_itself_is_read_once() -> None:
    pointer = Field(4, struct.pack("<L", 8))
    directory = read_directory(written(Directory("<", {EXIF_DIRECTORY: pointer})))
    assert EXIF_DIRECTORY in directory.fields


@pytest.mark.parametrize(
    "data",
    [b"", b"II", b"II*\0\xff\xff\xff\xff", b"GIF89a..", b"MM\0*\0\0\0\x08"],
)
def test_what_is_no_directory_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"neither TIFF nor EXIF|is cut off"):
        read_directory(data)
