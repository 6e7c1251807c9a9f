"""Frames as a camera gives them, for the tests of the live sinks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer
from clips import Sound, bars, make_clip

from streamlight.color import ColorSpec
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.side_streams import SideStreams

RATE = 25
TIME_BASE = Fraction(1, 90_000)


def live_info(width: int = 64, height: int = 48) -> StreamInfo:
    return StreamInfo(width, height, Fraction(RATE), TIME_BASE, ColorSpec(), is_live=True)


def live_frame(index: int, width: int = 64, height: int = 48, *, start_s: float = 1000.0) -> Frame:
    """Frame `index` of a camera that has run for a while."""
    pts = round((start_s + index / RATE) / TIME_BASE)
    return Frame(bars(index, width, height), pts=pts, time_base=TIME_BASE, index=index)


if TYPE_CHECKING:
    Packet = av.Packet[Any]


class ClipSound:
    """The sound of a clip of `seconds`, as packets that begin at `start_s`."""

    def __init__(
        self, folder: Path, seconds: float, start_s: float = 1000.0, codec: str = "aac"
    ) -> None:
        suffix = ".mkv" if codec.startswith("pcm") else ".mp4"
        clip = folder / f"sound-{codec}{suffix}"
        make_clip(clip, frames=2, sound=[Sound(codec, duration_s=seconds, rate_hz=48_000)])
        self._container: InputContainer = av.open(str(clip))
        self._side = SideStreams(self._container, 0)
        self.streams = self._side.streams
        self._packets = deque(self._read(start_s))
        self.until_s = float("inf")
        self.given = 0

    def _read(self, start_s: float) -> Iterator[Packet]:
        for packet in self._container.demux(self.streams[0]):
            if packet.pts is not None and packet.size:
                packet.pts += round(start_s / packet.time_base)
                packet.dts = packet.pts
                yield packet

    def take(self) -> Iterator[Packet]:
        """Yield what is heard before `until_s`."""
        while self._packets:
            pts, time_base = self._packets[0].pts, self._packets[0].time_base
            if pts is None or time_base is None or pts * time_base >= self.until_s:
                return
            self.given += 1
            yield self._packets.popleft()
