"""A backend that runs at once, and a better one that takes over between two frames.

The better one is opened, and made ready for each size of picture, in a thread of its own; until
then, and for good where that fails, the first one goes on. JIT compilers call it tiered
compilation.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from streamlight.backends.base import Backend, BackendInfo, Prior
from streamlight.errors import BackendError, DeviceLostError, StreamlightError
from streamlight.frame import Image
from streamlight.models.prior_index import Place
from streamlight.models.spec import PRIOR_SIZE

logger = logging.getLogger(__name__)

OpenBetter = Callable[[threading.Event], Backend]
"""Opens the better backend; where the event is set, it and the backend's builds end early."""

_FRAMES_BEFORE = 2
"""A single picture is not worth an engine: a size is asked for at its second frame."""

_PATIENCE_S = 1.0
"""What a build that has been told to stop may hold up the end; it then ends with the process."""


@dataclass(frozen=True, slots=True)
class Swap:
    """What came of making the better backend ready for one size of picture.

    Attributes:
        to: the better backend, in words.
        width: in pixels of what the network sees at once, a picture or a tile of one.
        height: likewise.
        at_s: when it took over, or failed: seconds since the first backend was opened.
        after_frames: frames that had begun on the first backend by then.
        build_s: how long the better one took to be ready: engines built or found, verified, run.
        failure: why the first one goes on; empty where the better one took over.
    """

    to: str
    width: int
    height: int
    at_s: float
    after_frames: int
    build_s: float
    failure: str = ""

    def __str__(self) -> str:
        """Say it in a line."""
        if self.failure:
            return f"{self.to} does not take over at {self.width}x{self.height}: {self.failure}"
        return (
            f"{self.to} took over at {self.width}x{self.height} after {self.after_frames} frames "
            f"and {self.at_s:.1f} s; its engines took {self.build_s:.1f} s"
        )


