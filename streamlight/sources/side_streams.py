"""Sound, subtitles and whatever else travels beside the picture, undecoded.

The source demuxes every stream in one pass, decodes the picture and drops the packets of the
others here; the sink takes them when it writes, so that they are interleaved as they were. The
queue needs no bound of its own: the bounded channel of the frames stops the demuxer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import av
import av.container
import av.stream
from av.stream import AttachmentStream

_FINEST = Fraction(1, 90_000)

_WARM_UP_S = Fraction(1, 5)
"""Sound before the beginning that an edit list hides and that decoders may need: AAC 2 packets,
Opus 80 ms. More of it (a clip that was trimmed without encoding it again) is left out."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the file, such as a font of its subtitles.

    Attributes:
        name: of the file.
        mimetype: such as "font/ttf".
        data: its content.
        metadata: its tags, name and MIME type among them.
    """

    name: str
    mimetype: str
    data: bytes
    metadata: dict[str, str]


class SideStreams:
    """Streams that are copied, and the packets of them that were read and not yet written.

    The packets have the timestamps of the output: moved as the picture is, and cut to the part
    that is asked for. Sound is kept from the packet that the start lies in, so it may begin up to
    one packet before 0; the rest of that packet is the decoder's to warm up with. Subtitles and
    data are shortened to the part, further video streams begin at their first key frame in it.

    Attributes:
        streams: streams of the input to copy, in their order: sound, subtitles, data, time codes,
            cover pictures, further videos. Not all of them fit into every container.
        attachments: files inside the file (Matroska).
        dropped: streams that cannot even be read, each described for people.
        unreadable: their indices.
        position: index of the video stream among all copied streams, so that the output keeps
            the order of the input.
    """

    def __init__(
        self, container: av.container.InputContainer, video_index: int, *, copy: bool = True
    ) -> None:
        """Choose what to copy from an open container.

        Args:
            container: just opened.
            video_index: of the stream that is decoded.
            copy: False to read nothing but that one.
        """
        self.streams: list[av.stream.Stream] = []
        self.attachments: list[Attachment] = []
        self.dropped: list[str] = []
        self.unreadable: set[int] = set()
        self._packets: deque[av.Packet[av.stream.Stream]] = deque()
        self._started: set[int] = set()
        self._shift = Fraction(0)
        self._is_cut = False
        self._after: Fraction | None = None
        self._length: Fraction | None = None
        self._reached: dict[int, Fraction] = {}
        self._before: dict[int, av.Packet[av.stream.Stream]] = {}
        for stream in container.streams:
            if stream.index == video_index:
                continue
            if copy and isinstance(stream, AttachmentStream):
                self.attachments.append(_attachment(stream))
            elif copy and _is_readable(stream):
                self.streams.append(stream)
                continue
            elif copy:
                self.dropped.append(describe(stream))
                self.unreadable.add(stream.index)
            stream.discard = av.stream.Discard.all
        self.position = sum(stream.index < video_index for stream in self.streams)

    def cut(
        self,
        shift: Fraction,
        length: Fraction | None = None,
        *,
        is_cut: bool = False,
        after: Fraction | None = None,
    ) -> None:
        """Set what becomes of the timestamps of packets to come.

        Args:
            shift: seconds to take from them.
            length: packets that begin so many seconds after that are left out; None for none.
            is_cut: whether packets that end before 0 are left out.
            after: packets up to this moment are left out, too; None for none.
        """
        self._shift, self._length, self._is_cut, self._after = shift, length, is_cut, after

    def put(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Hand over a packet with the input's times (called by the source's thread)."""
        if not self._move(packet):
            return
        before = self._before.pop(packet.stream_index, None)
        if before is not None:
            self._packets.append(before)
        self._packets.append(packet)

    def take(self) -> Iterator[av.Packet[av.stream.Stream]]:
        """Yield and remove the packets read so far (called by the sink's thread)."""
        while self._packets:
            yield self._packets.popleft()

    def has_reached_end(self) -> bool:
        """Whether every stream of sound and video has come to the end of the part."""
        awaited = [s.index for s in self.streams if s.type in ("audio", "video")]
        covers = {s.index for s in self.streams if _is_cover(s)}
        return self._length is not None and all(
            index in covers or self._reached.get(index, Fraction(-1)) >= self._length
            for index in awaited
        )

    def _move(self, packet: av.Packet[Any]) -> bool:
        """Give a packet its time in the output; tell whether it is part of it."""
        if _is_cover(packet.stream):
            return True
        shift_packet(packet, -self._shift)
        start = packet.dts if packet.pts is None else packet.pts
        if start is None:
            return True
        start_s = start * packet.time_base
        end_s = start_s + (packet.duration or 0) * packet.time_base
        self._reached[packet.stream_index] = start_s
        if self._after is not None and start_s <= self._after:
            return False
        if self._is_cut and start_s < 0 and end_s <= 0:
            if packet.stream.type == "audio" and not packet.duration:  # it may reach beyond 0
                self._before[packet.stream_index] = packet
            return False
        if packet.is_discard and end_s < -_WARM_UP_S:
            return False
        if self._length is not None and start_s >= self._length:
            return False
        if packet.stream.type == "video":
            return self._has_started(packet, start_s)
        if packet.stream.type != "audio":
            self._clip(packet, end_s)
        return True

    def _has_started(self, packet: av.Packet[Any], start_s: Fraction) -> bool:
        """Tell whether a packet of a further video can be decoded from what is copied."""
        if packet.is_keyframe and (start_s >= 0 or not self._is_cut):
            self._started.add(packet.stream_index)
        return packet.stream_index in self._started

    def _clip(self, packet: av.Packet[Any], end_s: Fraction) -> None:
        """Shorten a subtitle or datum to the part."""
        start = packet.dts if packet.pts is None else packet.pts
        if not packet.duration or start is None:
            return
        end = start + packet.duration
        if self._length is not None and end_s > self._length:
            end = max(start + 1, round(self._length / packet.time_base))
        if self._is_cut and start < 0:
            packet.pts = packet.dts = start = 0
        packet.duration = end - start


