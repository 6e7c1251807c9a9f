"""When the frames of a stream are shown, from the timestamps of its packets."""

from collections.abc import Sequence

import numpy as np

from streamlight.facts import TimingFacts

_REORDERED = 16
"""Frames that may come later in the file than one shown after them (the most of H.264)."""

_STEADY = 0.02
"""Share of the frame time by which a constant rate may swing."""


def timing_of(
    times_s: Sequence[float], tick_s: float, *, is_complete: bool, missing: int = 0
) -> TimingFacts:
    """Tell constant from variable frame rate.

    Args:
        times_s: presentation times of the packets, in the order of the file.
        tick_s: unit of the timestamps: rounding to it is no change of rate.
        is_complete: whether these are all packets of the stream.
        missing: how many packets more had no time.
    """
    count = len(times_s) + missing
    ordered = np.sort(np.asarray(times_s, np.float64))
    if not is_complete:
        ordered = ordered[:-_REORDERED]  # those between them may not have been read
    steps = np.diff(ordered)
    if len(steps) == 0 or missing > len(times_s):
        return TimingFacts(count, is_complete, None, missing=missing)
    median = float(np.median(steps))
    swing = max(1.01 * tick_s, _STEADY * median)
    is_variable = bool(np.abs(steps - median).max() > swing)
    return TimingFacts(
        count,
        is_complete,
        is_variable,
        round(1e3 * float(steps.min()), 3),
        round(1e3 * float(steps.max()), 3),
        round(1e3 * median, 3),
        round(1e3 * float(steps.mean()), 3),
        missing,
    )
