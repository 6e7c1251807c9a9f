"""One backend takes over from another between two frames: real threads, fakes that wait."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_backend import FakeBackend

from streamlight.backends import BackendInfo
from streamlight.backends.hot_swap import HotSwapBackend, swaps_of
from streamlight.backends.shared import SharedBackend
from streamlight.errors import BackendError, BackendUnavailableError, DeviceLostError, EngineError
from streamlight.frame import Image
from streamlight.models.prior_index import Place

pytestmark = pytest.mark.usefixtures("no_thread_left")

VIEW = np.zeros((1, 3, 96, 96), np.float32)
FIRST, BETTER = 1, 2


def picture(level: int = 0, height: int = 4, width: int = 6) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


class Brighter(FakeBackend):
    """Adds 1 or 2 to a picture, so that the result tells who made it; waits and fails as told."""

    def __init__(self, by: int, parallel: int = 1) -> None:
        super().__init__(BackendInfo("first" if by == FIRST else "better", "GPU", "fp16"), parallel)
        self.by = by
        self.is_free = threading.Event()
        self.is_free.set()
        self.is_for_warm_ups = False  # whether only black pictures wait
        self.inside = 0
        self.failure: Exception | None = None
        self.failing_from = 0
        self._lock = threading.Lock()

    def reconstruct(self, image: Image, prior: Any, place: Place | None = None) -> Image:
        assert not self.is_closed, "used after it was closed"
        with self._lock:
            self.images.append(image)
            self.inside += 1
            number = len(self.images)
        if not (self.is_for_warm_ups and image.any()):
            assert self.is_free.wait(10)
        with self._lock:
            self.inside -= 1
        assert not self.is_closed, "closed under a frame"
        if self.failure is not None and number > self.failing_from:
            raise self.failure
        return np.asarray(image + np.uint8(self.by))


class Rig:
    """A first backend, and a better one that opens when a test says so."""

    def __init__(self, parallel: int = 1) -> None:
        self.firsts = [Brighter(FIRST, parallel)]
        self.better = Brighter(BETTER, parallel)
        self.may_open = threading.Event()
        self.opened = 0
        self.failure: Exception | None = None
        self.now_s = 100.0
        self.subject = HotSwapBackend(
            self.firsts[0],
            reopen=self.reopen,
            open_better=self.open,
            name="better",
            clock=lambda: self.now_s,
        )

    def reopen(self) -> Brighter:
        self.firsts.append(Brighter(FIRST))
        return self.firsts[-1]

    def open(self, stop: threading.Event) -> Brighter:
        self.opened += 1
        while not self.may_open.wait(0.001):
            if stop.is_set():
                raise EngineError("the build was stopped")
        if self.failure is not None:
            raise self.failure
        return self.better

    def run(self, level: int = 0, height: int = 4, width: int = 6) -> int:
        """Enhance a frame; return by whom."""
        result = self.subject.reconstruct(picture(level, height, width), VIEW)
        return int(result[0, 0, 0]) - level

    def run_until(self, by: int, height: int = 4, width: int = 6) -> list[int]:
        """Enhance frames until one comes from a backend; return them all."""
        found: list[int] = []

        def is_so() -> bool:
            found.append(self.run(0, height, width))
            return found[-1] == by

        wait_until(is_so)
        return found

    @property
    def warm_ups(self) -> int:
        return sum(int(not image.any()) for image in self.better.images)


@pytest.fixture
def rig() -> Any:
    rig = Rig()
    yield rig
    rig.may_open.set()
    rig.better.is_free.set()
    rig.subject.close()


def test_frames_go_at_once_and_the_better_backend_takes_over(rig: Rig) -> None:
    assert [rig.run() for _ in range(7)] == [FIRST] * 7
    assert (rig.subject.swaps, rig.subject.info.backend) == ((), "first")
    rig.now_s += 12.5
    rig.may_open.set()
    found = rig.run_until(BETTER)
    assert found == [FIRST] * (len(found) - 1) + [BETTER], "it went back and forth"
    (swap,) = rig.subject.swaps
    assert (swap.width, swap.height, swap.failure) == (6, 4, "")
    assert swap.after_frames == 7 + len(found) - 1
    assert (swap.at_s, swap.build_s) == (12.5, 12.5)
    assert str(swap) == (
        f"better, FP16 on GPU took over at 6x4 after {swap.after_frames} frames and 12.5 s; "
        "its engines took 12.5 s"
    )
    assert rig.subject.info.backend == "better"
    assert rig.firsts[0].is_closed and len(rig.firsts) == 1
    estimates = len(rig.better.views)
    rig.subject.estimate(VIEW)
    assert len(rig.better.views) == estimates + 1
    rig.subject.close()
    assert rig.better.is_closed


def test_a_single_picture_starts_nothing() -> None:
    rig = Rig()
    assert [rig.run(), rig.run(0, 8), rig.run(0, 12)] == [FIRST] * 3
    time.sleep(0.05)
    rig.subject.close()
    assert rig.opened == 0
    assert rig.firsts[0].is_closed


def test_no_frame_is_lost_or_enhanced_twice_from_several_threads() -> None:
    rig = Rig(parallel=4)
    levels = [1 + index % 200 for index in range(600)]

    def enhance(index: int) -> int:
        if index == 150:
            rig.may_open.set()
        time.sleep(0.0005)
        return int(rig.subject.reconstruct(picture(levels[index]), VIEW)[0, 0, 0])

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(enhance, range(600)))
    rig.subject.close()
    by = [result - level for result, level in zip(results, levels, strict=True)]
    assert set(by) == {FIRST, BETTER}
    calls = len(rig.firsts[0].images) + len(rig.better.images) - rig.warm_ups
    assert calls == 600
    (swap,) = rig.subject.swaps
    assert by.count(FIRST) == len(rig.firsts[0].images) >= swap.after_frames
    assert rig.warm_ups == 4, "one for each context"


def test_frames_in_flight_end_on_the_backend_they_began_on(rig: Rig) -> None:
    rig.run(), rig.run()
    first = rig.firsts[0]
    first.is_free.clear()
    with ThreadPoolExecutor(2) as threads:
        begun = [threads.submit(rig.run, level) for level in (1, 2)]
        wait_until(lambda: first.inside == 2)
        rig.may_open.set()
        wait_until(lambda: len(rig.better.images) == 1)  # warmed up
        wait_until(lambda: rig.subject._better is not None)
        assert rig.run(3) == BETTER
        assert not first.is_closed, "closed while frames run on it"
        first.is_free.set()
        assert [each.result(10) for each in begun] == [FIRST] * 2
    assert first.is_closed, "idle, and still open"


def test_all_tiles_of_a_frame_run_on_one_backend(rig: Rig) -> None:
    tiles = [Place(8, 6, top, 0) for top in (0, 2, 4)]

    def run_tile(place: Place) -> int:
        return int(rig.subject.reconstruct(picture(), VIEW, place)[0, 0, 0])

    for _ in range(2):
        assert [run_tile(place) for place in tiles] == [FIRST] * 3
    assert run_tile(tiles[0]) == FIRST
    rig.may_open.set()
    wait_until(lambda: rig.subject._better is not None)
    assert [run_tile(place) for place in tiles[1:]] == [FIRST] * 2
    assert not rig.firsts[0].is_closed
    assert [run_tile(place) for place in tiles] == [BETTER] * 3
    assert rig.subject.swaps[0].after_frames == 3, "frames, not tiles"
    assert rig.firsts[0].is_closed


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (BackendUnavailableError("tensorrt-rtx cannot run here: no"), "tensorrt-rtx cannot run"),
        (EngineError("the engine is wrong: 31.0 dB against FP32"), "the engine is wrong: 31.0 dB"),
        (RuntimeError("bug\nin many lines"), "RuntimeError: bug"),
    ],
)
def test_a_build_that_fails_leaves_the_first_backend(
    rig: Rig, failure: Exception, said: str
) -> None:
    rig.failure = failure
    rig.may_open.set()
    rig.run(), rig.run()
    wait_until(lambda: bool(rig.subject.swaps))
    assert [rig.run() for _ in range(5)] == [FIRST] * 5
    assert [rig.run(0, 8) for _ in range(5)] == [FIRST] * 5
    (swap,) = rig.subject.swaps
    assert swap.failure.startswith(said)
    assert str(swap) == f"better does not take over at 6x4: {swap.failure}"
    assert rig.opened == 1, "it was tried again"
    assert not rig.firsts[0].is_closed


def test_a_size_that_fails_leaves_the_first_backend_for_that_size(rig: Rig) -> None:
    rig.may_open.set()
    rig.better.failure = EngineError("the engine is wrong")
    rig.run(), rig.run()
    wait_until(lambda: bool(rig.subject.swaps))
    rig.better.failure = None
    rig.run_until(BETTER, height=8)
    assert [rig.run() for _ in range(3)] == [FIRST] * 3
    assert [swap.failure for swap in rig.subject.swaps] == ["the engine is wrong", ""]
    assert not rig.firsts[0].is_closed, "the size that failed needs it"


def test_a_frame_on_which_the_better_backend_fails_first_is_given_by_the_first(rig: Rig) -> None:
    rig.better.failure, rig.better.failing_from = BackendError("a launch failed"), 1
    rig.may_open.set()
    rig.run(), rig.run()
    wait_until(lambda: rig.subject._better is not None)
    assert [rig.run(level) for level in (5, 6, 7)] == [FIRST] * 3
    assert len(rig.better.images) == 2, "the black picture, and one frame"
    (swap,) = rig.subject.swaps
    assert (swap.failure, swap.after_frames) == ("a launch failed", 2)
    assert rig.subject.info.backend == "first"


@pytest.mark.parametrize("failing_from", [1, 2])
def test_a_lost_gpu_and_later_failures_are_raised(rig: Rig, failing_from: int) -> None:
    """After a first good frame, errors are those of a backend in use; a lost GPU always is."""
    lost = DeviceLostError("the GPU was lost")
    rig.better.failure = lost if failing_from == 1 else BackendError("it failed")
    rig.better.failing_from = failing_from
    rig.may_open.set()
    rig.run(), rig.run()
    wait_until(lambda: rig.subject._better is not None)
    if failing_from == 2:
        assert rig.run() == BETTER
    with pytest.raises(BackendError, match=r"the GPU was lost|it failed"):
        rig.run()


def test_a_change_of_size_builds_for_it_while_frames_go_on(rig: Rig) -> None:
    rig.may_open.set()
    rig.run_until(BETTER)
    assert rig.firsts[0].is_closed
    rig.better.is_free.clear()  # the build for the next size does not end
    assert [rig.run(0, 8) for _ in range(5)] == [FIRST] * 5
    assert len(rig.firsts) == 2, "opened again, once"
    rig.better.is_free.set()
    rig.run_until(BETTER, height=8)
    assert rig.run() == BETTER, "the size from before is there still"
    assert [swap.height for swap in rig.subject.swaps] == [4, 8]
    assert rig.opened == 1
    assert rig.firsts[1].is_closed


def test_the_first_backend_stays_while_a_size_is_built(rig: Rig) -> None:
    """Two cameras of two sizes, of which one has its engine."""
    rig.may_open.set()
    rig.run_until(BETTER)
    rig.better.is_free.clear()
    rig.better.is_for_warm_ups = True
    assert [rig.run(0, 8) for _ in range(2)] == [FIRST] * 2
    wait_until(lambda: rig.better.inside == 1)
    assert rig.run(1) == BETTER
    assert not rig.firsts[1].is_closed, "the other camera needs it for its next frame"
    assert rig.run(0, 8) == FIRST
    assert len(rig.firsts) == 2, "closed, and opened again"


def test_closing_ends_a_build_that_can_be_stopped(rig: Rig) -> None:
    rig.run(), rig.run()
    wait_until(lambda: rig.opened == 1)
    began = time.monotonic()
    rig.subject.close()
    assert time.monotonic() - began < 0.5
    assert rig.subject._thread is not None and not rig.subject._thread.is_alive()
    assert rig.subject.swaps == (), "a stop is no failure"
    assert rig.firsts[0].is_closed
    with pytest.raises(BackendError, match="was closed"):
        rig.run()


def test_a_better_backend_that_opens_too_late_is_closed(rig: Rig) -> None:
    rig.better.is_free.clear()
    rig.may_open.set()
    rig.run(), rig.run()
    wait_until(lambda: rig.better.inside == 1)
    began = time.monotonic()
    rig.subject.close()
    assert 0.5 < time.monotonic() - began < 3, "it waits a moment, and not for ever"
    rig.better.is_free.set()
    wait_until(lambda: rig.better.is_closed)
    thread = rig.subject._thread
    assert thread is not None
    thread.join(5)


ENDLESS = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from fake_backend import FakeBackend
from streamlight.backends.hot_swap import HotSwapBackend
backend = HotSwapBackend(
    FakeBackend(), reopen=FakeBackend, open_better=lambda stop: time.sleep(1000), name="better"
)
for _ in range(3):
    backend.reconstruct(np.zeros((4, 6, 3), np.uint8), None)
assert [t.name for t in threading.enumerate()][1:] == ["streamlight-engines"]
backend.close()
print("closed", flush=True)
"""


def test_a_process_ends_while_a_build_that_hears_nothing_goes_on() -> None:
    tests = str(Path(__file__).parents[1])
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, tests], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
    assert time.monotonic() - began < 30


def test_cameras_that_share_it_see_what_runs(rig: Rig) -> None:
    shared = SharedBackend(rig.subject)
    door, yard = shared.lease("door"), shared.lease("yard")
    assert {door.info.backend, shared.info.backend} == {"first"}
    rig.may_open.set()

    def has_better_taken_over() -> bool:
        return int(door.reconstruct(picture(), VIEW)[0, 0, 0]) == BETTER

    wait_until(has_better_taken_over)
    assert {yard.info.backend, shared.info.backend} == {"better"}
    assert int(yard.reconstruct(picture(), VIEW)[0, 0, 0]) == BETTER
    shared.close()
    assert rig.better.is_closed
    assert len(swaps_of(rig.subject)) == 1
    assert swaps_of(FakeBackend()) == ()
