"""One connection of a stream: an encoder, a queue in which the newest wins, a publisher."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from streamlight.errors import SinkError
from streamlight.frame import Frame, StreamInfo
from streamlight.sinks import publisher
from streamlight.sinks.live_encoder import TIME_BASE, LiveEncoder, LiveEncoding
from streamlight.sinks.side_copies import Side, SideCopies
from streamlight.sinks.stream_target import StreamTarget
from streamlight.urls import mask_text

MOST_BYTES = 8_000_000
"""Of the packets that wait for a slow network."""

_PERMANENT = re.compile(
    r"unauthorized|forbidden|(?:failed|error|returned):? 40[13]\b"
    r"|protocol not found|invalid argument",
    re.IGNORECASE,
)
_URL = re.compile(r"\S+://\S+")


class ConnectionLostError(SinkError):
    """A stream was not accepted, or broke off.

    Attributes:
        is_permanent: whether trying again cannot help: a wrong password, a wrong URL.
    """

    def __init__(self, reason: str, is_permanent: bool = False) -> None:
        """Take a phrase for people, without secrets."""
        super().__init__(reason)
        self.is_permanent = is_permanent


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a connection is.

    Attributes:
        connect_s: for connecting.
        stall_s: how long a peer may take nothing.
        waiting_s: how old encoded pictures may grow before they are dropped.
    """

    connect_s: float
    stall_s: float
    waiting_s: float


