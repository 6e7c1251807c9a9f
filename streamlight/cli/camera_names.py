"""Names for the cameras of a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import urlsplit

from streamlight.cameras.source import SourceKind, SourceSpec
from streamlight.errors import UsageError
from streamlight.urls import mask_url

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,62})=(.+)")
_MOST = 40


def names_of(sources: Sequence[str]) -> dict[str, str]:
    """Return the source of each camera by its name, in their order.

    "door=rtsp://..." says the name; otherwise it is made of the source: its host, the name of the
    file, or that of the device, with a number where it is taken.

    Raises:
        UsageError: a name is given twice.
    """
    named: dict[str, str] = {}
    for source in sources:
        match = _NAMED.fullmatch(source)
        if match:
            name, address = match.groups()
            if name.casefold() in {other.casefold() for other in named}:
                raise UsageError(f"{name}: is the name of two sources; choose another")
            named[name] = address
    result: dict[str, str] = {}
    for source in sources:
        match = _NAMED.fullmatch(source)
        if match:
            result[match[1]] = match[2]
            continue
        name = base = _name_of(SourceSpec(address=source))
        number = 2
        taken = {other.casefold() for other in (*named, *result)}
        while name.casefold() in taken:
            name = f"{base}-{number}"
            number += 1
        result[name] = source
    return result


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or url.partition(":")[0]
    except ValueError:  # brackets that belong to a password
        return url.partition(":")[0]


def _name_of(source: SourceSpec) -> str:
    match source.kind:
        case SourceKind.URL:
            # never the path or the query: a stream's key may be in it
            text = _host_of(mask_url(source.address))
        case SourceKind.DEVICE:
            text = "camera" + source.location if source.location.isdecimal() else source.location
            text = text.removeprefix("/dev/")
        case SourceKind.FILE:
            text = PurePath(source.location).stem
    name = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:_MOST].strip("-")
    return name or "camera"
