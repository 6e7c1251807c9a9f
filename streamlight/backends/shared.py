"""One open backend for several cameras: one copy of the weights, and a fair share for each."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamlight.backends.base import Backend, BackendInfo, MemoryNeed, Prior
from streamlight.errors import BackendError
from streamlight.frame import Image
from streamlight.models.prior_index import Place


class FairGate:
    """Lets a few at a time through, and of those who wait the one who has had the least.

    Start-time fair queueing: who comes is marked with the time that it has had, but at least that
    of whom was let through last, so nobody saves up a claim while idle; the least mark goes next.
    P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996, with the cost known only
    afterwards.
    """

    def __init__(self, slots: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """Open a gate.

        Args:
            slots: how many may be inside at once.
            clock: seconds that only go forward.
        """
        self._free = slots
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._numbers = itertools.count()
        self._virtual_s = 0.0
        self._had_s: dict[str, float] = {}
        self._is_closed = False

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait for a turn, and hold it within the block; the time inside counts for `name`.

        Raises:
            BackendError: the gate was closed, before or while this waited.
        """
        ticket = self._enter(name)
        if ticket is not None:
            ticket.is_called.wait()
            if ticket.is_refused:
                raise _closed()
        began_s = self._clock()
        try:
            yield
        finally:
            self._leave(name, self._clock() - began_s)

    def forget(self, name: str) -> None:
        """Drop what is known of one that does not come back."""
        with self._lock:
            self._had_s.pop(name, None)

    def close(self) -> None:
        """Let nobody through any more."""
        with self._lock:
            self._is_closed = True
            for ticket in self._waiting:
                ticket.is_refused = True
                ticket.is_called.set()
            self._waiting.clear()

    def _enter(self, name: str) -> _Ticket | None:
        """Go through at once, or return the ticket to wait with."""
        with self._lock:
            if self._is_closed:
                raise _closed()
            mark_s = self._had_s[name] = max(self._had_s.get(name, 0.0), self._virtual_s)
            if self._free:
                self._free -= 1
                self._virtual_s = mark_s
                return None
            ticket = _Ticket(mark_s, next(self._numbers))
            heapq.heappush(self._waiting, ticket)
            return ticket

    def _leave(self, name: str, took_s: float) -> None:
        with self._lock:
            if name in self._had_s:
                self._had_s[name] += took_s
            if not self._waiting:
                self._free += 1
                return
            ticket = heapq.heappop(self._waiting)
            self._virtual_s = ticket.mark_s
            ticket.is_called.set()


@dataclass(order=True, slots=True)
class _Ticket:
    mark_s: float
    number: int
    is_called: threading.Event = field(default_factory=threading.Event, compare=False)
    is_refused: bool = field(default=False, compare=False)


class SharedBackend:
    """An open backend that several cameras use in turn.

        shared = SharedBackend(backend)
        door = Enhancer(shared.lease("door"), model)
        yard = Enhancer(shared.lease("yard"), model)
        ...
        shared.close()

    Attributes:
        memory: what it takes, for all cameras together but for the pictures.
    """

    def __init__(self, backend: Backend) -> None:
        """Take over an open backend; `close` closes it."""
        self.memory = backend.memory
        self._backend = backend
        self._estimating = FairGate(1)  # a backend's `estimate` is for one thread
        self._reconstructing = FairGate(backend.parallel)

    @property
    def info(self) -> BackendInfo:
        """What runs the network."""
        return self._backend.info

    def lease(self, name: str) -> Lease:
        """Return the backend as one camera uses it; `name` tells the cameras apart."""
        return Lease(name, self._backend, self._estimating, self._reconstructing)

    def close(self) -> None:
        """Free the device; calls that wait for their turn end with a BackendError."""
        self._estimating.close()
        self._reconstructing.close()
        self._backend.close()


class Lease:
    """A camera's share of a `SharedBackend`, in the form of a `Backend`.

    Attributes:
        memory: see `Backend`.
        parallel: 1: live pictures are wanted one after the other, the others are other cameras'.
    """

    def __init__(
        self, name: str, backend: Backend, estimating: FairGate, reconstructing: FairGate
    ) -> None:
        """See `SharedBackend.lease`."""
        self.memory: MemoryNeed = backend.memory
        self.parallel = 1
        self._name = name
        self._backend = backend
        self._estimating = estimating
        self._reconstructing = reconstructing

    @property
    def info(self) -> BackendInfo:
        """See `Backend.info`."""
        return self._backend.info

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        with self._estimating.turn(self._name):
            return self._backend.estimate(view)

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`."""
        with self._reconstructing.turn(self._name):
            return self._backend.reconstruct(image, prior, place)

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`."""
        return self._backend.free_bytes()

    def close(self) -> None:
        """Give the share back; the others keep theirs."""
        self._estimating.forget(self._name)
        self._reconstructing.forget(self._name)


def _closed() -> BackendError:
    return BackendError("the engine that the cameras share was closed")
