"""The part of a file that is asked for with --start, --end and --duration."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import av.container

from streamlight.errors import UsageError

_TOLERANCE_S = Fraction(1, 2000)
"""A frame this little before a mark counts as at it: Matroska rounds times to 1 ms."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for, in seconds of the output without it.

    Attributes:
        start_s: first moment; None for all from the beginning.
        end_s: first moment that is no longer part of it; None for all to the end.
    """

    start_s: Fraction | None = None
    end_s: Fraction | None = None

    @classmethod
    def of(cls, start_s: float | None, end_s: float | None, duration_s: float | None) -> Window:
        """Take the three options.

        Raises:
            UsageError: they contradict each other.
        """
        if end_s is not None and duration_s is not None:
            raise UsageError("--end and --duration: give one of them")
        if start_s is not None and start_s < 0:
            raise UsageError(f"--start {start_s:g}: must be 0 or more")
        if duration_s is not None and duration_s <= 0:
            raise UsageError(f"--duration {duration_s:g}: must be more than 0")
        start = None if start_s is None else _exact(start_s)
        end = None if end_s is None else _exact(end_s)
        if duration_s is not None:
            end = (start or 0) + _exact(duration_s)
        if end is not None and end <= (start or 0):
            begin = float(start or 0)
            raise UsageError(f"--end {float(end):g}: must be after the start, {begin:g}")
        return cls(start, end)

    def in_ticks(self, unit: Fraction) -> tuple[int, int | None]:
        """Give the first tick and the first that is no longer part of it, of `unit` seconds.

        The start moves to the next tick of the picture's clock, and sound and subtitles are cut
        there: AVI counts in whole frames, and picture and sound must move by the same time.
        """
        tolerance = min(_TOLERANCE_S, unit / 2)
        start = 0 if self.start_s is None else max(0, ceil((self.start_s - tolerance) / unit))
        end = None if self.end_s is None else ceil((self.end_s - tolerance) / unit)
        return start, end


def cut_chapters(
    chapters: list[av.container.core.Chapter], shift_s: Fraction, length_s: Fraction | None
) -> list[av.container.core.Chapter]:
    """Move chapters by what is cut away before them; leave out those outside, shorten others."""
    kept: list[av.container.core.Chapter] = []
    for chapter in chapters:
        unit = chapter["time_base"] or Fraction(1)
        start = chapter["start"] - round(shift_s / unit)
        end = chapter["end"] - round(shift_s / unit)
        length = None if length_s is None else round(length_s / unit)
        if end <= 0 < shift_s or (length is not None and start >= length):
            continue
        if shift_s > 0:
            start = max(0, start)
        end = end if length is None else min(end, length)
        kept.append({**chapter, "start": start, "end": end})
    return kept


def _exact(time_s: float) -> Fraction:
    """Take 1.1 for 11/10, which binary floating point does not hold."""
    return Fraction(round(time_s * 1_000_000), 1_000_000)
