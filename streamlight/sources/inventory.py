"""All that a file holds, packet by packet: what `streamlight.verify` compares."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.facts import ChapterFacts
from streamlight.sources.opening import (
    choose_video,
    opened_input,
    packets_of,
    undo_guessed_delay,
)
from streamlight.sources.probe import chroma_of, describe_chapter, turn_of
from streamlight.sources.side_data import display_matrix_of

UNTRUSTED_START = {"mpegts", "mpeg", "dvd", "vob", "svcd"}
"""Formats whose clock starts anywhere."""

_MARGIN_S = 5.0
"""How far beyond a trim window to read: streams are interleaved only roughly."""

_PRIME = 2**127 - 1


@dataclass(slots=True)
class StreamContent:
    """One stream, and what is known of each of its packets.

    Attributes:
        index: in the file.
        type: "video", "audio", "subtitle", "data" or "attachment".
        codec: libav's name of the format; "" where it knows none.
        language: "" where it is not stated.
        title: likewise.
        dispositions: such as "default".
        times_s: presentation time of each packet; NaN where the file states none.
        hidden: how many of the first an edit list hides.
        end_s: when the last of them ends; minus infinity where none states a time.
        digests: hash of the payload of each packet; of AAC without the ADTS header, which only
            some containers have.
        texts: of subtitles, the plain text of each packet.
        ends: bytes of all payloads up to the start of each packet, and to the end of the last.
        numbers: of PCM, likewise: the number that these bytes spell, modulo a prime; see `number`.
    """

    index: int
    type: str
    codec: str
    language: str
    title: str
    dispositions: frozenset[str]
    times_s: list[float] = field(default_factory=list)
    hidden: int = 0
    end_s: float = float("-inf")
    digests: list[bytes] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0])
    numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def name(self) -> str:
        """Such as "audio stream 1 (aac)"."""
        return f"{self.type} stream {self.index} ({self.codec or 'unknown codec'})"

    @property
    def lasts(self) -> bool:
        """Whether there are packets as long as it lasts; subtitles come now and then."""
        return self.type in ("audio", "video") and "attached_pic" not in self.dispositions

    @property
    def is_pcm(self) -> bool:
        """Whether its packets may be cut anywhere."""
        return self.codec.startswith("pcm_")

    def number(self, first: int, end: int) -> int:
        """Hash packets `first` to `end` (exclusive) of PCM, however they are cut (Rabin, Karp)."""
        weight = pow(256, self.ends[end] - self.ends[first], _PRIME)
        return (self.numbers[end] - self.numbers[first] * weight) % _PRIME

    def take(self, payload: bytes, time_s: float | None) -> None:
        """Note a packet."""
        if self.codec == "aac":
            payload = _without_adts(payload)
        self.times_s.append(float("nan") if time_s is None else time_s)
        self.digests.append(hashlib.blake2b(payload, digest_size=8).digest())
        self.ends.append(self.ends[-1] + len(payload))
        if self.is_pcm:
            number = self.numbers[-1] * pow(256, len(payload), _PRIME) + int.from_bytes(payload)
            self.numbers.append(number % _PRIME)
        if self.type == "subtitle":
            self.texts.append(plain_text(self.codec, payload))


@dataclass(slots=True)
class VideoContent:
    """The pictures of a file.

    Attributes:
        index: of the stream.
        codec: libav's name of the format.
        width: coded.
        height: coded.
        sample_aspect_ratio: width of a pixel by its height.
        rotation_degrees: counter-clockwise.
        is_mirrored: whether a player mirrors it.
        bits: of a channel.
        chroma: sampling, such as "4:2:0".
        color: what the first picture states, nothing guessed.
        times_s: presentation time of each picture, in order; NaN where none is stated.
        tick_s: unit of these times.
        end_s: when the last picture ends; minus infinity where none states a time.
        language: of the stream.
        title: of the stream.
        damaged: packets that could not be decoded.
    """

    index: int
    codec: str
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation_degrees: int
    is_mirrored: bool
    bits: int
    chroma: str
    color: ColorSpec
    times_s: NDArray[np.float64]
    tick_s: Fraction
    end_s: float
    language: str
    title: str
    damaged: int


@dataclass(slots=True)
class FileContent:
    """All of a file.

    Attributes:
        path: of the file.
        formats: libav's names of the container.
        start_s: of the earliest stream; None where unknown.
        duration_s: None where unknown.
        metadata: of the container.
        chapters: of the container.
        video: the stream that is enhanced.
        streams: all others, in their order, but for those that a muxer makes.
    """

    path: Path
    formats: frozenset[str]
    start_s: float | None
    duration_s: float | None
    metadata: dict[str, str]
    chapters: list[ChapterFacts]
    video: VideoContent
    streams: list[StreamContent]

    @property
    def has_untrusted_start(self) -> bool:
        """Whether the clock of the format starts anywhere."""
        return bool(self.formats & UNTRUSTED_START)


def read_content(
    path: str | Path,
    *,
    decode: bool,
    start_s: float | None = None,
    end_s: float | None = None,
) -> FileContent:
    """Read a file from end to end.

    Args:
        path: of the file.
        decode: decode every picture to know their number and times; else there is one for each
            packet of the video, which is true of what streamlight writes.
        start_s: read from the key frame before it; None for the start of the file.
        end_s: stop some seconds after it; None for the end of the file.

    Raises:
        SourceError: it cannot be opened, read or decoded.
        UnsupportedSourceError: there is no video in it.
    """
    path = Path(path)
    with opened_input(path) as container:
        video = choose_video(container)
        if video is None or video.codec_context is None:
            raise UnsupportedSourceError(f"{path}: there is no video in it that can be decoded")
        video.thread_type = "FRAME"
        if decode:  # only the times of the pictures are wanted; damage is found all the same
            video.codec_context.options = {"skip_loop_filter": "all"}
        reader = _Reader(container, video, decode)
        start = container.start_time
        has_untrusted_start = bool(UNTRUSTED_START & set(container.format.name.split(",")))
        if start_s is not None and start_s > _MARGIN_S and not has_untrusted_start:
            with suppress(av.error.FFmpegError):
                container.seek(int((start_s - _MARGIN_S) * av.time_base))
        zero_s = (start or 0) / av.time_base if has_untrusted_start else 0.0
        try:
            reader.read(None if end_s is None else end_s + zero_s + _MARGIN_S)
        except av.error.FFmpegError as error:
            raise SourceError(f"{path}: reading failed: {error.strerror}") from error
        if reader.first is None:
            raise SourceError(f"{path}: no picture could be decoded; the file is damaged")
        duration = container.duration
        return FileContent(
            path=path,
            formats=frozenset(container.format.name.split(",")),
            start_s=None if start is None else start / av.time_base,
            duration_s=None if duration is None else duration / av.time_base,
            metadata=dict(container.metadata),
            chapters=[describe_chapter(chapter) for chapter in container.chapters()],
            video=reader.describe_video(),
            streams=[reader.others[index] for index in sorted(reader.others)],
        )


class _Reader:
    """One pass over a container."""

    def __init__(
        self, container: av.container.InputContainer, video: VideoStream, decode: bool
    ) -> None:
        self._container = container
        self._video = video
        self._decode = decode
        self._times_s: list[float] = []
        self._damaged = 0
        self._last_s = (float("-inf"), float("-inf"))
        self.first: av.VideoFrame | None = None
        self.others = {
            stream.index: _content_of(stream)
            for stream in container.streams
            if stream.index != video.index and not _is_made_by_muxer(stream)
        }

    def read(self, until_s: float | None) -> None:
        """Read all, or until sound and video are past a time, in order of decoding."""
        awaited = {index for index, other in self.others.items() if other.lasts}
        awaited.add(self._video.index)
        for packet in packets_of(self._container):
            index = packet.stream.index  # `stream_index` is 0 in the packets that flush
            if index == self._video.index:
                undo_guessed_delay(packet, self._container, self._video)
            time_s, decoding_s = _seconds(packet.pts, packet), _seconds(packet.dts, packet)
            if until_s is not None and decoding_s is not None and decoding_s > until_s:
                awaited.discard(index)
                if not awaited:
                    break
            elif index == self._video.index:
                if time_s is not None:  # others may last until the next one to be decoded
                    self._last_s = max(self._last_s, (time_s, _end_s(packet)))
                self._take_video(packet, time_s)
            elif packet.size and index in self.others:
                other = self.others[index]
                other.hidden += packet.is_discard and other.hidden == len(other.times_s)
                other.take(bytes(packet), time_s)
                other.end_s = max(other.end_s, _end_s(packet))
        else:
            return
        last = av.Packet()
        last.stream = self._video
        last.time_base = Fraction(self._video.time_base or 1)
        self._take_video(last, None)

    def _take_video(self, packet: av.Packet[Any], time_s: float | None) -> None:
        if not self._decode and packet.size and not packet.is_discard:
            self._times_s.append(float("nan") if time_s is None else time_s)
        if not self._decode and self.first is not None:
            return
        try:
            for frame in packet.decode():
                self.first = self.first or frame
                if self._decode:
                    self._times_s.append(float("nan") if frame.pts is None else frame.time)
        except av.error.FFmpegError:
            self._damaged += 1

    def describe_video(self) -> VideoContent:
        first = self.first
        assert first is not None  # noqa: S101
        rotation, is_mirrored = turn_of(display_matrix_of(first))
        is_full = first.format.is_rgb or first.format.name.startswith("yuvj")
        times_s = np.array(self._times_s, np.float64)
        context = self._video.codec_context
        return VideoContent(
            index=self._video.index,
            codec=context.codec.canonical_name,
            width=first.width,
            height=first.height,
            sample_aspect_ratio=Fraction(
                self._video.sample_aspect_ratio or context.sample_aspect_ratio or 1
            ),
            rotation_degrees=rotation,
            is_mirrored=is_mirrored,
            bits=first.format.components[0].bits,
            chroma=chroma_of(first.format),
            color=ColorSpec(
                Matrix.RGB if first.format.is_rgb else first.colorspace,
                Range.FULL if is_full else first.color_range,
                first.color_primaries,
                first.color_trc,
            ),
            times_s=times_s if self._decode else np.sort(times_s),
            tick_s=Fraction(self._video.time_base or 1),
            end_s=self._last_s[1],
            language=_language(self._video),
            title=_title(self._video),
            damaged=self._damaged,
        )


def _seconds(ticks: int | None, packet: av.Packet[Any]) -> float | None:
    return None if ticks is None else float(ticks * packet.time_base)


def _end_s(packet: av.Packet[Any]) -> float:
    if packet.pts is None:
        return float("-inf")
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _is_made_by_muxer(stream: av.stream.Stream) -> bool:
    """Whether MP4's muxer made it of chapters (libav reads no packets of it) or of a time code."""
    is_unread = stream.discard == av.stream.Discard.all
    return stream.type == "data" and (is_unread or "timecode" in stream.metadata)


