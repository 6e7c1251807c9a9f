"""The reader's thread, with feeds that get stuck."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import pytest

from streamlight.errors import SourceError
from streamlight.sources.live_reader import Arrival, NothingCame, Reader

pytest_plugins = ["live_fixtures"]


class FakeFeed:
    """Yields `count` pictures, then waits until `release`, and then ends or raises `error`."""

    rate: Fraction | None = Fraction(25)
    damaged_packets = 0

    def __init__(self, count: int = 0, error: Exception | None = None) -> None:
        self.count = count
        self.error = error
        self.is_stuck = threading.Event()
        self.release = threading.Event()
        self.is_closed = threading.Event()

    def arrivals(self) -> Iterator[Arrival]:
        for index in range(self.count):
            yield Arrival(av.VideoFrame(16, 16, "rgb24"), time.monotonic(), index / 25)
        self.is_stuck.set()
        self.release.wait(10)
        if self.error:
            raise self.error
        yield Arrival(av.VideoFrame(16, 16, "rgb24"), time.monotonic(), 99.0)

    def close(self) -> None:
        self.is_closed.set()


def start(feed: FakeFeed) -> Reader:
    return Reader(lambda reader: feed, "streamlight-live-test")


def test_the_newest_pictures_win(no_leak: None) -> None:
    feed = FakeFeed(10)
    reader = start(feed)
    feed.is_stuck.wait(5)
    taken = [reader.get(1) for _ in range(3)]
    assert [round(a.time_s * 25) for a in taken if a] == [7, 8, 9]
    assert reader.overtaken == 7
    feed.release.set()
    assert reader.get(1) is not None
    assert reader.get(1) is None, "the end"
    assert reader.join(2)


def test_nobody_waits_longer_than_asked_for(no_leak: None) -> None:
    feed = FakeFeed()
    reader = start(feed)
    started = time.monotonic()
    with pytest.raises(NothingCame):
        reader.get(0.2)
    assert 0.2 <= time.monotonic() - started < 0.5
    feed.release.set()
    assert reader.join(2)


def test_an_abandoned_reader_hands_nothing_over_and_closes_its_feed(no_leak: None) -> None:
    feed = FakeFeed(1)
    reader = start(feed)
    feed.is_stuck.wait(5)
    told: list[bool] = []
    reader.when_abandoned(lambda: told.append(True))
    started = time.monotonic()
    reader.abandon()
    assert not reader.join(0.1) and time.monotonic() - started < 0.3
    assert reader.get(1) is None and told == [True]
    feed.release.set()
    assert reader.join(2) and feed.is_closed.is_set()
    assert not reader.has_picture


def test_what_the_feed_raises_comes_out_after_the_pictures(no_leak: None) -> None:
    feed = FakeFeed(2, SourceError("the cable"))
    feed.release.set()
    reader = start(feed)
    assert reader.get(1) and reader.get(1)
    with pytest.raises(SourceError, match="the cable"):
        reader.get(1)
    assert feed.is_closed.wait(2)


def test_waking_ends_a_wait(no_leak: None) -> None:
    feed = FakeFeed()
    reader = start(feed)
    threading.Timer(0.2, reader.wake).start()
    started = time.monotonic()
    assert reader.get(5) is None
    assert time.monotonic() - started < 1
    feed.release.set()
    assert reader.join(2)
