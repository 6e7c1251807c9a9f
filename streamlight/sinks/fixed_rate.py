"""The clock of AVI, which numbers its pictures and states no time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamlight.errors import SinkError
from streamlight.frame import Frame

_MOST_SLOTS_LATE = 1
"""A mean rate is a little wrong; more is a variable rate."""

_LEAST_OFFSET_S = Fraction(1, 1000)

_LONGEST_PRIMING_S = Fraction(1, 10)  # 2112 samples of AAC at 22050 Hz


class FixedRateClock:
    """Gives every picture its number, and refuses what numbers cannot say."""

    def __init__(self, target: Path, rate: Fraction) -> None:
        """Count at `rate` pictures a second."""
        self._target = target
        self._rate = rate
        self._start: Fraction | None = None
        self._last = -1
        self._started: set[int] = set()

    @property
    def time_base(self) -> Fraction:
        """Seconds per picture."""
        return 1 / self._rate

    def go_on(self, start: Fraction, last: int) -> None:
        """Go on after an earlier run, whose first picture was at `start` seconds."""
        self._start, self._last = start, last

    def number(self, frame: Frame) -> int:
        """Return the number of a picture: its time, rounded; always more than the last.

        Raises:
            SinkError: the pictures come at varying times.
        """
        time = frame.pts * frame.time_base
        if self._start is None:
            self._start = time
        meant = round((time - self._start) * self._rate)
        self._last = max(meant, self._last + 1)
        if self._last - meant > _MOST_SLOTS_LATE:
            raise SinkError(
                f"{self._target}: the frame rate varies, and AVI has a fixed one; "
                f"write {self._target.with_suffix('.mkv').name} instead"
            )
        return self._last

    def has(self, packet: av.Packet[Any]) -> bool:
        """Whether a packet of sound is to be written: not if it ends before the first picture.

        Encoders of AAC begin with such a packet; players drop it, where the container says so.

        Raises:
            SinkError: the sound does not start with the picture, which AVI cannot say.
        """
        if packet.stream_index in self._started or packet.pts is None or not packet.time_base:
            return True
        offset = packet.pts * packet.time_base - (self._start or 0)
        end = offset + (packet.duration or 0) * packet.time_base
        if end <= _LEAST_OFFSET_S and -_LONGEST_PRIMING_S < offset < -_LEAST_OFFSET_S:
            return False
        if abs(offset) >= _LEAST_OFFSET_S:
            side = "after" if offset > 0 else "before"
            raise SinkError(
                f"{self._target}: the sound starts {abs(float(offset)):.3f} s {side} the picture, "
                f"which AVI cannot state; write {self._target.with_suffix('.mkv').name} instead"
            )
        self._started.add(packet.stream_index)
        return True
