"""A connection read in a thread of its own, which can be left behind when it is stuck.

libav cannot be told to stop: there is no cancel call, its timeouts can be outlasted, and closing a
container while another thread reads from it is a use after free. So nobody waits for a reader
without a limit. One that does not answer is abandoned: its thread is a daemon, hands over nothing
any more, and closes its connection by itself when the blocked call returns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av

CAPACITY = 3
"""Pictures that wait to be taken. The newest win."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded picture and when it came.

    Attributes:
        picture: as decoded.
        captured_at: `time.monotonic()` when its packet came.
        time_s: when it is shown, in seconds on the timeline of the source.
    """

    picture: av.VideoFrame
    captured_at: float
    time_s: float


class Feed(Protocol):
    """An open connection. Its methods may block for ever; only one thread calls them.

    Attributes:
        rate: nominal frames per second; None when the stream does not say.
        damaged_packets: packets that could not be decoded and were skipped.
    """

    rate: Fraction | None
    damaged_packets: int

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the pictures as they come; the end of the iteration is the end of the stream."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class NothingCame(Exception):
    """`Reader.get` waited in vain."""


class Reader:
    """Opens a feed, reads it, and hands its pictures over: the newest win, nobody waits for ever.

    Attributes:
        feed: the connection; None as long as it is being opened.
        overtaken: pictures thrown away because newer ones came before they were taken.
    """

    def __init__(self, open_feed: Callable[[Reader], Feed], name: str) -> None:
        """Start reading.

        Args:
            open_feed: opens the connection; called in the reader's thread with this reader, whose
                `is_abandoned` says when nothing more is wanted.
            name: of the thread.
        """
        self.feed: Feed | None = None
        self.overtaken = 0
        self._open_feed = open_feed
        self._pictures: deque[Arrival] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._is_abandoned = False
        self._is_woken = False
        self._when_abandoned: Callable[[], None] | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody takes pictures any more."""
        return self._is_abandoned

    @property
    def has_picture(self) -> bool:
        """Whether a picture can be taken without waiting."""
        return bool(self._pictures)

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def get(self, timeout_s: float) -> Arrival | None:
        """Take the oldest picture held; wait for one.

        Returns:
            The picture; None after the last one of the stream, or after `wake`.

        Raises:
            NothingCame: for `timeout_s` seconds.
            Exception: what the feed raised at its opening or reading.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (self._pictures or self._is_over or self._is_woken):
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise NothingCame
                self._changed.wait(left_s)
            if self._is_woken:
                return None
            if self._pictures:
                return self._pictures.popleft()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return None

    def wake(self) -> None:
        """Make `get` return None, now and from now on."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Want nothing more of it. Returns at once; the thread ends when it can."""
        with self._changed:
            self._is_abandoned = self._is_woken = True
            self._pictures.clear()
            self._changed.notify_all()
            hook = self._when_abandoned
        if hook is not None:
            hook()

    def when_abandoned(self, hook: Callable[[], None]) -> None:
        """Have a feed told, in another thread, that it is not wanted any more."""
        with self._changed:
            self._when_abandoned = hook
            is_late = self._is_abandoned
        if is_late:
            hook()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread, and say whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            feed = self.feed = self._open_feed(self)
            try:
                self._read(feed)
            finally:
                feed.close()
        except Exception as error:
            self._failure = error.with_traceback(None)  # its frames hold pictures
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _read(self, feed: Feed) -> None:
        for arrival in feed.arrivals():
            with self._changed:
                if self._is_abandoned:
                    return
                if len(self._pictures) >= CAPACITY:
                    self._pictures.popleft()
                    self.overtaken += 1
                self._pictures.append(arrival)
                self._changed.notify_all()
            del arrival
