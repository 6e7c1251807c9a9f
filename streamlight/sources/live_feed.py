"""One connection to a live stream, through libav: opened, demuxed, decoded, on one timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.container
import av.error
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.video.stream import VideoStream

from streamlight.sources.live_clock import LiveClock
from streamlight.sources.live_failures import Cause, LiveError, failure
from streamlight.sources.live_options import LiveOptions, open_options
from streamlight.sources.live_reader import Arrival, Reader
from streamlight.sources.live_sound import LiveSound
from streamlight.sources.opening import close_input
from streamlight.sources.srt import SrtBridge
from streamlight.urls import mask_url

_CLOCKLESS = {"mpjpeg", "mjpeg", "h264", "hevc", "jpeg_pipe", "image2pipe"}
"""Formats without timestamps: libav makes them up, 25 frames a second."""

_SEGMENTED = {"hls", "dash"}
"""Formats that come in pieces of several seconds, which are to be played at their own pace."""

_PACE_JUMP_S = 3.0
_END_SLACK_S = 1.0
"""How far before its declared end a recording may end: the last frame, and rounding."""


class StreamFeed:
    """An open stream: its first video, and its first sound unless that is not wanted.

    Attributes:
        rate: nominal frames per second; None when the stream does not say.
        damaged_packets: packets that could not be decoded and were skipped.
    """

    def __init__(
        self,
        url: str,
        options: LiveOptions,
        clock: LiveClock,
        sound: LiveSound,
        generation: int,
        reader: Reader,
    ) -> None:
        """Connect.

        Args:
            url: of the stream.
            options: how to connect.
            clock: places this connection on the timeline of the source.
            sound: takes the packets of the sound.
            generation: number of this connection among those of the source.
            reader: that reads this connection.

        Raises:
            LiveError: no connection could be made, or there is no video in it.
        """
        self.damaged_packets = 0
        self._url = url
        self._timeout_s = options.read_timeout_s
        self._clock = clock
        self._reader = reader
        self._bridge: SrtBridge | None = None
        try:
            self._container = self._open(options)
        except BaseException:
            self._close_bridge()
            raise
        try:
            self._video = _video(self._container, mask_url(url))
            audio = self._container.streams.audio if options.audio else ()
            self._audio: AudioStream | None = audio[0] if audio else None
            self._track = sound.begin(self._audio, generation)
        except BaseException:
            self.close()
            raise
        _prepare(self._video, options)
        self.rate = _rate(self._video)
        formats = set(self._container.format.name.split(","))
        self._duration_s = (self._container.duration or 0) / av.time_base
        self._has_clock = not formats & _CLOCKLESS
        self._pace = _Pace() if self._duration_s or formats & _SEGMENTED else None
        clock.checks_rate = self._pace is None

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the pictures as they come, until a recording is over.

        Raises:
            LiveError: the connection was lost. A peer that closes looks like an end of file to
                libav; of a live stream, which has no end, that is a loss too.
        """
        reached_s = 0.0
        streams = [s for s in (self._video, self._audio if self._track else None) if s is not None]
        try:
            for packet in self._container.demux(*streams):
                captured_at = time.monotonic()
                if self._reader.is_abandoned:
                    return
                if packet.stream_index != self._video.index:
                    if self._track:
                        self._track.put(packet, self._clock, captured_at)
                    continue
                for picture in self._decode(packet):
                    source_s = self._source_time_s(picture)
                    reached_s = max(reached_s, source_s or 0.0)
                    time_s = self._clock.picture_time_s(source_s, captured_at)
                    if self._pace and source_s is not None:
                        captured_at = self._pace.wait(source_s, self._reader)
                    yield Arrival(picture, captured_at, time_s)
                    del picture
        except av.error.FFmpegError as error:
            raise failure(error, self._url, self._timeout_s) from error
        self._check_end(reached_s)

    def close(self) -> None:
        """Close the connection."""
        close_input(self._container)
        self._close_bridge()

    def _open(self, options: LiveOptions) -> av.container.InputContainer:
        timeouts = options.open_timeout_s, options.read_timeout_s
        chosen = open_options(self._url, options)
        try:
            return av.open(self._url, options=chosen, metadata_errors="replace", timeout=timeouts)
        except av.error.ProtocolNotFoundError as error:
            if not self._url.lower().startswith("srt:"):
                raise failure(error, self._url, options.open_timeout_s) from error
        except av.error.FFmpegError as error:
            raise failure(error, self._url, options.open_timeout_s) from error
        self._bridge = SrtBridge(self._url)
        self._reader.when_abandoned(self._bridge.stop)
        try:
            return av.open(self._bridge.url, format="mpegts", options=chosen, timeout=timeouts)
        except av.error.FFmpegError as error:
            raise self._bridge.failure() from error

    def _close_bridge(self) -> None:
        if self._bridge is not None:
            self._bridge.close()

    def _decode(self, packet: av.Packet[Any]) -> list[av.VideoFrame]:
        try:
            return [f for f in packet.decode() if isinstance(f, av.VideoFrame)]
        except av.error.FFmpegError:
            self.damaged_packets += 1
            return []

    def _source_time_s(self, picture: av.VideoFrame) -> float | None:
        if not self._has_clock or picture.pts is None or not picture.time_base:
            return None
        return float(picture.pts * picture.time_base)

    def _check_end(self, reached_s: float) -> None:
        name = mask_url(self._url)
        if not self._duration_s:
            raise LiveError(name, Cause.CLOSED, "the server closed the connection")
        start_s = (self._container.start_time or 0) / av.time_base
        end_s = start_s + self._duration_s
        if reached_s < end_s - max(_END_SLACK_S, 0.02 * self._duration_s):
            raise LiveError(
                name,
                Cause.BROKEN_OFF,
                f"the recording broke off at {reached_s - start_s:.0f} of "
                f"{self._duration_s:.0f} s; try again, or download it first",
            )


