"""The packets of a file in one pass: those of the video to decode, the others put aside."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
from av.format import Flags
from av.stream import Stream
from av.video.stream import VideoStream

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.damage import Damage
from streamlight.sources.opening import undo_guessed_delay
from streamlight.sources.side_streams import SideStreams, shift_packet
from streamlight.sources.timeline import Timeline

WARM_UP = 24
"""Packets to decode before the one that is asked for, so that filters over time know their past:
`--denoise strong` averages 4 before and 4 after, bwdif looks at 1, and of the first ones some may
be shown before their key frame and need what lies before it."""

_UNREADABLE = 16
"""Failed reads in a row after which the rest of the file is given up."""

_INDEXED = {"mov", "mp4", "matroska", "webm"}
"""Formats that say where their key frames are; in others, seeking is a guess."""

_EARLIER_S = 3
"""How much before a key frame to begin reading: streams are interleaved only roughly."""

_SUBTITLE_S = 30
"""Likewise, where there are subtitles, which may have been shown for long."""

_BEHIND_S = 5
"""How much after the end of the part its sound may still come."""


class PacketReader:
    """Reads a container once, from its beginning or from a key frame.

    Attributes:
        timeline: the jumps of the file's clock so far.
        has_skipped: whether packets of the video were left out that nobody asked for.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        video: VideoStream,
        side: SideStreams,
        damage: Damage,
        path: Path,
    ) -> None:
        """Start at the beginning.

        Args:
            container: just opened.
            video: the stream to decode.
            side: takes the packets of the other streams.
            damage: counts what is broken.
            path: of the file, for messages.
        """
        self._may_jump = bool(Flags(container.format.flags) & Flags.ts_discont)
        self.timeline = Timeline(self._may_jump)
        self.has_skipped = False
        self._container = container
        self._video = video
        self._side = side
        self._damage = damage
        self._path = path
        # No generator of this object: no cycle keeps the decoder and its threads.
        self._packets = _demux(container, [video, *side.streams], damage, path)

    def packets_for(self, moment_s: Fraction | None) -> Iterator[av.Packet[VideoStream]]:
        """Yield the video packets that are needed to decode everything from a moment on.

        They begin with a key frame at least `WARM_UP` packets before the moment, or with the
        first packet of the file. What lies before is read, but not decoded; where the format has
        an index, most of it is not even read.

        Args:
            moment_s: on the file's clock, its jumps taken out; None for all packets.

        Raises:
            SourceError: reading fails.
            UnsupportedSourceError: the video is encrypted.
        """
        if moment_s is None:
            yield from self._video_packets()
            return
        self._seek(moment_s)
        held = _GroupsOfPictures()
        packets = self._video_packets()
        for packet in packets:
            if held.add(packet, moment_s):
                break
            del packet
        self.has_skipped = self._damage.has_sought or held.has_dropped
        yield from held.release()
        yield from packets

    def read_side_packets(self, end_s: Fraction) -> None:
        """Read on for the sound, once all pictures of the part are there.

        Args:
            end_s: of the part, on the file's clock.
        """
        if not self._side.streams:
            return
        for packet in self._video_packets():
            time = packet.dts if packet.dts is not None else packet.pts
            is_behind = time is not None and time * packet.time_base > end_s + _BEHIND_S
            if is_behind or self._side.has_reached_end():
                return

    def _video_packets(self) -> Iterator[av.Packet[VideoStream]]:
        for packet in self._packets:
            if packet.stream_index == self._video.index:
                undo_guessed_delay(packet, self._container, self._video)
            self._place(packet)
            if packet.stream_index != self._video.index:
                self._put_aside(packet)
                continue
            if packet.has_sidedata("encryption_info") or packet.has_sidedata(
                "encryption_init_info"
            ):
                raise UnsupportedSourceError(
                    f"{self._path}: the video is encrypted (DRM); it can only be enhanced decrypted"
                )
            if packet.is_corrupt and not self._may_jump:
                continue  # the last one of a file that is cut off
            if packet.is_corrupt:
                self._damage.take_hole()
            self._damage.packets_read += 1
            yield packet
            del packet

    def _put_aside(self, packet: av.Packet[Any]) -> None:
        if packet.is_corrupt:
            self._damage.take_side_packet(packet.stream.type)
        self._side.put(packet)

    def _place(self, packet: av.Packet[Any]) -> None:
        """Take the jumps out of a packet's times."""
        unit = packet.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None or not unit:
            return
        pts = packet.pts if packet.pts is not None else dts
        duration_s = float((packet.duration or 0) * unit)
        self._damage.reached_s = max(self._damage.reached_s, float(pts * unit) + duration_s)
        if packet.dts is None:
            return
        is_video = packet.stream_index == self._video.index
        offset = self.timeline.place(
            packet.stream_index,
            float(dts * unit),
            float(pts * unit),
            duration_s,
            is_steady=is_video or packet.stream.type == "audio",
        )
        shift_packet(packet, offset)

    def _seek(self, moment_s: Fraction) -> None:
        """Go to a key frame well before a moment, where the format has an index."""
        unit = self._video.time_base
        if not unit or not _INDEXED & set(self._container.format.name.split(",")):
            return
        has_subtitles = any(s.type == "subtitle" for s in self._side.streams)
        rate = self._video.average_rate
        warm_up_s = WARM_UP / rate if rate else Fraction(0)
        early_s = moment_s - warm_up_s - (_SUBTITLE_S if has_subtitles else _EARLIER_S)
        if early_s <= 0:
            return
        with suppress(av.error.FFmpegError):  # then it is read from the beginning
            self._container.seek(int(early_s / unit), stream=self._video)
            self._damage.has_sought = True


def _demux(
    container: av.container.InputContainer, streams: list[Stream], damage: Damage, path: Path
) -> Iterator[av.Packet[Any]]:
    """Yield every packet that holds something; go on after damage as long as more comes."""
    failures = 0
    while failures <= _UNREADABLE:
        try:
            for packet in container.demux(*streams):
                if packet.size or packet.dts is not None:
                    failures = 0
                    yield packet
                del packet
            return
        except IndexError:  # of PyAV, at the very end, where more streams than at the start
            damage.has_late_streams = True
            return
        except av.error.InvalidDataError as error:
            failures += 1
            if failures == 1:
                damage.skip_packet(error)
        except av.error.FFmpegError as error:
            raise SourceError(f"{path}: reading failed: {error.strerror}") from error


class _GroupsOfPictures:
    """Packets since a key frame that is far enough before a moment, not decoded yet.

    Attributes:
        has_dropped: whether packets were left out that are not needed.
    """

    def __init__(self) -> None:
        self.has_dropped = False
        self._groups: deque[deque[av.Packet[VideoStream]]] = deque([deque()])

    def add(self, packet: av.Packet[VideoStream], moment_s: Fraction) -> bool:
        """Take a packet; tell whether it is time to decode those that are held."""
        shown = packet.pts if packet.pts is not None else packet.dts
        is_before = shown is not None and shown * packet.time_base <= moment_s
        if packet.is_keyframe and is_before:
            if self._groups[-1]:
                self._groups.append(deque())
            while sum(map(len, self._groups)) - len(self._groups[0]) >= WARM_UP:
                self._groups.popleft()
                self.has_dropped = True
        self._groups[-1].append(packet)
        decoded = packet.dts if packet.dts is not None else shown
        return decoded is None or decoded * packet.time_base >= moment_s

    def release(self) -> Iterator[av.Packet[VideoStream]]:
        """Yield the packets, and hold them no longer."""
        while self._groups:
            group = self._groups.popleft()
            while group:
                yield group.popleft()
