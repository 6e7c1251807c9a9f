"""A table: fitted to the terminal, and one row a line where there is none."""

import sys
from collections.abc import Iterable, Sequence


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    title: str = "",
    *,
    to_stderr: bool = False,
) -> None:
    """Print rows of plain text under a header; to stderr what comes beside a command's result."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    console = Console(width=width, highlight=False, stderr=to_stderr)
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for name in header:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # not markup: a cell may hold [brackets]
    console.print(table)
