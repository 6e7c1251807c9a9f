"""Frames from a network camera or any live URL, with reconnects and without a read that hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

from streamlight.errors import SourceError
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.live_clock import LiveClock
from streamlight.sources.live_failures import PERMANENT, Cause, LiveError
from streamlight.sources.live_feed import StreamFeed
from streamlight.sources.live_frames import LiveFrames, describe
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.live_reader import Arrival, Feed, NothingCame, Reader
from streamlight.sources.live_sound import LiveSound
from streamlight.sources.reconnect import LivePhase, LiveState
from streamlight.urls import mask_url

logger = logging.getLogger(__name__)

CLOSE_WAIT_S = 1.5
"""How long `close` waits for a reader that may be stuck."""

MOST_STUCK = 4
"""No further connection is tried while so many threads are stuck in libav."""


class LiveSource:
    """The first video of a live URL: RTSP, RTMP, SRT, HLS, UDP, HTTP MJPEG.

        with LiveSource("rtsp://user:password@camera/stream") as source:
            for frame in source:
                ...

    A lost connection is made again, and the frames go on with the same timeline: `pts` grows, an
    outage is a gap of its length. A camera may come back with another size, or change it in
    mid-stream: then the frames have the new size, `Frame.image.shape` says which, and `info` stays
    that of the first one.

    The iteration ends when a recording is over (HLS and HTTP may serve one), or after `interrupt`;
    `state` tells which. A source that is given up raises.

    Only the newest pictures are held: a slow taker misses frames and does not delay them.

    Attributes:
        name: the URL without its secrets.
        options: how to connect.
        side: the sound, for sinks that record or send on; in the form of `SideStreams`.
        shift_s: 0; in the form of `FileSource`.
        reconnects: how often a lost connection was made again.
        losses: how often a connection was lost, by cause.
    """

    def __init__(
        self,
        url: str,
        options: LiveOptions | None = None,
        *,
        on_state: Callable[[LiveState], None] | None = None,
    ) -> None:
        """Prepare a source; `connect`, or `with`, opens it.

        Args:
            url: of the stream, with user name and password if it needs them.
            options: how to connect.
            on_state: called at every change of `state`, in the thread that connects or iterates.
        """
        self.name = mask_url(url)
        self.options = options or LiveOptions()
        self.side = LiveSound()
        self.shift_s = 0.0
        self.reconnects = 0
        self.losses: Counter[Cause] = Counter()
        self._url = url
        self._on_state = on_state
        self._state = LiveState()
        self._frames = LiveFrames()
        self._info: StreamInfo | None = None
        self._first: Arrival | None = None
        self._origin: float | None = None
        self._stop = threading.Event()
        self._reader: Reader | None = None
        self._generation = 0
        self._connected_at = 0.0
        self._attempts = 0
        self._waits = self.options.backoff.waits()
        self._abandoned: list[Reader] = []
        self._overtaken = 0
        self._damaged = 0

    def __repr__(self) -> str:
        """Name the source, without secrets."""
        return f"LiveSource({self.name!r}, {self._state.phase})"

    def __enter__(self) -> Self:
        """Connect, and return the source itself."""
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    @property
    def info(self) -> StreamInfo:
        """What the stream is, by its first picture.

        Raises:
            SourceError: the source is not connected yet.
        """
        if self._info is None:
            raise SourceError(f"{self.name}: not connected yet; call connect() first")
        return self._info

    @property
    def state(self) -> LiveState:
        """What the source is doing, why, and since when."""
        return self._state

    @property
    def frames_overtaken(self) -> int:
        """Pictures thrown away because newer ones came before they were taken."""
        return self._overtaken + (self._reader.overtaken if self._reader else 0)

    @property
    def damaged_packets(self) -> int:
        """Packets that could not be decoded and were skipped."""
        feed = self._feed
        return self._damaged + (feed.damaged_packets if feed else 0)

    def connect(self) -> StreamInfo:
        """Connect and wait for the first picture; a second call does nothing.

        Raises:
            SourceError: no connection could be made (see `LiveOptions.wait_for_source`), or
                `interrupt` was called meanwhile.
        """
        if self._info is not None:
            return self._info
        self._enter(LivePhase.CONNECTING)
        arrival = self._connect(None)
        if arrival is None:
            raise SourceError(f"{self.name}: interrupted before it was connected")
        self._first = arrival
        self._info = describe(arrival, self._rate)
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come, with strictly increasing `pts`.

        Raises:
            SourceError: the source was lost and could not be reached again, or refuses its user.
        """
        self.connect()
        while (arrival := self._next()) is not None:
            frame = self._frames.make(arrival, self._rate)
            del arrival
            if frame.index == 0:
                self.side.start(self._frames.zero_s)
            yield frame
            del frame

    def interrupt(self) -> None:
        """End `connect` and the iteration soon; any thread may call it, at any time."""
        self._stop.set()
        reader = self._reader
        if reader is not None:
            reader.wake()

    def close(self) -> None:
        """Close the connection; frames already yielded stay valid.

        Waits at most `CLOSE_WAIT_S` for a connection that does not answer. Its thread is left
        behind then, and ends when libav's own timeout ends the call that it waits for.
        """
        self.interrupt()
        self._first = None
        self._abandon()
        deadline = time.monotonic() + CLOSE_WAIT_S
        for reader in self._abandoned:
            if not reader.join(max(0.0, deadline - time.monotonic())):
                logger.info("%s: left a connection behind that does not answer", self.name)
        if self._state.phase not in (LivePhase.ENDED, LivePhase.FAILED, LivePhase.CLOSED):
            self._enter(LivePhase.CLOSED)

    @property
    def _feed(self) -> Feed | None:
        return self._reader.feed if self._reader else None

    @property
    def _rate(self) -> Fraction | None:
        return self._feed.rate if self._feed else None

    def _next(self) -> Arrival | None:
        """Return the next picture, over as many connections as it takes; None at the end."""
        arrival, self._first = self._first, None
        if self._reader is None or self._stop.is_set():
            return None
        if arrival is not None:
            if not self._reader.has_picture:
                return arrival
            self._overtaken += 1  # while the network and the sinks were prepared
        try:
            arrival = self._receive(self._reader, self.options.read_timeout_s)
        except LiveError as error:
            self.losses[error.cause] += 1
            arrival = self._connect(error)
        if arrival is None:
            self._abandon()
            if self._stop.is_set():
                self._enter(LivePhase.CLOSED, "interrupted")
            else:
                self._enter(LivePhase.ENDED)
        return arrival

    def _connect(self, lost: LiveError | None) -> Arrival | None:
        """Connect until a picture comes; None when interrupted.

        Args:
            lost: why the connection before is gone; None for the first one.
        """
        error = lost
        if lost and time.monotonic() - self._connected_at >= self.options.backoff.stable_s:
            self._attempts, self._waits = 0, self.options.backoff.waits()
        while not self._stop.is_set():
            self._abandon()
            if error is not None and not self._wait_to_retry(error, lost is None):
                break
            try:
                arrival = self._open()
            except LiveError as again:
                error = again
                continue
            if arrival is None:
                break
            self._connected_at = time.monotonic()
            if lost is not None:
                self.reconnects += 1
                self._frames.segment = self.reconnects
                logger.warning("%s: connected again (reconnect %d)", self.name, self.reconnects)
            self._enter(LivePhase.CONNECTED)
            return arrival
        self._abandon()
        return None

    def _wait_to_retry(self, error: LiveError, is_first: bool) -> bool:
        """Wait before the next attempt; False when interrupted.

        Raises:
            LiveError: `error`, where no further attempt is wanted.
        """
        limit = self.options.max_retries
        is_spent = limit is not None and self._attempts >= limit
        if error.cause in PERMANENT or is_spent or (is_first and not self.options.wait_for_source):
            self._enter(LivePhase.FAILED, error.reason)
            if is_spent and self._attempts:
                tries = f"given up after {self._attempts} attempts: {error.reason}"
                raise LiveError(self.name, error.cause, tries) from error
            raise error
        self._attempts += 1
        wait_s = next(self._waits)
        self._enter(LivePhase.CONNECTING if is_first else LivePhase.RECONNECTING, error.reason)
        level = logging.WARNING if self._attempts == 1 else logging.INFO
        logger.log(
            level, "%s: %s; attempt %d in %.1f s", self.name, error.reason, self._attempts, wait_s
        )
        return not self._stop.wait(wait_s)

    def _open(self) -> Arrival | None:
        """Make one connection and wait for its first picture.

        Raises:
            LiveError: it failed, or brought nothing in time.
        """
        self._abandoned = [reader for reader in self._abandoned if reader.is_alive]
        if len(self._abandoned) >= MOST_STUCK:
            stuck = f"{len(self._abandoned)} earlier connections are still stuck"
            raise LiveError(self.name, Cause.NO_ANSWER, stuck)
        self._generation += 1
        clock = LiveClock(self._origin, self._frames.last_s, self.name)
        reader = self._start_reader(self._generation, clock)
        self._reader = reader
        if self._stop.is_set():  # `interrupt` may have looked before there was a reader
            return None
        timeout_s = self.options.open_timeout_s + self.options.read_timeout_s
        arrival = self._receive(reader, timeout_s)
        if arrival is not None and self._origin is None:
            self._origin = arrival.captured_at - arrival.time_s
        return arrival

    def _start_reader(self, generation: int, clock: LiveClock) -> Reader:
        def open_feed(reader: Reader) -> Feed:
            return StreamFeed(self._url, self.options, clock, self.side, generation, reader)

        return Reader(open_feed, f"streamlight-live-{generation}")

    def _receive(self, reader: Reader, timeout_s: float) -> Arrival | None:
        try:
            return reader.get(timeout_s)
        except NothingCame:
            if reader.feed is not None:
                reason = f"connected, but no picture came for {timeout_s:g} s"
                raise LiveError(self.name, Cause.STALLED, reason) from None
            reason = f"no answer within {timeout_s:g} s"
            raise LiveError(self.name, Cause.NO_ANSWER, reason) from None

    def _abandon(self) -> None:
        """Leave the connection to its thread, which closes it as soon as it can."""
        reader, self._reader = self._reader, None
        if reader is not None:
            self._overtaken += reader.overtaken
            self._damaged += reader.feed.damaged_packets if reader.feed else 0
            reader.abandon()
            self._abandoned.append(reader)

    def _enter(self, phase: LivePhase, reason: str = "") -> None:
        since = self._state.since if phase is self._state.phase else time.time()
        self._state = LiveState(phase, reason, since)
        if self._on_state is not None:
            self._on_state(self._state)