class _Pace:
    """Holds pictures back until they are due, where a stream comes faster than it is shown."""

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None  # monotonic, source time
        self._last_s = 0.0

    def wait(self, source_s: float, reader: Reader) -> float:
        """Wait until a picture is due; return `time.monotonic()` then."""
        now = time.monotonic()
        if self._start is not None:
            late_s = now - self._start[0] - (source_s - self._start[1])
            jumped = abs(source_s - self._last_s) > _PACE_JUMP_S
            if late_s > 0 or jumped:
                self._start = None
        if self._start is None:
            self._start = now, source_s
        self._last_s = source_s
        due = self._start[0] + source_s - self._start[1]
        while (left_s := due - time.monotonic()) > 0 and not reader.is_abandoned:
            time.sleep(min(left_s, 0.1))
        return time.monotonic()


def _video(container: av.container.InputContainer, name: str) -> VideoStream:
    videos = container.streams.video
    if not videos:
        held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise LiveError(name, Cause.NO_PICTURE, f"there is no video in the stream ({held})")
    if videos[0].codec_context is None:
        raise LiveError(name, Cause.UNSUPPORTED, "there is no decoder for its video")
    return videos[0]


def _prepare(video: VideoStream, options: LiveOptions) -> None:
    """Set the decoder up before its first packet."""
    if options.low_latency:
        # Frame threads hold back one picture each; low_delay forbids them and the reorder wait.
        video.thread_type = "SLICE"
        video.codec_context.flags |= Flags.low_delay
    else:
        video.thread_type = "FRAME"


def _rate(video: VideoStream) -> Fraction | None:
    """Nominal frames per second; what libav guesses from few packets may be its 90 kHz clock."""
    for rate in (video.average_rate, video.guessed_rate):
        if rate and 0 < rate <= 240:
            return Fraction(rate)
    return None
