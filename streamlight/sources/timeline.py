"""One clock for a file whose own clock jumps: recordings joined, a transport stream that wraps."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

WRAP_S = Fraction(2**33, 90_000)
"""After this long the 33-bit clock of MPEG-2 Systems begins again (ISO/IEC 13818-1, 2.4.3.7)."""

_FORWARD_S = 10.0
"""A longer step forward is a jump, where the format's clock may jump; ffmpeg's threshold."""

_BACK_S = 0.1
"""So is a step back, where the clock may jump; where it may not, only one of `_BACK_AT_ALL_S`."""

_BACK_AT_ALL_S = 1.0

_TOLD = 3
"""Jumps that are described one by one."""


@dataclass(slots=True)
class _Segment:
    """A stretch of the file with one clock.

    Attributes:
        offset: seconds to add to the clock.
        reached_s: latest time on the clock.
        expected_s: by stream, when the next packet is due on the clock.
    """

    offset: Fraction
    reached_s: float
    expected_s: dict[int, float] = field(default_factory=dict)


class Timeline:
    """Finds where the clock of a file jumps, and goes on there without a gap.

    All streams of a stretch between two jumps are moved by the same time, so that they stay
    together, although each comes to the jump at another place of the file.

    Attributes:
        jumps: where the clock jumped from and to, in seconds.
    """

    def __init__(self, may_jump: bool) -> None:
        """Begin at the start of a file.

        Args:
            may_jump: whether the format is one whose clock may jump forward (MPEG-TS and -PS).
        """
        self.jumps: list[tuple[float, float]] = []
        self._may_jump = may_jump
        self._segments: list[_Segment] = []
        self._place: dict[int, int] = {}
        self._ends_s: dict[int, float] = {}

    @property
    def notes(self) -> list[str]:
        """What the user should know, one sentence each."""
        told = [
            f"the clock of the file jumps from {old:.1f} to {new:.1f} s, as where recordings were "
            "joined; picture and sound go on there without a gap"
            for old, new in self.jumps[:_TOLD]
        ]
        if len(self.jumps) > _TOLD:
            told.append(f"the clock of the file jumps {len(self.jumps) - _TOLD} more times")
        return told

    def place(
        self, stream: int, dts_s: float, pts_s: float, duration_s: float, *, is_steady: bool
    ) -> Fraction:
        """Say what to add to the timestamps of a packet, in seconds.

        Args:
            stream: index of its stream.
            dts_s: its decoding time.
            pts_s: its presentation time.
            duration_s: of it; 0 when unknown.
            is_steady: whether its stream has packets all the time, as sound and picture have; of
                others, a step in time says nothing.
        """
        if not self._segments:
            self._segments.append(_Segment(Fraction(0), dts_s))
        if not is_steady:
            return self._nearest(dts_s).offset
        number = self._place.get(stream, len(self._segments) - 1)
        expected_s = self._segments[number].expected_s.get(stream)
        if expected_s is None:
            if len(self._segments) == 1 or stream in self._place:
                expected_s = dts_s
            else:
                expected_s = self._segments[number].reached_s
        if self._is_jump(dts_s, expected_s, duration_s):
            found = self._find(stream, dts_s, number)
            number = self._jump(stream, dts_s, pts_s, expected_s) if found is None else found
        segment = self._segments[number]
        self._place[stream] = number
        segment.expected_s[stream] = dts_s + duration_s
        segment.reached_s = max(segment.reached_s, dts_s)
        end_s = pts_s + duration_s + float(segment.offset)
        self._ends_s[stream] = max(end_s, self._ends_s.get(stream, end_s))
        return segment.offset

    def _is_jump(self, dts_s: float, expected_s: float, duration_s: float) -> bool:
        if not self._may_jump:
            return dts_s < expected_s - max(_BACK_AT_ALL_S, 2 * duration_s)
        is_back = dts_s < expected_s - max(_BACK_S, 2 * duration_s)
        return is_back or dts_s > expected_s + _FORWARD_S

    def _find(self, stream: int, dts_s: float, now: int) -> int | None:
        """Find a stretch that the stream goes on in, or that another stream began."""
        for number in reversed(range(len(self._segments))):
            segment = self._segments[number]
            expected_s = segment.expected_s.get(stream)
            if expected_s is not None and number != now:
                if -_BACK_S <= dts_s - expected_s <= 1:
                    return number
            elif number > now and abs(dts_s - segment.reached_s) < _FORWARD_S:
                return number
        return None

    def _jump(self, stream: int, dts_s: float, pts_s: float, expected_s: float) -> int:
        segment = self._segments[self._place.get(stream, len(self._segments) - 1)]
        if abs(dts_s + float(WRAP_S) - expected_s) < _FORWARD_S:
            offset = segment.offset + WRAP_S
        else:
            offset = _in_ticks(self._end_s(stream) - pts_s)
            self.jumps.append((expected_s, dts_s))
        self._segments.append(_Segment(offset, dts_s))
        return len(self._segments) - 1

    def _end_s(self, stream: int) -> float:
        """Say where picture and sound end so far; a stream that ends much later is left out."""
        own_s = self._ends_s.get(stream, 0.0)
        return max(end_s for end_s in [own_s, *self._ends_s.values()] if end_s < own_s + 1)

    def _nearest(self, dts_s: float) -> _Segment:
        return min(reversed(self._segments), key=lambda s: max(0, abs(dts_s - s.reached_s) - 10))


def _in_ticks(time_s: float) -> Fraction:
    """Round to the unit of MPEG's clock, so that no stream of it is rounded differently."""
    return Fraction(round(time_s * 90_000), 90_000)