class StreamConnection:
    """Encodes the pictures of one size and sends them, until it is closed or breaks.

    Two threads use it: one calls `encode`, the other `open`, `send` and `close`. Any may `kill`.

    Attributes:
        size: width and height of its pictures.
        frames_dropped: frames that were encoded and not sent, because the network was too slow.
        frames_sent: frames that were handed to the publisher.
    """

    def __init__(
        self,
        target: StreamTarget,
        options: Mapping[str, str],
        info: StreamInfo,
        size: tuple[int, int],
        encoding: LiveEncoding,
        side: Side | None,
        limits: Limits,
    ) -> None:
        """Start the publisher; `open` waits until it has connected.

        Raises:
            SinkError: the publisher cannot be started.
        """
        self.size = size
        self.frames_dropped = 0
        self.frames_sent = 0
        self._target = target
        self._task = {
            "url": target.url,
            "format": target.muxer,
            "options": {**options, "flush_packets": "1", "max_interleave_delta": "200000"},
            "connect_s": limits.connect_s,
            "stall_s": limits.stall_s,
        }
        self._info, self._encoding, self._side = info, encoding, side
        self._limits = limits
        self._waiting: deque[av.Packet[Any]] = deque()
        self._bytes = 0
        self._is_ending = False
        self._needs_key = True
        self._condition = threading.Condition()
        command = [sys.executable, "-P", str(Path(publisher.__file__))]
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise SinkError(
                f"{target.name}: the publishing process cannot be started ({error.strerror})"
            ) from error

    def open(self) -> list[str]:
        """Connect; return the streams of sound that the target cannot take.

        Raises:
            ConnectionLostError: the peer refuses, or does not answer in time.
        """
        answer = self._process.stdout
        header = io.BytesIO()
        self._container = av.open(header, "w", format="nut")
        self._encoder = LiveEncoder(self._container, self._info, self.size, self._encoding)
        self._copies = SideCopies(self._container, self._side, self._target.sound)
        self._container.start_encoding()
        self._container.mux(_delimiter(self._encoder.stream))
        self._container.close()
        try:
            for block in (json.dumps(self._task).encode(), header.getvalue()):
                self._give(len(block).to_bytes(4, "big") + block)
        except OSError as error:
            raise self._lost() from error
        line = answer.readline() if answer is not None else b""
        if b"ready" not in line:
            raise self._lost(line, is_connecting=True)
        return self._copies.left_out

    def encode(self, frame: Frame) -> None:
        """Encode a frame and put it into the queue, with the sound beside it."""
        packets: list[av.Packet[Any]] = []
        as_key, self._needs_key = self._needs_key, False
        video = self._encoder.encode(frame, as_key=as_key)
        start_s = self._encoder.start_s
        if self._side is not None and start_s is not None:
            placed = (self._copies.placed(packet, start_s) for packet in self._side.take())
            packets += [packet for packet in placed if packet is not None]
        with self._condition:
            if self._is_too_much(frame.time_s - (start_s or 0.0)):
                # The rest of a group of pictures is of no use without its beginning.
                self.frames_dropped += sum(_is_video(packet) for packet in self._waiting)
                self._waiting.clear()
                self._bytes = 0
                if not as_key:
                    self.frames_dropped += len(video)
                    video = []
                    self._needs_key = True
            for packet in video + packets:
                self._waiting.append(packet)
                self._bytes += packet.size
            self._condition.notify()

    def send(self) -> None:
        """Send what is encoded, until `end`.

        Raises:
            ConnectionLostError: the peer is gone or has stopped reading.
        """
        while True:
            with self._condition:
                while not self._waiting and not self._is_ending:
                    self._condition.wait()
                if not self._waiting:
                    return
                packet = self._waiting.popleft()
                self._bytes -= packet.size
            is_video = _is_video(packet)
            try:
                self._give(_framed(packet))
            except OSError as error:
                raise self._lost() from error
            self.frames_sent += is_video

    def end(self) -> None:
        """Let `send` return when everything is sent; may be called from any thread."""
        with self._condition:
            self._is_ending = True
            self._condition.notify()

    def kill(self) -> None:
        """End the publisher at once: every call that waits for it returns. From any thread."""
        self.end()
        self._process.kill()

    def close(self, timeout_s: float) -> None:
        """Say goodbye to the peer, or give up after a time."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._await_end(timeout_s)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _give(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._process.stdin is not None:
            view = view[self._process.stdin.write(view) :]

    def _await_end(self, timeout_s: float) -> None:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_too_much(self, now_s: float) -> bool:
        if self._bytes > MOST_BYTES:
            return True
        oldest = next((packet for packet in self._waiting if packet.pts is not None), None)
        if oldest is None or oldest.pts is None or not oldest.time_base:
            return False
        return now_s - float(oldest.pts * oldest.time_base) > self._limits.waiting_s

    def _lost(self, said: bytes = b"", *, is_connecting: bool = False) -> ConnectionLostError:
        """Read from the publisher why it ended."""
        self._await_end(1.0)
        if self._process.stdout is not None:
            said += self._process.stdout.read()
        for line in said.splitlines():
            with suppress(ValueError):
                reason = json.loads(line).get("failed")
                if reason:
                    text = mask_text(reason)
                    # a host or a port may look like a reason
                    is_permanent = _PERMANENT.search(_URL.sub("", text)) is not None
                    return ConnectionLostError(text, is_permanent and is_connecting)
        seconds = self._limits.connect_s if is_connecting else self._limits.stall_s
        return ConnectionLostError(f"no answer for {seconds:g} s")


def _framed(packet: av.Packet[Any]) -> bytes:
    time_base = packet.time_base or TIME_BASE
    dts = packet.dts if packet.dts is not None else packet.pts
    pts = packet.pts if packet.pts is not None else dts
    head = publisher.PACKET.pack(
        packet.stream_index,
        packet.is_keyframe,
        pts,
        dts,
        packet.duration or 0,
        time_base.numerator,
        time_base.denominator,
    )
    return head + packet.size.to_bytes(4, "big") + bytes(packet)


def _delimiter(stream: VideoStream) -> av.Packet[Any]:
    """Make an empty access unit (Rec. H.264, 7.3.2.4): NUT is not read without any packet."""
    packet: av.Packet[Any] = av.Packet(b"\0\0\0\1\x09\xf0")
    packet.stream, packet.time_base = stream, TIME_BASE
    packet.pts = packet.dts = 0
    packet.is_keyframe = True
    return packet


def _is_video(packet: av.Packet[Any]) -> bool:
    return bool(packet.stream.type == "video")
