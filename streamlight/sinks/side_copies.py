"""The sound beside a live picture: copied into a container, and handed to several sinks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import av
from av.container import OutputContainer
from av.stream import Stream

MOST_WAITING = 2048
"""Packets held for a sink that does not take them: 40 s of AAC at 48 kHz."""

MPEGTS_SOUND = frozenset({"aac", "ac3", "eac3", "mp1", "mp2", "mp3", "opus"})
"""What MPEG-TS holds and players know; libavformat itself has no list."""


class Side(Protocol):
    """Where packets beside the picture come from: `SideStreams`, `LiveSound` or a branch."""

    @property
    def streams(self) -> list[Stream]:
        """The streams to copy."""
        ...

    def take(self) -> Iterator[av.Packet[Any]]:
        """Yield and remove the packets read so far."""
        ...


class SideTee:
    """Lets several sinks copy the same packets: each takes from a branch of its own."""

    def __init__(self, side: Side) -> None:
        """Divide what `side` gives."""
        self._side = side
        self._lock = threading.Lock()
        self._branches: list[SideBranch] = []

    def branch(self) -> SideBranch:
        """Add a taker; it gets the packets from now on."""
        branch = SideBranch(self)
        with self._lock:
            self._branches.append(branch)
        return branch

    @property
    def streams(self) -> list[Stream]:
        """The streams to copy."""
        return self._side.streams

    def pull(self) -> None:
        """Hand the packets read so far to all branches."""
        with self._lock:
            for packet in self._side.take():
                for branch in self._branches:
                    # A copy for each: a muxer writes its own times into a packet.
                    branch.packets.append(_copy(packet))


class SideBranch:
    """What one sink takes of a `SideTee`; too many waiting packets push out the oldest.

    Attributes:
        packets: those that wait.
    """

    def __init__(self, tee: SideTee) -> None:
        """Belong to a tee."""
        self._tee = tee
        self.packets: deque[av.Packet[Any]] = deque(maxlen=MOST_WAITING)

    @property
    def streams(self) -> list[Stream]:
        """The streams to copy."""
        return self._tee.streams

    def take(self) -> Iterator[av.Packet[Any]]:
        """Yield and remove the packets read so far."""
        self._tee.pull()
        while self.packets:
            yield self.packets.popleft()


def _copy(packet: av.Packet[Any]) -> av.Packet[Any]:
    copy: av.Packet[Any] = av.Packet(bytes(packet))
    copy.stream = packet.stream
    copy.time_base, copy.pts, copy.dts = packet.time_base, packet.pts, packet.dts
    copy.duration = packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy


class SideCopies:
    """Copies sound into one container, with times counted from its first picture.

    Attributes:
        left_out: streams that the container cannot hold, as "audio (pcm_alaw)".
    """

    def __init__(
        self, container: OutputContainer, side: Side | None, codecs: frozenset[str] | None = None
    ) -> None:
        """Add a stream to the container for each that it can hold.

        Args:
            container: whose header is not written yet.
            side: gives the packets; None for a picture without sound.
            codecs: names that may be copied; None to ask the container. Subtitles are left out.
        """
        self.left_out: list[str] = []
        self._side = side
        self._streams: dict[int, Stream] = {}
        self._last_dts: dict[int, int] = {}
        allowed = container.supported_codecs if codecs is None else codecs
        for stream in side.streams if side is not None else []:
            codec = getattr(stream, "codec_context", None)
            name = codec.name if codec is not None else "unknown"
            # pcm_alaw and the like decode and encode under one name; "mp3float" is mp3
            if stream.type == "audio" and name.removesuffix("float") in allowed:
                self._streams[stream.index] = container.add_stream_from_template(stream)
            else:
                self.left_out.append(f"{stream.type} ({name})")

    def placed(self, packet: av.Packet[Any], start_s: float) -> av.Packet[Any] | None:
        """Move a packet into the container's time and stream.

        Args:
            packet: of the source.
            start_s: of the first picture, in the source's time.

        Returns:
            None for a packet that has no place: of a stream left out, without a time, from before
            the first picture, or out of order.
        """
        stream = self._streams.get(packet.stream_index)
        pts = packet.pts if packet.pts is not None else packet.dts
        if stream is None or pts is None or not packet.time_base or not packet.size:
            return None
        ticks = pts - round(start_s / packet.time_base)
        if ticks < 0 or ticks <= self._last_dts.get(packet.stream_index, -1):
            return None
        self._last_dts[packet.stream_index] = ticks
        packet.pts = packet.dts = ticks
        packet.stream = stream
        return packet


def time_s(packet: av.Packet[Any]) -> float | None:
    """When a packet is heard, in seconds of the source's time; None when it does not say."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None or not packet.time_base else float(ticks * packet.time_base)
