"""Going on in the middle of a video: what came before is looked at once more, not enhanced."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Protocol

from streamlight.frame import Frame, Image

WARM_UP = 2
"""Time constants of the smoother to look back: what it held before weighs e^-2, 14 %, and more
does not bring the picture nearer to that of an uninterrupted run (docs/resume.md)."""


class Estimator(Protocol):
    """An enhancer, as far as it remembers."""

    def estimate(self, image: Image, time_s: float, /) -> Any:
        """Estimate the illumination of the next frame."""
        ...


def warm_up(
    enhancer: Estimator,
    frames: Iterable[Frame],
    until_pts: int,
    stop: threading.Event | None = None,
) -> int:
    """Let an enhancer see frames that an earlier run enhanced, so that the light goes on steadily.

    Only the illumination is estimated, which takes a small part of the time of enhancing.

    Args:
        enhancer: opened anew.
        frames: of the source, from `WARM_UP` time constants before the place to go on at, or
            from its start.
        until_pts: of the last frame that is enhanced already.
        stop: ends it early.

    Returns:
        How many frames it was shown.
    """
    count = 0
    for frame in frames:
        if frame.pts > until_pts or (stop is not None and stop.is_set()):
            break
        enhancer.estimate(frame.image, frame.time_s)
        count += 1
    return count
