"""What to do when a live run loses frames."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 4.0
"""How long frames must have been lost before anything is said: a hiccup passes by itself."""

TOLERATED_SHARE = 0.1
"""Share of the frames that may be lost without a word."""


@dataclass(frozen=True, slots=True)
class _Count:
    at_s: float
    frames_in: int
    frames_out: int
    too_late: int
    unwanted: int


class Advisor:
    """Watches the losses of a live run, and says once what would mend them.

    Attributes:
        advice: the sentence; None as long as all is well. Once said it stays.
    """

    def __init__(self) -> None:
        """Start with nothing to say."""
        self.advice: str | None = None
        self._counts: deque[_Count] = deque()

    def update(
        self, now_s: float, frames_in: int, frames_out: int, too_late: int, unwanted: int
    ) -> None:
        """Look at the counts of the run so far.

        Args:
            now_s: of any clock that only goes forward.
            frames_in: frames of the source.
            frames_out: frames that the sink took.
            too_late: frames dropped because the network was busy.
            unwanted: frames dropped because the sink was busy.
        """
        if self.advice is not None:
            return
        counts = self._counts
        if not counts or now_s - counts[-1].at_s >= WINDOW_S / 32:
            counts.append(_Count(now_s, frames_in, frames_out, too_late, unwanted))
        while len(counts) > 1 and now_s - counts[1].at_s >= WINDOW_S:
            counts.popleft()
        first = counts[0]
        span_s = now_s - first.at_s
        came = frames_in - first.frames_in
        if span_s < WINDOW_S or not came:
            return
        by_network, by_sink = too_late - first.too_late, unwanted - first.unwanted
        if by_network + by_sink <= TOLERATED_SHARE * came:
            return
        figures = f"{(frames_out - first.frames_out) / span_s:.1f} of {came / span_s:.1f} frames/s"
        if by_network >= by_sink:
            self.advice = (
                f"the network cannot keep up ({figures}); "
                "try --model gladnet-fast or a smaller --process-size"
            )
        else:
            self.advice = (
                f"the output cannot keep up ({figures}); "
                "try a faster --preset, or a smaller picture from the source"
            )
