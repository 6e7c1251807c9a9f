"""Sending live pictures on: RTSP, RTMP, SRT, UDP, TCP and HLS."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from streamlight.errors import SinkError
from streamlight.frame import Frame, StreamInfo
from streamlight.sinks.live_encoder import LiveEncoding, size_of
from streamlight.sinks.side_copies import Side
from streamlight.sinks.stream_connection import ConnectionLostError, Limits, StreamConnection
from streamlight.sinks.stream_target import StreamTarget
from streamlight.sources.reconnect import Backoff, LivePhase, LiveState

logger = logging.getLogger(__name__)

FINISH_S = 2.0
"""How long the peer gets for a proper goodbye."""


class StreamSink:
    """Encodes H.264 without delay and sends it, whatever the network does.

    `write` never waits for the network: while there is no connection frames are dropped and
    counted, and on a slow one whole groups of pictures are, so that what arrives is new. A
    connection that breaks or stops is made again with growing waits. A picture of another size
    makes a new connection, as few players take it in mid-stream.

    Attributes:
        target: where to.
        reconnects: how often a lost connection was made again.
        notes: what the user should know, such as sound that cannot be sent.
    """

    def __init__(
        self,
        target: str | StreamTarget,
        info: StreamInfo,
        side: Side | None = None,
        *,
        encoding: LiveEncoding | None = None,
        backoff: Backoff | None = None,
        max_retries: int | None = None,
        connect_timeout_s: float = 10.0,
        stall_timeout_s: float = 5.0,
        most_waiting_s: float = 2.0,
        on_state: Callable[[LiveState], None] | None = None,
    ) -> None:
        """Check the target and begin to connect with the first frame.

        Args:
            target: a URL, the playlist of an HLS stream, or one of them parsed.
            info: gives rate and colour.
            side: gives the sound to copy.
            encoding: quality and speed; always without look-ahead.
            backoff: waits between attempts.
            max_retries: attempts in a row before the sink fails; None for no end.
            connect_timeout_s: for one attempt.
            stall_timeout_s: how long a peer may take nothing.
            most_waiting_s: how old encoded pictures may grow before they are dropped.
            on_state: called at every change of `state`, in the sink's thread.

        Raises:
            SinkError: nothing can be sent there.
        """
        self.target = target if isinstance(target, StreamTarget) else StreamTarget.parse(target)
        self.reconnects = 0
        self.notes: list[str] = []
        self._info, self._side = info, side
        self._encoding = replace(encoding or LiveEncoding(), is_immediate=True)
        self._backoff = backoff or Backoff()
        self._most_attempts = math.inf if max_retries is None else max_retries
        self._limits = Limits(connect_timeout_s, stall_timeout_s, most_waiting_s)
        self._on_state = on_state
        self._state = LiveState()
        self._lock = threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._size: tuple[int, int] | None = None
        self._connection: StreamConnection | None = None
        self._opening: StreamConnection | None = None
        self._failure: SinkError | None = None
        self._is_over = threading.Event()
        self._past_sent = self._past_slow = self._unconnected = 0
        self._connections = 0
        self._connected_at: float | None = None
        self._make_folder()
        self._thread = threading.Thread(target=self._run, name="streamlight-stream", daemon=True)

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the connection."""
        self.abort()

    @property
    def state(self) -> LiveState:
        """What the sink is doing, why, and since when."""
        return self._state

    @property
    def frames_sent(self) -> int:
        """Frames that were handed to the network."""
        connection = self._connection
        return self._past_sent + (connection.frames_sent if connection else 0)

    @property
    def drops(self) -> dict[str, int]:
        """Frames that were not sent, by reason: "not_connected" and "network_slow"."""
        connection = self._connection
        slow = self._past_slow + (connection.frames_dropped if connection else 0)
        return {"not_connected": self._unconnected, "network_slow": slow}

    def write(self, frame: Frame) -> None:
        """Encode a frame and queue it; without a connection, count it as dropped.

        Raises:
            SinkError: the target refuses for good, or `max_retries` were used up.
        """
        size = size_of(frame.image)
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._is_over.is_set():
                raise SinkError(f"{self.target.name}: the stream is over")
            connection = self._connection
            if connection is not None and connection.size != size:
                connection.end()
                connection = self._connection = None
            if self._opening is not None and self._size != size:
                self._opening.kill()
            self._size = size
            if connection is None:
                self._unconnected += 1
                self._wanted.notify()
                if self._thread.ident is None:
                    self._thread.start()
        if connection is not None:
            connection.encode(frame)
        elif self._side is not None:
            for _ in self._side.take():
                pass  # it belongs to pictures that are not sent

    def finish(self) -> None:
        """Send what is queued and end the connection, within about 3 s."""
        self._end(kill=False)

    def abort(self) -> None:
        """End the connection at once; does nothing after `finish`."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        with self._lock:
            self._is_over.set()
            connection, opening = self._connection, self._opening
            self._wanted.notify()
        if opening is not None:
            opening.kill()
        if connection is not None:
            connection.kill() if kill else connection.end()
        if self._thread.ident is None:
            return
        self._thread.join(0.5 if kill else FINISH_S + 0.5)
        if self._thread.is_alive() and connection is not None:
            connection.kill()
            self._thread.join(0.5)

    def _make_folder(self) -> None:
        folder = self.target.folder
        if folder is None:
            return
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{self.target.name}: the folder {folder} cannot be made ({error.strerror})"
            ) from error

    def _run(self) -> None:
        """Connect, send and connect again, until the end (in the sink's own thread)."""
        try:
            self._keep_connected()
        except SinkError as error:
            self._fail(error)
        except Exception as error:  # the thread's outermost frame
            self._fail(SinkError(f"{self.target.name}: {error!r}"))

    def _keep_connected(self) -> None:
        attempts, waits = 0, self._backoff.waits()
        self._tell(LivePhase.CONNECTING)
        while (size := self._await_frame()) is not None:
            lost = self._connect_and_send(size)
            if lost is None:
                continue  # ended on purpose: pictures of another size come, or none any more
            if self._was_stable():
                attempts, waits = 0, self._backoff.waits()
            attempts += 1
            if lost.is_permanent or attempts > self._most_attempts:
                raise SinkError(f"{self.target.name}: {lost}") from lost
            wait_s = next(waits)
            level = logging.WARNING if attempts == 1 else logging.INFO
            logger.log(level, "%s: %s; trying again in %.1f s", self.target.name, lost, wait_s)
            self._tell(LivePhase.RECONNECTING, str(lost))
            self._is_over.wait(wait_s)
        self._tell(LivePhase.CLOSED)

    def _await_frame(self) -> tuple[int, int] | None:
        """Wait for a frame that needs a connection; return its size, or None at the end."""
        with self._lock:
            while self._size is None and not self._is_over.is_set():
                self._wanted.wait()
            return None if self._is_over.is_set() else self._size

    def _connect_and_send(self, size: tuple[int, int]) -> ConnectionLostError | None:
        """Send pictures of one size, until the connection is ended or lost."""
        self._connected_at = None
        is_first = self._connections == 0
        connection = StreamConnection(
            self.target,
            self.target.options if is_first else self.target.again(),
            self._info,
            size,
            self._encoding,
            self._side,
            self._limits,
        )
        with self._lock:
            self._opening = connection
            if self._is_over.is_set():
                connection.kill()
        try:
            left_out = connection.open()
            with self._lock:
                self._opening = None
                if self._is_over.is_set() or self._size != size:
                    return None
                self._connection = connection
            self._welcome(left_out)
            connection.send()
        except ConnectionLostError as error:
            return None if self._is_over.is_set() else error
        finally:
            with self._lock:
                self._opening = None
                if self._connection is connection:
                    self._connection = None
                self._past_sent += connection.frames_sent
                self._past_slow += connection.frames_dropped
            connection.close(FINISH_S)
        return None

    def _was_stable(self) -> bool:
        since = self._connected_at
        return since is not None and time.monotonic() - since >= self._backoff.stable_s

    def _welcome(self, left_out: list[str]) -> None:
        self._connected_at = time.monotonic()
        self._connections += 1
        if self._state.phase is LivePhase.RECONNECTING:
            self.reconnects += 1
            logger.warning("%s: connected again", self.target.name)
        if left_out and self._connections == 1:
            names = ", ".join(left_out)
            self.notes.append(f"{self.target.name} cannot take {names}; it is left out")
        self._tell(LivePhase.CONNECTED)

    def _fail(self, error: SinkError) -> None:
        with self._lock:
            self._failure = error
        logger.error("%s", error)
        self._tell(LivePhase.FAILED, str(error))

    def _tell(self, phase: LivePhase, reason: str = "") -> None:
        self._state = LiveState(phase, reason)
        if self._on_state is not None:
            self._on_state(self._state)
