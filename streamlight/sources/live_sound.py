"""The sound beside a live picture, undecoded, across reconnects."""

from __future__ import annotations

import io
import logging
import threading
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.stream import Stream

from streamlight.sources.live_clock import LiveClock
from streamlight.sources.side_streams import describe

logger = logging.getLogger(__name__)

CAPACITY = 512
"""Packets held while nobody takes them: 10 s of AAC at 48 kHz."""

TIME_BASE = Fraction(1, 1_000_000)


class LiveSound:
    """The first sound stream of a live source, in the form of `SideStreams`.

    Streams of libav die with their connection, so `streams` holds a stream of this object's own
    with the same parameters. A later connection whose sound has other parameters stays silent:
    what is being written cannot change its codec.

    Attributes:
        streams: the sound stream to copy; empty when the first connection has none.
        dropped: streams that are not copied, each described for people.
        position: index of the video stream among all copied streams.
        lost: packets thrown away because nobody took them in time.
    """

    def __init__(self) -> None:
        """Start without a stream; the first connection brings it."""
        self.streams: list[Stream] = []
        self.dropped: list[str] = []
        self.position = 0
        self.lost = 0
        self._lock = threading.Lock()
        self._packets: deque[av.Packet[Any]] = deque(maxlen=CAPACITY)
        self._track: SoundTrack | None = None
        self._generation = 0
        self._is_chosen = False
        self._holder: av.container.OutputContainer | None = None
        self._last = -1
        self._zero: int | None = None

    def begin(self, stream: AudioStream | None, generation: int) -> SoundTrack | None:
        """Take over connection number `generation`; return where its packets go.

        Returns:
            None where it is silent, or where a later connection has taken over already.
        """
        with self._lock:
            if generation < self._generation:
                return None
            self._generation = generation
            self._track = None
            if not self._is_chosen:
                self._is_chosen = True
                if stream is not None:
                    self._copy_parameters(stream)
            if stream is None:
                return None
            if not self.streams:
                logger.warning(
                    "there is sound only since the reconnect (%s); it is left out", describe(stream)
                )
                return None
            if _parameters(stream) != _parameters(self.streams[0]):
                logger.warning(
                    "the sound is another one since the reconnect (%s); it is left out",
                    describe(stream),
                )
                return None
            self._track = SoundTrack(self)
            return self._track

    def start(self, zero_s: float) -> None:
        """Let time 0 of the output be `zero_s` on the timeline of the source."""
        self._zero = round(zero_s / TIME_BASE)

    def take(self) -> Iterator[av.Packet[Any]]:
        """Yield and remove the packets read so far (called by the sink's thread).

        Those before the first frame are left out.
        """
        zero = self._zero
        while zero is not None:
            with self._lock:
                if not self._packets:
                    return
                packet = self._packets.popleft()
            if packet.pts is not None and packet.pts >= zero:
                packet.pts = packet.dts = packet.pts - zero
                yield packet

    def put(self, track: SoundTrack, packet: av.Packet[Any], time_s: float) -> None:
        """Keep a packet, unless it is of a connection that was left behind."""
        ticks = round(time_s / TIME_BASE)
        with self._lock:
            if track is not self._track or ticks <= self._last or ticks < 0:
                return
            self._last = ticks
            copy: av.Packet[Any] = av.Packet(bytes(packet))
            copy.time_base, copy.pts, copy.dts = TIME_BASE, ticks, ticks
            if packet.duration:
                copy.duration = round(packet.duration * packet.time_base / TIME_BASE)
            copy.is_keyframe = packet.is_keyframe
            copy.stream = self.streams[0]
            self.lost += len(self._packets) == CAPACITY
            self._packets.append(copy)

    def _copy_parameters(self, stream: AudioStream) -> None:
        self._holder = av.open(io.BytesIO(), "w", format="null")  # takes every codec
        self.streams = [self._holder.add_stream_from_template(stream)]


class SoundTrack:
    """The sound of one connection."""

    def __init__(self, sound: LiveSound) -> None:
        """Belong to the sound of a source."""
        self._sound = sound

    def put(self, packet: av.Packet[Any], clock: LiveClock, captured_at: float) -> None:
        """Hand over a packet that came at `captured_at`; what `clock` cannot place is left out."""
        if packet.pts is None or not packet.size:
            return
        time_s = clock.sound_time_s(float(packet.pts * packet.time_base), captured_at)
        if time_s is not None:
            self._sound.put(self, packet, time_s)


def _parameters(stream: Stream) -> tuple[Any, ...]:
    context: Any = stream.codec_context
    return context.name, context.sample_rate, context.layout.name, context.extradata
