"""One line at the bottom of the terminal that is written over, under lines that stay."""

import os
import sys
import threading
from contextlib import suppress

from streamlight.cli.messages import one_line, say

_CLEAR = "\r\x1b[K"


class StatusLine:
    """A line on stderr; nothing at all when stderr is no terminal, or when it is not wanted.

    Any thread may call it.
    """

    def __init__(self, *, is_wanted: bool = True) -> None:
        """Decide whether there will be a line."""
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.is_shown = is_wanted and is_terminal
        self._lock = threading.RLock()
        self._text = ""

    def show(self, text: str) -> None:
        """Replace the line."""
        if not self.is_shown:
            return
        with self._lock:
            self._text = one_line(text)[: _columns() - 1]
            self._write(_CLEAR + self._text)

    def say(self, text: str) -> None:
        """Print a line that stays, above this one."""
        with self._lock:
            kept = self._text
            self.clear()
            say(text)
            if kept:
                self.show(kept)

    def clear(self) -> None:
        """Remove the line."""
        with self._lock:
            if self._text:
                self._text = ""
                self._write(_CLEAR)

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal was closed
            sys.stderr.write(text)
            sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
