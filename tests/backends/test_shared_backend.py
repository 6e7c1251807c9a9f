"""Several cameras on one backend: whose turn it is, and what happens at the end."""

import threading
import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
from fake_backend import FakeBackend
from numpy.typing import NDArray

from streamlight.backends.shared import FairGate, SharedBackend
from streamlight.enhance import Enhancer
from streamlight.errors import BackendError
from streamlight.frame import Image
from streamlight.models.prior_index import Place
from streamlight.models.spec import MODELS

pytestmark = pytest.mark.usefixtures("no_thread_left")

VIEW = np.zeros((1, 3, 96, 96), np.float32)
PICTURE = np.zeros((4, 6, 3), np.uint8)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Gate:
    """A gate of one slot whose callers wait in threads, and work for as long as a test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = FairGate(1, self.clock)
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def serve(self, name: str, took_s: float) -> None:
        with self.gate.turn(name):
            self.order.append(name)
            self.clock.now_s += took_s

    def queue(self, name: str, took_s: float) -> None:
        """Let a caller wait, and return once it does."""
        waiting = len(self.gate._waiting)
        thread = threading.Thread(target=self.serve, args=(name, took_s))
        self.threads.append(thread)
        thread.start()
        wait_until(lambda: len(self.gate._waiting) == waiting + 1)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_has_had_the_least_goes_next() -> None:
    subject = Gate()
    subject.serve("large", 1.0)
    subject.serve("small", 0.1)
    with subject.gate.turn("other"):
        subject.queue("large", 1.0)
        subject.queue("small", 0.1)
    subject.join()
    assert subject.order == ["large", "small", "small", "large"]


def compete(subject: Gate, cost_s: dict[str, float], until_s: float) -> dict[str, float]:
    """Let everybody always want a turn, until one has had so much; return what each has had."""
    had_s = dict.fromkeys(cost_s, 0.0)
    is_over = threading.Event()

    others = len(cost_s) - 1

    def work(name: str) -> None:
        while not is_over.is_set():
            with subject.gate.turn(name):
                wait_until(lambda: len(subject.gate._waiting) >= others or is_over.is_set())
                if is_over.is_set():
                    return
                subject.order.append(name)
                had_s[name] += cost_s[name]
                subject.clock.now_s += cost_s[name]
                if max(had_s.values()) > until_s:
                    is_over.set()

    subject.threads = [threading.Thread(target=work, args=(name,)) for name in cost_s]
    for thread in subject.threads:
        thread.start()
    subject.join()
    return had_s


def test_large_cameras_share_alike_and_a_small_one_never_waits_for_both() -> None:
    subject = Gate()
    had_s = compete(subject, {"large": 1.0, "small": 0.1, "middle": 0.3}, until_s=10)
    assert abs(had_s["large"] - had_s["middle"]) <= 1.3
    rest = "".join("s" if name == "small" else "-" for name in subject.order[2:])
    assert "--" not in rest, "it asks again as soon as it was served, and is served every time"


def test_who_was_idle_has_saved_nothing_up() -> None:
    subject = Gate()
    subject.serve("idle", 0.1)
    for _ in range(50):
        subject.serve("busy", 1.0)
        subject.serve("other", 1.0)
    had_s = compete(subject, {"idle": 0.5, "busy": 0.5, "other": 0.5}, until_s=6)
    assert min(had_s.values()) >= 4.5, "it does not get back what it did not want"


def test_no_more_are_inside_than_there_are_slots() -> None:
    gate, inside, most = FairGate(2), 0, 0
    lock = threading.Lock()

    def work(name: str) -> None:
        nonlocal inside, most
        for _ in range(20):
            with gate.turn(name):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work, args=(f"{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 2


def test_a_failure_gives_the_turn_back() -> None:
    gate = FairGate(1)
    with pytest.raises(ZeroDivisionError), gate.turn("a"):
        raise ZeroDivisionError
    with gate.turn("b"):
        pass


def test_closing_ends_those_who_wait() -> None:
    gate, errors = FairGate(1), list[BaseException]()

    def wait() -> None:
        try:
            with gate.turn("late"):
                raise AssertionError("it was let in")
        except BackendError as error:
            errors.append(error)

    with gate.turn("first"):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: bool(gate._waiting))
        gate.close()
        thread.join(5)
    assert len(errors) == 1 and "closed" in str(errors[0])
    with pytest.raises(BackendError), gate.turn("later"):
        pass


class CountingBackend(FakeBackend):
    """Notes how many calls of each kind run at once.

    A picture takes longer than an estimate, so that the next ones come while it is enhanced.
    """

    SECONDS: ClassVar = {"estimate": 0.0005, "reconstruct": 0.003}

    def __init__(self, parallel: int) -> None:
        super().__init__(parallel=parallel)
        self.most = {"estimate": 0, "reconstruct": 0}
        self._now = {"estimate": 0, "reconstruct": 0}
        self._lock = threading.Lock()

    def estimate(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._counted("estimate"):
            return super().estimate(view)

    def reconstruct(self, image: Image, prior: object, place: Place | None = None) -> Image:
        with self._counted("reconstruct"):
            return super().reconstruct(image, np.asarray(prior), place)

    def _counted(self, kind: str) -> "Counted":
        return Counted(self, kind)


class Counted:
    def __init__(self, backend: CountingBackend, kind: str) -> None:
        self.backend, self.kind = backend, kind

    def __enter__(self) -> None:
        with self.backend._lock:
            self.backend._now[self.kind] += 1
            now, most = self.backend._now[self.kind], self.backend.most[self.kind]
            self.backend.most[self.kind] = max(now, most)
        time.sleep(self.backend.SECONDS[self.kind])

    def __exit__(self, *_: object) -> None:
        with self.backend._lock:
            self.backend._now[self.kind] -= 1


def test_estimates_come_one_at_a_time_and_pictures_as_many_as_the_backend_takes() -> None:
    backend = CountingBackend(parallel=2)
    shared = SharedBackend(backend)

    def camera(name: str) -> None:
        lease = shared.lease(name)
        for _ in range(20):
            lease.reconstruct(PICTURE, lease.estimate(VIEW))

    threads = [threading.Thread(target=camera, args=(f"{i}",)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert backend.most == {"estimate": 1, "reconstruct": 2}
    assert len(backend.images) == 100


def test_the_end_of_one_camera_leaves_the_backend_to_the_others() -> None:
    backend = FakeBackend()
    shared = SharedBackend(backend)
    model = MODELS["gladnet-fast"]
    with Enhancer(shared.lease("door"), model) as door:
        assert door(PICTURE).shape == PICTURE.shape
    with Enhancer(shared.lease("yard"), model) as yard:
        assert yard(PICTURE).shape == PICTURE.shape
    assert not backend.is_closed
    shared.close()
    assert backend.is_closed
