"""A live source whose libav calls never return: simulated, for real ones cannot be had at will."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from streamlight.sources import live
from streamlight.sources.live import MOST_STUCK, LiveSource
from streamlight.sources.live_failures import Cause, LiveError
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import Backoff

pytest_plugins = ["live_fixtures"]


@pytest.fixture
def stuck(no_leak: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Thread]]:
    """Let every connection hang at opening until the end of the test; keep their threads."""
    threads: list[threading.Thread] = []
    release = threading.Event()

    def hang(*_: Any) -> None:
        threads.append(threading.current_thread())
        release.wait(30)
        raise LiveError("camera", Cause.CLOSED, "released")

    monkeypatch.setattr(live, "StreamFeed", hang)
    monkeypatch.setattr(live, "CLOSE_WAIT_S", 0.3)
    yield threads
    release.set()


def test_opening_that_hangs_is_given_up_in_time(stuck: list[threading.Thread]) -> None:
    source = LiveSource("rtsp://camera", LiveOptions(open_timeout_s=0.3, read_timeout_s=0.2))
    started = time.monotonic()
    with pytest.raises(LiveError, match=r"no answer within 0\.5 s"), source:
        pass
    assert time.monotonic() - started < 3
    assert [thread.daemon for thread in stuck] == [True]


def test_threads_that_hang_do_not_pile_up(stuck: list[threading.Thread]) -> None:
    options = LiveOptions(
        open_timeout_s=0.05,
        read_timeout_s=0.05,
        wait_for_source=True,
        max_retries=12,
        backoff=Backoff(first_s=0.01, cap_s=0.01),
    )
    source = LiveSource("rtsp://camera", options)
    with pytest.raises(LiveError, match=f"{MOST_STUCK} earlier connections are still stuck"):
        source.connect()
    assert len(stuck) == MOST_STUCK


def test_an_interrupt_ends_a_hanging_connect(stuck: list[threading.Thread]) -> None:
    source = LiveSource("rtsp://camera")
    threading.Timer(0.2, source.interrupt).start()
    started = time.monotonic()
    with pytest.raises(Exception, match="interrupted"), source:
        pass
    assert time.monotonic() - started < 3
