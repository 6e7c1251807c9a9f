"""Lines for people, on stderr: stdout is for what scripts read."""

import os
import sys


def say(text: str) -> None:
    """Print one line to stderr; a reader that has gone away is no reason to stop working."""
    try:
        print(one_line(text), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def one_line(text: str) -> str:
    """Join the lines of a text, and escape what a terminal would obey (names of files may)."""
    joined = "; ".join(stripped for line in text.splitlines() if (stripped := line.strip()))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)
