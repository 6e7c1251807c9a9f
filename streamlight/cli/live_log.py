"""The log of a live command: without secrets, and without what the command says itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from streamlight.cli.status_line import StatusLine
from streamlight.urls import MaskingFilter

_TOLD = ("streamlight.sources.live", "streamlight.sinks.stream")
"""Their connections are told by the run, from their states."""


@contextmanager
def live_log(line: StatusLine, *, debug: bool) -> Iterator[None]:
    """Let the log's handlers mask URLs, and begin on a line of their own, within the block."""
    filters = (MaskingFilter(), _BesideStatusLine(line, has_all=debug))
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        for one in filters:
            handler.addFilter(one)
    try:
        yield
    finally:
        for handler in handlers:
            for one in filters:
                handler.removeFilter(one)


class _BesideStatusLine(logging.Filter):
    def __init__(self, line: StatusLine, *, has_all: bool) -> None:
        super().__init__()
        self._line = line
        self._has_all = has_all

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name in _TOLD and not self._has_all:
            return False
        self._line.clear()
        return True
