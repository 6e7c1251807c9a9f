"""What makes two runs the same job: facts by names that people know."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path

from streamlight.errors import SourceError

_ENDS_BYTES = 1 << 20
"""How much of the beginning and of the end of the input is compared: a hash of it all would take
minutes, and who changes a video changes its header or its index."""


def facts_of_input(path: Path) -> dict[str, object]:
    """Tell an input from others, and from what it becomes when it is written to.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            ends = hashlib.sha256(file.read(_ENDS_BYTES))
            file.seek(max(0, status.st_size - _ENDS_BYTES))
            ends.update(file.read(_ENDS_BYTES))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    return {
        "the size of the input": status.st_size,
        "the date of the input (ns)": status.st_mtime_ns,
        "the content of the input (SHA-256 of its ends)": ends.hexdigest(),
    }


def written_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """Write facts as text to keep; a dataclass becomes a fact for each field, "look.strength"."""
    return {name: json.dumps(value, default=str, sort_keys=True) for name, value in _flat(facts)}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Say what is not as it was: "encoder.crf was 20 and is 23 now"."""
    return [
        f"{name} was {_said(before.get(name))} and is {_said(now.get(name))} now"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def _said(value: str | None) -> str:
    return "not given" if value in (None, "null") else str(value)


def _flat(facts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in facts.items():
        if is_dataclass(value) and not isinstance(value, type):
            yield from ((f"{name}.{key}", held) for key, held in _flat(asdict(value)))
        else:
            yield name, value