class HotSwapBackend:
    """Two backends of one model in the form of one.

    A frame, with all of its tiles, runs on the backend on which it began. Estimates of the
    illumination belong to the stream, not to a frame, and are FP32 on both.

    Attributes:
        parallel: of the first backend.
        memory: of the first backend.
    """

    def __init__(
        self,
        first: Backend,
        *,
        reopen: Callable[[], Backend],
        open_better: OpenBetter,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over an open backend; nothing is opened or started before the second frame.

        Args:
            first: runs from the first frame on; it is closed when nothing needs it any more.
            reopen: opens the first one again, when a size comes that the better one does not know.
            open_better: opens the better one, in another thread.
            name: of the better one, while it is not open.
            clock: seconds that only go forward.
        """
        self.parallel = first.parallel
        self.memory = first.memory
        self._reopen = reopen
        self._open_better = open_better
        self._name = name
        self._clock = clock
        self._began_s = clock()
        self._lock = threading.Lock()
        self._first: _InUse | None = _InUse(first)
        self._better: _InUse | None = None
        self._info = first.info
        self._kinds: dict[_Kind, _Progress] = {}
        self._latest: _Kind | None = None
        self._frames = 0
        self._swaps: list[Swap] = []
        self._is_swapped = False
        self._is_closed = False
        self._stop = threading.Event()
        self._requests: queue.SimpleQueue[_Kind | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._turn = _Turn()

    @property
    def info(self) -> BackendInfo:
        """The backend that the latest frame began on."""
        return self._info

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """What became of the better backend so far, one a size, in the order of time."""
        with self._lock:
            return tuple(self._swaps)

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        with self._lock:
            is_better = self._is_swapped and self._better is not None
            used = self._better if is_better and self._better else self._take_first()
            used.calls += 1
        try:
            return used.backend.estimate(view)
        finally:
            self._release(used)

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`; the tiles of a frame come from one thread, in their order."""
        kind = _Kind.of(image, place)
        used = self._begin(kind, place)
        try:
            try:
                result = used.backend.reconstruct(image, prior, place)
            except BackendError as error:
                result = self._go_back(used, kind, error).backend.reconstruct(image, prior, place)
            else:
                self._confirm(used, kind)
        except BaseException:
            self._leave()
            raise
        if kind.is_last(place):
            self._leave()
        return result

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`."""
        with self._lock:
            used = self._first or self._better
        return None if used is None else used.backend.free_bytes()

    def close(self) -> None:
        """Free the device. A build under way is stopped; one that cannot be is not waited for."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            first, self._first = self._first, None
            thread = self._thread
        self._stop.set()
        self._requests.put(None)
        if thread is not None:
            thread.join(_PATIENCE_S)  # it closes what it opened
            if thread.is_alive():
                logger.info("%s is still being built; the build ends with the process", self._name)
        if first is not None:
            first.backend.close()

    # In the frames' threads

    def _begin(self, kind: "_Kind", place: Place | None) -> "_InUse":
        """Choose the backend for a frame, or return that of the frame which a tile belongs to."""
        is_begin = place is None or (place.top, place.left) == (0, 0)
        if self._turn.used is not None and not is_begin:
            return self._turn.used
        self._leave()  # of a frame that was given up between two tiles
        with self._lock:
            progress = self._kinds.setdefault(kind, _Progress())
            self._latest = kind
            if progress.phase in (_Phase.READY, _Phase.SWAPPED) and self._better is not None:
                used = self._better
            else:
                used = self._take_first()
                self._frames += 1
                progress.frames += 1
                if progress.phase is _Phase.NEW and progress.frames >= _FRAMES_BEFORE:
                    self._request(kind, progress)
            self._use(used)
        return used

    def _use(self, used: "_InUse") -> None:
        used.calls += 1
        self._turn.used = used
        self._info = used.backend.info

    def _take_first(self) -> "_InUse":
        if self._is_closed:
            raise BackendError("the backend was closed")
        if self._first is None:
            self._first = _InUse(self._reopen())
        return self._first

    def _request(self, kind: "_Kind", progress: "_Progress") -> None:
        progress.phase = _Phase.BUILDING
        self._requests.put(kind)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._build, name="streamlight-engines", daemon=True
            )
            self._thread.start()

    def _confirm(self, used: "_InUse", kind: "_Kind") -> None:
        """Note the first frame that the better backend has run at a size."""
        with self._lock:
            progress = self._kinds[kind]
            if used is self._better and progress.phase is _Phase.READY:
                progress.phase = _Phase.SWAPPED
                self._is_swapped = True
                self._note(kind, str(used.backend.info), progress.build_s)

    def _go_back(self, used: "_InUse", kind: "_Kind", error: BackendError) -> "_InUse":
        """Give a frame back to the first backend, where the better one fails at its first."""
        with self._lock:
            progress = self._kinds[kind]
            is_proven = progress.phase is _Phase.SWAPPED
            if used is not self._better or is_proven or isinstance(error, DeviceLostError):
                raise error
            if progress.phase is _Phase.READY:
                progress.phase = _Phase.FAILED
                self._note(kind, str(used.backend.info), progress.build_s, error)
            used.calls -= 1
            first = self._take_first()
            self._frames += 1
            self._use(first)
        return first

    def _leave(self) -> None:
        used, self._turn.used = self._turn.used, None
        if used is not None:
            self._release(used)

    def _release(self, used: "_InUse") -> None:
        """End a call; close the first backend where nothing runs on it or will."""
        with self._lock:
            used.calls -= 1
            idle = self._first if self._is_first_idle() else None
            if idle is not None:
                self._first = None
        if idle is not None:
            idle.backend.close()

    def _is_first_idle(self) -> bool:
        if self._first is None or self._first.calls or self._latest is None:
            return False
        needing = (_Phase.BUILDING, _Phase.READY, _Phase.FAILED)
        is_latest_swapped = self._kinds[self._latest].phase is _Phase.SWAPPED
        return is_latest_swapped and not any(p.phase in needing for p in self._kinds.values())

    def _note(
        self, kind: "_Kind", to: str, build_s: float, error: BaseException | None = None
    ) -> None:
        at_s = self._clock() - self._began_s
        failure = "" if error is None else _say(error)
        swap = Swap(to, kind.width, kind.height, at_s, self._frames, build_s, failure)
        self._swaps.append(swap)
        logger.info("%s", swap)

    # In a thread of its own

    def _build(self) -> None:
        better: Backend | None = None
        while (kind := self._requests.get()) is not None and not self._stop.is_set():
            began_s = self._clock()
            try:
                if better is None:
                    better = self._open_better(self._stop)
                kind.run_once(better)
            except Exception as error:  # the thread's outermost frame; the first backend goes on
                self._take_failure(kind, better, error, self._clock() - began_s)
                if better is None:
                    return  # it cannot be opened; no other size is tried
            else:
                self._take_ready(kind, better, self._clock() - began_s)
        if better is not None:
            better.close()

    def _take_ready(self, kind: "_Kind", better: Backend, build_s: float) -> None:
        with self._lock:
            if self._better is None:
                self._better = _InUse(better)
            progress = self._kinds[kind]
            progress.phase, progress.build_s = _Phase.READY, build_s

    def _take_failure(
        self, kind: "_Kind", better: Backend | None, error: Exception, build_s: float
    ) -> None:
        if self._stop.is_set():
            return  # it was told to end
        logger.debug("no better backend", exc_info=error)
        with self._lock:
            self._kinds[kind].phase = _Phase.FAILED
            self._note(kind, self._name if better is None else str(better.info), build_s, error)


def swaps_of(backend: Backend) -> tuple[Swap, ...]:
    """Return what `HotSwapBackend.swaps` says; nothing for another backend."""
    return backend.swaps if isinstance(backend, HotSwapBackend) else ()


class _Phase(Enum):
    """How far the better backend is with a size of picture."""

    NEW = auto()
    BUILDING = auto()
    READY = auto()
    SWAPPED = auto()
    FAILED = auto()


@dataclass(slots=True)
class _InUse:
    """An open backend, and how many calls and frames it has under way."""

    backend: Backend
    calls: int = 0


@dataclass(slots=True)
class _Progress:
    """How far the better backend is with a kind of picture, and how many frames it had to miss."""

    phase: _Phase = _Phase.NEW
    frames: int = 0
    build_s: float = 0.0


class _Turn(threading.local):
    """The backend of the frame that this thread is in the middle of."""

    used: _InUse | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """What pictures or tiles an engine is for."""

    height: int
    width: int
    dtype: str
    frame_height: int
    frame_width: int

    @classmethod
    def of(cls, image: Image, place: Place | None) -> "_Kind":
        height, width = image.shape[:2]
        frame = (height, width) if place is None else (place.height, place.width)
        return cls(height, width, image.dtype.name, *frame)

    def is_last(self, place: Place | None) -> bool:
        """Whether a tile at this place is the last one of its frame."""
        return place is None or (
            place.top + self.height >= place.height and place.left + self.width >= place.width
        )

    def run_once(self, backend: Backend) -> None:
        """Let a backend build what it needs, and run a black picture in each of its contexts."""
        prior = backend.estimate(np.zeros((1, 3, PRIOR_SIZE, PRIOR_SIZE), np.float32))
        black = np.zeros((self.height, self.width, 3), self.dtype)
        is_tile = (self.frame_height, self.frame_width) != (self.height, self.width)
        place = Place(self.frame_height, self.frame_width, 0, 0) if is_tile else None
        for _ in range(backend.parallel):
            backend.reconstruct(black, prior, place)


def _say(error: BaseException) -> str:
    if isinstance(error, StreamlightError):
        return str(error)
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
