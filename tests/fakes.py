"""Stand-ins for the parts of a pipeline. Frame i is grey i, its enhanced picture grey i + 100."""

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from streamlight.color import ColorSpec
from streamlight.errors import BackendError, SinkError, SourceError
from streamlight.frame import Frame, Image, StreamInfo
from streamlight.pipeline import Prior

WIDTH, HEIGHT = 6, 4
BRIGHTER = 100
PTS_STEP = 3
TIME_BASE = Fraction(1, 90)


def make_frame(index: int) -> Frame:
    """Return frame `index`: grey `index`, shown at index / 30 seconds."""
    image = np.full((HEIGHT, WIDTH, 3), index, np.uint8)
    return Frame(image, pts=PTS_STEP * index, time_base=TIME_BASE, index=index, duration=PTS_STEP)


def index_of(image: Image) -> int:
    """Read back which frame an original picture belongs to."""
    return int(image[0, 0, 0])


class FakeSource:
    """Yields `count` frames, at most 150; fails instead of yielding frame `fail_at`."""

    def __init__(self, count: int, *, delay_s: float = 0.0, fail_at: int | None = None) -> None:
        self.count = count
        self.delay_s = delay_s
        self.fail_at = fail_at
        self.error = SourceError("the fake source broke off")
        self.is_closed = False

    @property
    def info(self) -> StreamInfo:
        return StreamInfo(WIDTH, HEIGHT, Fraction(30), TIME_BASE, ColorSpec())

    def __iter__(self) -> Iterator[Frame]:
        try:
            for index in range(self.count):
                time.sleep(self.delay_s)
                if index == self.fail_at:
                    raise self.error
                yield self.frame(index)
            if self.fail_at == self.count:
                raise self.error
        finally:
            self.is_closed = True

    def frame(self, index: int) -> Frame:
        return make_frame(index)


class BlockedSource(FakeSource):
    """After `count` frames, waits like a camera that sends nothing; `release` frees its thread."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.is_blocked = threading.Event()
        self.release = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        yield from super().__iter__()
        self.is_blocked.set()
        self.release.wait()
        raise self.error


class InterruptibleSource(BlockedSource):
    """A blocked source that can be told to stop waiting, and then raises."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.interrupts = 0

    def interrupt(self) -> None:
        self.interrupts += 1
        self.release.set()


def no_delay(index: int) -> float:
    return 0.0


class FakeEnhancer:
    """Adds `BRIGHTER` to each picture; `delay_s(index)` is how long a reconstruction takes."""

    def __init__(
        self,
        parallel: int = 1,
        *,
        delay_s: Callable[[int], float] = no_delay,
        estimate_delay_s: float = 0.0,
        fail_estimate_at: int | None = None,
        fail_reconstruct_at: int | None = None,
    ) -> None:
        self.parallel = parallel
        self.delay_s = delay_s
        self.estimate_delay_s = estimate_delay_s
        self.fail_estimate_at = fail_estimate_at
        self.fail_reconstruct_at = fail_reconstruct_at
        self.error = BackendError("the fake network cannot run")
        self.estimated: list[tuple[int, float]] = []
        self.estimate_threads: set[str] = set()
        self.reconstructed: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def estimate(self, image: Image, time_s: float) -> Prior:
        index = index_of(image)
        time.sleep(self.estimate_delay_s)
        if index == self.fail_estimate_at:
            raise self.error
        self.estimated.append((index, time_s))
        self.estimate_threads.add(threading.current_thread().name)
        return np.full((1, 1, 96, 96), index, np.float32)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        index = index_of(image)
        assert prior[0, 0, 0, 0] == index, "the prior of another frame"
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(self.delay_s(index))
        with self._lock:
            self._at_once -= 1
            self.reconstructed.append(index)
        if index == self.fail_reconstruct_at:
            raise self.error
        return image + np.uint8(BRIGHTER)


class RecordingSink:
    """Keeps what it gets; fails at the frame with index `fail_at`, or in `finish`."""

    def __init__(
        self, *, delay_s: float = 0.0, fail_at: int | None = None, fail_finish: bool = False
    ) -> None:
        self.delay_s = delay_s
        self.fail_at = fail_at
        self.fail_finish = fail_finish
        self.error = SinkError("the fake disk is full")
        self.frames: list[Frame] = []
        self.finished = 0
        self.aborted = 0
        self.threads: set[str] = set()

    @property
    def indices(self) -> list[int]:
        return [frame.index for frame in self.frames]

    def write(self, frame: Frame) -> None:
        time.sleep(self.delay_s)
        if frame.index == self.fail_at:
            raise self.error
        self.frames.append(frame)
        self.threads.add(threading.current_thread().name)

    def finish(self) -> None:
        self.finished += 1
        self.threads.add(threading.current_thread().name)
        time.sleep(self.delay_s)
        if self.fail_finish:
            raise self.error

    def abort(self) -> None:
        self.aborted += 1


class BlockedSink(RecordingSink):
    """Its first `write` waits, like a network output whose peer is stuck, until `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_blocked = threading.Event()
        self.release = threading.Event()

    def write(self, frame: Frame) -> None:
        self.is_blocked.set()
        self.release.wait()
        super().write(frame)
