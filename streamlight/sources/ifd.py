"""Directories of tags as TIFF files and EXIF blocks hold them (TIFF 6.0, section 2).

The values are kept as the bytes they are, in the byte order of the file: what is not understood
is copied exactly.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Order = Literal["<", ">"]
"""Byte order, as struct and NumPy write it: little, big."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_SIZES = {16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7

EXIF_DIRECTORY, GPS_DIRECTORY, INTEROP_DIRECTORY = 0x8769, 0x8825, 0xA005
_NESTED = (EXIF_DIRECTORY, GPS_DIRECTORY, INTEROP_DIRECTORY)


@dataclass(frozen=True, slots=True)
class Field:
    """One tag's value.

    Attributes:
        kind: TIFF's number of the type: 3 is SHORT, and so on.
        data: the value, in the byte order of the file.
        at: where `data` begins in the file; 0 for a new one.
        nested: the directory that the value points to, of EXIF, GPS and interoperability.
    """

    kind: int
    data: bytes
    at: int = 0
    nested: "Directory | None" = None

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.data) // (_SIZES | _BIG_SIZES)[self.kind]


@dataclass(frozen=True, slots=True)
class Directory:
    """Tags and their values.

    Attributes:
        order: byte order of the values.
        fields: by tag.
        next: where the next directory lies (of the next page, or the thumbnail); 0 for none.
        next_at: where the file says so.
    """

    order: Order
    fields: Mapping[int, Field]
    next: int = 0
    next_at: int = 0

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's whole numbers; none when it is absent or not of whole numbers."""
        field = self.fields.get(tag)
        if field is None or field.kind not in _CODES:
            return ()
        code = f"{self.order}{field.count}{_CODES[field.kind]}"
        values: tuple[int, ...] = struct.unpack(code, field.data)
        return values

    def integer(self, tag: int, default: int = 0) -> int:
        """Return a tag's first whole number."""
        return next(iter(self.integers(tag)), default)

    def rational(self, tag: int) -> float | None:
        """Return a tag's first fraction; None when it is absent or has no meaning."""
        field = self.fields.get(tag)
        if field is None or field.kind != RATIONAL or not field.count:
            return None
        above, below = struct.unpack_from(f"{self.order}2L", field.data)
        return above / below if below else None

    def with_fields(self, fields: Mapping[int, Field]) -> "Directory":
        """Return the directory with some fields more, or others."""
        return replace(self, fields={**self.fields, **fields})


def new_field(order: Order, kind: int, *values: Any) -> Field:
    """Make a field of whole numbers (SHORT, LONG), fractions (RATIONAL) or bytes."""
    if kind == RATIONAL:
        pairs = [part for value in values for part in (round(value * 10_000), 10_000)]
        return Field(kind, struct.pack(f"{order}{len(pairs)}L", *pairs))
    if kind in _CODES and not isinstance(values[0], bytes):
        return Field(kind, struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values))
    return Field(kind, bytes(values[0]))


def read_directory(data: bytes) -> Directory:
    """Read the first directory of a TIFF file (BigTIFF too) or an EXIF block, and those inside.

    Fields of unknown types and those that lie outside of the data are left out.

    Raises:
        ValueError: it is neither.
    """
    if data[:2] not in (b"II", b"MM") or len(data) < 8:
        raise ValueError("neither TIFF nor EXIF")
    order: Order = "<" if data[:2] == b"II" else ">"
    (magic,) = struct.unpack_from(f"{order}H", data, 2)
    if magic == 43 and len(data) >= 16:
        return _read(data, struct.unpack_from(f"{order}Q", data, 8)[0], order, True, 0)
    if magic == 42:
        return _read(data, struct.unpack_from(f"{order}L", data, 4)[0], order, False, 0)
    raise ValueError("neither TIFF nor EXIF")


def next_directory(data: bytes, directory: Directory) -> Directory | None:
    """Read the directory after this one: of the next page, or the thumbnail of an EXIF block."""
    try:
        is_big = struct.unpack_from(f"{directory.order}H", data, 2) == (43,)
        return _read(data, directory.next, directory.order, is_big, 3) if directory.next else None
    except ValueError:
        return None


def _read(data: bytes, offset: int, order: Order, is_big: bool, depth: int) -> Directory:
    head, entry, inline = ("Q", "HHQ8s", 8) if is_big else ("H", "HHL4s", 4)
    sizes = _SIZES | _BIG_SIZES if is_big else _SIZES
    step = struct.calcsize(f"<{entry}")
    try:
        (count,) = struct.unpack_from(order + head, data, offset)
        start = offset + struct.calcsize(f"<{head}")
        if count > 0xFFFF:
            raise ValueError("too many fields")
        fields: dict[int, Field] = {}
        for at in range(start, start + count * step, step):
            tag, kind, number, value = struct.unpack_from(order + entry, data, at)
            size = number * sizes.get(kind, 0)
            where = at + step - inline
            if size > inline:
                (where,) = struct.unpack(order + "QL"[inline == 4], value)
            if not size or where + size > len(data) or tag in fields:
                continue
            fields[tag] = Field(kind, bytes(data[where : where + size]), where)
        next_at = start + count * step
        following = b"" + data[next_at : next_at + inline]
        (then,) = struct.unpack(order + "QL"[inline == 4], following.ljust(inline, b"\0"))
    except struct.error as error:
        raise ValueError("the directory of tags is cut off") from error
    directory = Directory(order, fields, then, next_at)
    for tag in _NESTED:
        pointer = directory.integer(tag)
        if pointer and depth < 2:
            try:
                nested = _read(data, pointer, order, is_big, depth + 1)
            except ValueError:
                del fields[tag]
            else:
                fields[tag] = replace(fields[tag], nested=nested)
    return directory


def write_directory(directory: Directory, offset: int) -> bytes:
    """Write a directory, its values and those inside it, to lie at `offset` of a file.

    Raises:
        ValueError: it does not fit into the 4 GiB of a TIFF file.
    """
    order = directory.order
    fields = {tag: f for tag, f in sorted(directory.fields.items()) if f.kind in _SIZES}
    entries = [struct.pack(f"{order}H", len(fields))]
    values = bytearray()
    after = offset + 2 + 12 * len(fields) + 4
    try:
        for tag, field in fields.items():
            kind, count, value = field.kind, field.count, field.data
            if field.nested is not None:
                kind, count = LONG, 1
                value = struct.pack(f"{order}L", after + len(values))
                values += write_directory(field.nested, after + len(values))
            elif len(value) > 4:
                place = struct.pack(f"{order}L", after + len(values))
                values += value
                value = place
            values += bytes(len(values) % 2)  # values begin on a word (TIFF 6.0)
            entries.append(struct.pack(f"{order}HHL4s", tag, kind, count, value))
    except struct.error as error:
        raise ValueError("more than 4 GiB") from error
    return b"".join(entries) + struct.pack(f"{order}L", 0) + bytes(values)


def header(order: Order, offset: int = 8) -> bytes:
    """Return the first eight bytes of a TIFF file whose directory lies at `offset`."""
    return (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, offset)
