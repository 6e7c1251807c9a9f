"""The scheduling of this process's threads, which libraries change behind its back."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TASKS = "/proc/self/task"
"""Where Linux lists the threads of a process by their numbers."""


@contextmanager
def kept_thread_priority() -> Iterator[None]:
    """Put the threads' scheduling back as it was, new threads' to that of the calling one.

    SVT-AV1, run by root, gives its threads and the one that opens it the highest real-time
    priority (SCHED_FIFO, 99), which all threads that are started later inherit. Those that wait
    for others in a loop, as those of OpenMP and TBB do, then keep the others from running, and a
    machine of few cores stands still. Only on Linux; nothing is done elsewhere.
    """
    before = _scheduling()
    try:
        yield
    finally:
        usual = before.get(threading.get_native_id())
        for thread, (policy, priority) in _scheduling().items():
            kept = before.get(thread, usual)
            if kept is not None and kept != (policy, priority):
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, kept[0], os.sched_param(kept[1]))


def _scheduling() -> dict[int, tuple[int, int]]:
    """Return policy and priority of each thread of this process."""
    found: dict[int, tuple[int, int]] = {}
    if sys.platform == "linux":
        for thread in map(int, os.listdir(_TASKS)):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                priority = os.sched_getparam(thread).sched_priority
                found[thread] = os.sched_getscheduler(thread), priority
    return found
