"""The priority of this process's threads, which libraries raise behind its back."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_SYS_NICE = 1 << 23
"""The capability to raise priorities; man capabilities(7)."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("thread", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def no_raised_priority() -> Iterator[None]:
    """Keep the calling thread, and those it starts, from raising their priority meanwhile.

    SVT-AV1, run by root, gives its threads and the one that opens it the highest real-time
    priority (SCHED_FIFO, 99), which all threads that are started later inherit. Such threads are
    never interrupted for one another: those that wait in a loop for another one keep the cores
    from it, and a machine of few cores stands still. Without the capability for it SVT-AV1 goes
    on as it does for other users. Only on Linux; nothing is done elsewhere, or for users that
    lack the capability.

    Source: man capset(2), capabilities(7).
    """
    sets = _capabilities()
    if sets is None or not sets[0].effective & _SYS_NICE:
        yield
        return
    sets[0].effective &= ~_SYS_NICE
    is_dropped = _set_capabilities(sets)
    try:
        yield
    finally:
        if is_dropped:
            sets[0].effective |= _SYS_NICE
            _set_capabilities(sets)


def _capabilities() -> "ctypes.Array[_Set] | None":
    """Return the calling thread's sets of capabilities, of 32 each; None where there are none."""
    if sys.platform != "linux":
        return None
    sets = (_Set * 2)()
    header = _Header(_VERSION_3, 0)
    failed = ctypes.CDLL(None).capget(ctypes.byref(header), sets)
    return None if failed else sets


def _set_capabilities(sets: "ctypes.Array[_Set]") -> bool:
    """Set those of the calling thread; return whether that was allowed."""
    header = _Header(_VERSION_3, 0)
    return not ctypes.CDLL(None).capset(ctypes.byref(header), sets)
