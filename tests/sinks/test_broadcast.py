"""Frames for viewers who come and go."""

import threading
import time

import pytest
from fakes import FakeEnhancer, FakeSource, make_frame

from streamlight.pipeline import Pipeline, WantsOriginal
from streamlight.sinks.broadcast import Broadcast

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_every_viewer_gets_the_newest_frame_once() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe() as first, broadcast.subscribe() as second:
        for index in range(3):
            broadcast.write(make_frame(index))
        assert (frame := first.get()) is not None and frame.index == 2
        assert first.get() is None
        broadcast.write(make_frame(3))
        assert (frame := second.get()) is not None and frame.index == 3
        assert (first.missed, second.missed) == (2, 3)


def test_a_viewer_who_takes_nothing_holds_up_nobody() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe():
        started = time.monotonic()
        for index in range(1000):
            broadcast.write(make_frame(index % 100))
        assert time.monotonic() - started < 2


def test_get_waits_for_a_frame_and_not_longer_than_asked() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe() as viewer:
        started = time.monotonic()
        assert viewer.get(0.1) is None
        assert 0.09 <= time.monotonic() - started < 2
        thread = threading.Timer(0.05, broadcast.write, [make_frame(7)])
        thread.start()
        assert (frame := viewer.get(5)) is not None and frame.index == 7
        thread.join()


def test_the_original_is_wanted_only_while_somebody_compares() -> None:
    broadcast = Broadcast()
    assert isinstance(broadcast, WantsOriginal)
    assert not broadcast.wants_original
    with broadcast.subscribe(wants_original=True) as viewer:
        assert broadcast.wants_original
        Pipeline(FakeSource(3), FakeEnhancer(), broadcast).run()
        assert (frame := viewer.get()) is not None and frame.original is not None
        viewer.wants_original = False
        assert not broadcast.wants_original
    assert broadcast.viewers == 0


def test_viewers_stay_over_the_runs_of_a_camera_and_hear_of_its_end() -> None:
    broadcast, told = Broadcast(), list[int]()
    with broadcast.subscribe(on_frame=lambda: told.append(1)) as viewer:
        for _ in range(2):
            Pipeline(FakeSource(3), FakeEnhancer(), broadcast).run()
            broadcast.abort()
        assert len(told) == 6 and not viewer.is_ended
        assert broadcast.latest is not None
        broadcast.close()
        assert len(told) == 7 and viewer.is_ended
        assert viewer.get(5) is not None, "the last frame still waits"
        assert viewer.get(5) is None
    assert broadcast.subscribe().is_ended, "who comes too late"


def test_closing_a_subscription_ends_its_wait() -> None:
    viewer = Broadcast().subscribe()
    thread = threading.Timer(0.05, viewer.close)
    thread.start()
    started = time.monotonic()
    assert viewer.get(10) is None
    assert time.monotonic() - started < 5
    thread.join()