def shift_packet(packet: av.Packet[Any], shift: Fraction) -> None:
    """Add seconds to a packet's times, in a finer unit where its own cannot hold them."""
    unit = packet.time_base
    if not shift or not unit:
        return
    if (shift / unit).denominator != 1 and unit > _FINEST:
        finer = ceil(unit / _FINEST)
        packet.pts = None if packet.pts is None else packet.pts * finer
        packet.dts = None if packet.dts is None else packet.dts * finer
        packet.duration = (packet.duration or 0) * finer
        packet.time_base = unit = unit / finer
    ticks = round(shift / unit)
    packet.pts = None if packet.pts is None else packet.pts + ticks
    packet.dts = None if packet.dts is None else packet.dts + ticks


def describe(stream: av.stream.Stream) -> str:
    """Name a stream for a message: "audio stream 1 (aac, eng)"."""
    codec = getattr(stream, "codec_context", None)
    name = codec.name if codec is not None else getattr(stream, "name", None)
    details = [name or "unknown codec"]
    if stream.language and stream.language != "und":
        details.append(stream.language)
    return f"{stream.type} stream {stream.index} ({', '.join(details)})"


def _is_cover(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _is_readable(stream: av.stream.Stream) -> bool:
    """Whether libavformat knows what the packets are, or the sink can make them anew."""
    if stream.type in ("audio", "subtitle", "video"):
        return stream.codec_context is not None
    is_known = bool(getattr(stream, "name", None))
    return stream.type == "data" and (is_known or "timecode" in stream.metadata)


def _attachment(stream: AttachmentStream) -> Attachment:
    name = stream.name or f"attachment-{stream.index}"
    mimetype = stream.mimetype or "application/octet-stream"
    return Attachment(name, mimetype, stream.data, dict(stream.metadata))
