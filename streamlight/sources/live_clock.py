"""One continuous timeline from the clocks of many connections."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

JUMP_AHEAD_S = 3.0
"""A source's clock that gains this much on the wall clock from one frame to the next has jumped."""

JUMP_BACK_S = 0.2
"""Less is a matter of the order of frames, or of a first RTCP report."""

DRIFT_GROWTH_S = 2.0
DRIFT_LEAST_S = 3.0
DRIFT_MOST_S = 20.0
"""A clock that is `JUMP_AHEAD_S` away from the wall clock, and goes that much further away within
so long, runs at a wrong rate, or stands still. A stall is made up for by what comes after it, a
network that has become slower stays as it is, and a crystal is off by less than 1 %."""

SOUND_APART_S = 10.0
"""Sound further than this from its picture is of another clock: they are sent within some seconds
of each other, also where pieces of several seconds hold first the one and then the other."""


class LiveClock:
    """Moves the times of one connection onto the timeline of the whole source.

    The timeline is anchored at the first frame: there it shows the seconds that passed since the
    first frame of all, so an outage keeps its length. From then on it follows the source's own
    clock, which paces evenly where arrivals jitter. A clock that jumps is anchored anew. One that
    runs at a wrong rate is not believed any more: frames are placed by their arrival from then on.
    Sound takes the anchor of the picture, so its offset to the picture is kept.

    Not thread-safe: one thread reads a connection.

    Attributes:
        checks_rate: whether frames come at the rate at which they are shown; False where pieces
            come in bursts.
    """

    def __init__(
        self,
        origin: float | None = None,
        not_before_s: float = 0.0,
        name: str = "the source",
    ) -> None:
        """Prepare for one connection.

        Args:
            origin: `time.monotonic()` at the zero of the timeline; None to put it at the first
                frame of this connection.
            not_before_s: the first frame is shown no earlier than this, in seconds.
            name: of the source, for the log.
        """
        self._origin = origin
        self._not_before_s = not_before_s
        self._name = name
        self._offset_s: float | None = None
        self._last: tuple[float, float] | None = None  # captured_at, time_s
        self._last_source_s: float | None = None
        self._is_sound_told = False
        self._drift = _Drift(0.0, 0.0)
        self._is_believed = True
        self.checks_rate = True

    def picture_time_s(self, source_s: float | None, captured_at: float) -> float:
        """Place a frame on the timeline.

        Args:
            source_s: its time by the source's clock, in seconds; None when it has none.
            captured_at: `time.monotonic()` when it came.

        Returns:
            Seconds on the timeline. May step back a little where the source's clock does.
        """
        if source_s is None:
            time_s = self._wall_time_s(captured_at)
        else:
            time_s = self._placed(source_s, captured_at)
            self._last_source_s = source_s
        self._last = captured_at, time_s
        return time_s

    def sound_time_s(self, source_s: float, captured_at: float) -> float | None:
        """Place sound on the timeline.

        Args:
            source_s: its time by the source's clock, in seconds.
            captured_at: `time.monotonic()` when it came.

        Returns:
            Seconds on the timeline. None as long as there was no frame to go by, and where it lies
            more than `SOUND_APART_S` before the newest frame, or after where one would lie now:
            its clock has jumped, and the picture's has not.
        """
        if self._offset_s is None or self._last is None:
            return None
        time_s = source_s + self._offset_s
        earliest_s, latest_s = self._last[1], self._wall_time_s(captured_at)
        if earliest_s - SOUND_APART_S <= time_s <= latest_s + SOUND_APART_S:
            return time_s
        if not self._is_sound_told:
            self._is_sound_told = True
            logger.warning(
                "%s: the clock of the sound is %.0f s off that of the picture; "
                "such sound is left out",
                self._name,
                time_s - latest_s,
            )
        return None

    def _wall_time_s(self, captured_at: float) -> float:
        if self._last is not None:
            last_captured_at, last_s = self._last
            return last_s + captured_at - last_captured_at
        if self._origin is None:
            self._origin = captured_at
        return max(captured_at - self._origin, self._not_before_s)

    def _placed(self, source_s: float, captured_at: float) -> float:
        wall_s = self._wall_time_s(captured_at)
        if self._offset_s is None or self._jumps(source_s, captured_at):
            self._drift = _Drift(captured_at, wall_s)
        elif self._is_believed:
            time_s = source_s + self._offset_s
            if not self.checks_rate or not self._drift.grows(captured_at, time_s):
                return time_s
            self._is_believed = False
            wall_s = max(wall_s, self._drift.wall_time_s(captured_at))  # what lay behind moves on
            logger.warning(
                "%s: its clock runs at a wrong rate, or stands still; "
                "until it is connected again, its pictures get the times of their arrival",
                self._name,
            )
        self._offset_s = wall_s - source_s
        return wall_s

    def _jumps(self, source_s: float, captured_at: float) -> bool:
        if self._last is None or self._last_source_s is None:
            return False
        step_s = source_s - self._last_source_s
        waited_s = captured_at - self._last[0]
        return step_s < -JUMP_BACK_S or step_s - waited_s > JUMP_AHEAD_S


class _Drift:
    """How far the timeline has gone away from the wall clock since it was anchored."""

    def __init__(self, captured_at: float, time_s: float) -> None:
        self._zero = captured_at - time_s
        self._last_s = 0.0
        self._began: tuple[float, float] | None = None  # captured_at, drift
        self._largest_s = 0.0

    def wall_time_s(self, captured_at: float) -> float:
        return captured_at - self._zero

    def grows(self, captured_at: float, time_s: float) -> bool:
        """Take a frame; say whether the drift is large and has gone on growing.

        The largest step is left out: it may be a stall.
        """
        drift_s = time_s - self.wall_time_s(captured_at)
        step_s, self._last_s = drift_s - self._last_s, drift_s
        if abs(drift_s) <= JUMP_AHEAD_S:
            self._began = None
            return False
        if self._began is None or captured_at - self._began[0] > DRIFT_MOST_S:
            self._began, self._largest_s = (captured_at, drift_s), 0.0
            return False
        began_at, began_s = self._began
        sign = 1 if began_s > 0 else -1
        self._largest_s = max(self._largest_s, step_s * sign)
        grown_s = (drift_s - began_s) * sign - self._largest_s
        return captured_at - began_at >= DRIFT_LEAST_S and grown_s >= DRIFT_GROWTH_S