def _content_of(stream: av.stream.Stream) -> StreamContent:
    context = stream.codec_context
    content = StreamContent(
        index=stream.index,
        type=stream.type,
        codec=context.codec.canonical_name if context is not None else "",
        language=_language(stream),
        title=_title(stream),
        dispositions=frozenset(
            item.name
            for item in av.stream.Disposition
            if item.name and stream.disposition & item.value
        ),
    )
    if isinstance(stream, av.stream.AttachmentStream):
        content.codec = content.codec or stream.mimetype or ""
        content.title = stream.metadata.get("filename", "")
        content.take(stream.data, None)
    return content


def _language(stream: av.stream.Stream) -> str:
    return "" if stream.language in (None, "und") else str(stream.language)


def _title(stream: av.stream.Stream) -> str:
    return next((v for k, v in stream.metadata.items() if k.lower() == "title"), "")


def _without_adts(payload: bytes) -> bytes:
    """Take off the header that AAC has in transport streams (ISO 14496-3, 1.A.2.2)."""
    if len(payload) > 7 and payload[0] == 0xFF and payload[1] & 0xF6 == 0xF0:
        return payload[7 if payload[1] & 1 else 9 :]
    return payload


def plain_text(codec: str, payload: bytes) -> str:
    """Read the words of a subtitle, without its styles: they are what a conversion must keep."""
    if codec == "mov_text":
        payload = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
    text = payload.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1]
    text = re.sub(r"\{[^}]*\}|<[^>]*>", "", text.replace("\\N", "\n").replace("\\n", "\n"))
    return " ".join(text.split())
