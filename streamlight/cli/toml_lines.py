"""In which line of a TOML file a value stands: the standard library's parser does not say."""

import tomllib
from typing import Any

Place = tuple[str | int, ...]
"""The way to a value: keys, and the number within an array of tables, from 0."""


def lines_of(text: str) -> dict[Place, int]:
    """Return the line, from 1, of every table and key of a document that is valid TOML.

    Each statement is found as the fewest lines that the parser takes, so nothing of the grammar
    is written here again.
    """
    found: dict[Place, int] = {}
    tables: dict[Place, int] = {}
    table: Place = ()
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        end, statement = _statement(lines, start)
        way = _way(statement)
        if lines[start].lstrip().startswith("["):
            table = ()
            for key in way:
                table = (*table, key)
                if lines[start].lstrip().startswith("[[") and len(table) == len(way):
                    tables[table] = tables.get(table, -1) + 1
                if table in tables:
                    table = (*table, tables[table])
                found.setdefault(table, start + 1)
        else:
            for length in range(1, len(way) + 1):
                found.setdefault((*table, *way[:length]), start + 1)
        start = end
    return found


def _statement(lines: list[str], start: int) -> tuple[int, dict[str, Any]]:
    """Return the line after the statement that begins at `start`, and what it says."""
    for end in range(start + 1, len(lines) + 1):
        try:
            return end, tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
    return len(lines), {}


def _way(statement: dict[str, Any]) -> tuple[str, ...]:
    """Follow the only key of each level; of an inline table with several keys none is followed."""
    way: list[str] = []
    inner: Any = statement
    while True:
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if not isinstance(inner, dict) or len(inner) != 1:
            return tuple(way)
        ((key, inner),) = inner.items()
        way.append(key)
