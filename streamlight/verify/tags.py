"""Compares the chapters of two files, and what their containers tell about them."""

import re
from collections.abc import Collection, Iterator

from streamlight.sources.inventory import FileContent
from streamlight.verify.streams import TOLERANCE_S, Difference

_KEPT_BY_ALL = frozenset(
    {"title", "artist", "album", "comment", "genre", "copyright", "creation_time", "location"}
)
"""Metadata that every container we write has a place for."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_NUMBER = re.compile(r"[+-]\d+(?:\.\d+)?")
_PLACE = re.compile(r"(?:[+-]\d+(?:\.\d+)?){2,3}/?")
"""A place as ISO 6709 writes it."""

_OF_THE_OLD_FILE = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
)


def compare_chapters(
    before: FileContent, after: FileContent, shift_s: float
) -> Iterator[Difference]:
    """Compare number, titles and starts; the output's are later by `shift_s`, or as they were.

    Where sound begins before 0, Matroska's muxer starts the clock there, but moves no chapters.
    """
    if len(before.chapters) != len(after.chapters):
        yield Difference("chapters", str(len(before.chapters)), str(len(after.chapters)))
        return
    for number, (one, other) in enumerate(
        zip(before.chapters, after.chapters, strict=True), start=1
    ):
        if one.title != other.title:
            yield Difference(f"title of chapter {number}", one.title, other.title)
        moved_s = other.start_s - one.start_s
        if min(abs(moved_s), abs(moved_s - shift_s)) > TOLERANCE_S:
            yield Difference(
                f"start of chapter {number}",
                f"{one.start_s + shift_s:.3f} s",
                f"{other.start_s:.3f} s",
            )


def compare_metadata(
    before: FileContent, after: FileContent, lost: Collection[str]
) -> Iterator[Difference]:
    """Compare what the output's container has a place for, but for the names that are `lost`."""
    found = {key.lower(): value for key, value in after.metadata.items()}
    keeps_all = "matroska" in after.formats
    for key, value in before.metadata.items():
        name = key.lower()
        if name in _OF_THE_OLD_FILE or name in lost:
            continue
        if not keeps_all and name not in _KEPT_BY_ALL:
            continue
        if _plain(found.get(name)) != _plain(value):
            yield Difference(f"metadata {key}", value, found.get(name, "none"))


def _plain(value: str | None) -> str | None:
    """Write a time and a place in one way, as containers write them in several.

    "2016-05-31 17:01:35" is "2016-05-31T17:01:35.000000Z"; "+40.6-074.0/" is "+40.600-074.000/".
    """
    if value is None:
        return None
    if _TIME.match(value):
        return value[:19].replace(" ", "T")
    if _PLACE.fullmatch(value):
        return " ".join(f"{float(number):.4f}" for number in _NUMBER.findall(value))
    return value.strip()
