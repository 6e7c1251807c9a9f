"""What libav logs, for a moment: wrong options by name, and facts that PyAV does not hand out.

PyAV's log goes through Python, and while it is on, a decoder's thread that logs waits for Python's
lock; whoever closes that decoder meanwhile waits for the thread with the lock held, and both for
ever. So the log is on only within these blocks, and one block at a time: two at once, each of which
puts back the level that it found, would leave it on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

LogEntry = tuple[int, str, str]
"""Level, name of the part of libav, message."""

_turn = threading.RLock()


@contextmanager
def libav_log(level: int, *, of_all_threads: bool) -> Iterator[list[LogEntry]]:
    """Collect what libav logs within the block, which must be short.

    Args:
        level: of `av.logging`, and what is more serious.
        of_all_threads: whether other threads' messages are wanted; else those of this thread.

    Yields:
        The entries so far.
    """
    with _turn:
        before, skips = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(level)
        av.logging.set_skip_repeated(False)  # else the second who fails has nothing to say
        try:
            with av.logging.Capture(local=not of_all_threads) as entries:
                yield entries
        finally:
            av.logging.set_level(before)
            av.logging.set_skip_repeated(skips)
