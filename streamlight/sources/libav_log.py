"""What libav logs, for a moment: wrong options by name, and facts that PyAV does not hand out.

PyAV's log goes through Python, and while it is on, a decoder's thread that logs waits for Python's
lock; whoever frees that decoder meanwhile (`CodecContext.__dealloc__`) waits for the thread with
the lock held, and both for ever. `opening.close_input` brings the threads to rest first. Besides,
the log is on only within these blocks, and one block at a time: two at once, each of which puts
back the level that it found, would leave it on. Within a block no garbage collection frees a
decoder that somebody has left behind.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

LogEntry = tuple[int, str, str]
"""Level, name of the part of libav, message."""

_QUIET = -8
"""AV_LOG_QUIET."""
_LET_IN_S = 0.002

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
        collects = gc.isenabled()
        try:  # from here on: a signal's exception must not leave the log on
            gc.disable()
            av.logging.set_level(level)
            av.logging.set_skip_repeated(False)  # else the second who fails has nothing to say
            with av.logging.Capture(local=not of_all_threads) as entries:
                yield entries
        finally:
            if before is None:
                _turn_off()
            else:
                av.logging.set_level(before)
            av.logging.set_skip_repeated(skips)
            if collects:
                gc.enable()


def _turn_off() -> None:
    """Turn the log off, after the threads that wait with a message have brought it.

    PyAV compares it with the level, and prints a traceback where there is none any more. Messages
    that come meanwhile go to libav's own log, which is told to be quiet.
    """
    av.logging.set_level(av.logging.PANIC)
    av.logging.set_libav_level(_QUIET)
    av.logging.restore_default_callback()
    time.sleep(_LET_IN_S)
    av.logging.set_level(None)
    av.logging.set_libav_level(av.logging.INFO)  # as it is when a process starts
