"""How bright a picture is, and how much of the enhancement it needs.

The measure is the mean luma of the 96x96 view. The networks bring dark pictures to a mean of about
0.4 to 0.5; what is there already only loses contrast. Means that were measured, and what the
thresholds below make of them, are in docs/tiles.md.
"""

import math

import numpy as np
from numpy.typing import NDArray

DARK = 0.30
"""Mean luma up to which a picture is enhanced fully; photographs at -2 EV have 0.13 to 0.36."""

BRIGHT = 0.40
"""Mean luma from which on a picture passes as it is; well exposed photographs have about 0.43."""

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G, B in luma (ITU-R BT.709)."""

_TIME_CONSTANT_S = 1.0
"""Of the mean luma in a video, so that the strength fades."""

_DEAD_BAND = 0.01
"""How far the mean luma may swing without a change of the strength."""

_ABRUPT = 0.2
"""Change of log luma from one frame to the next that is followed at once: a switch, a cut."""

_FLOOR = 0.004
"""Added to luma before the logarithm: one level of 8 bits, below which all is noise."""


def brightness(view: NDArray[np.float32]) -> float:
    """Mean luma, 0 to 1, of a view (1, 3, 96, 96) as `streamlight.view.sample` takes it."""
    return float(np.tensordot(_LUMA, view[0].mean(axis=(1, 2)), axes=1))


def is_bright(view: NDArray[np.float32]) -> bool:
    """Whether a picture is bright already, so that enhancing is not worth it."""
    return brightness(view) >= BRIGHT


def needed_strength(luma: float) -> float:
    """How much of the enhancement a mean luma needs: 1 up to `DARK`, 0 from `BRIGHT` on."""
    return min(1.0, max(0.0, (BRIGHT - luma) / (BRIGHT - DARK)))


class BrightnessGate:
    """The needed strength over the frames of a video, without pops and without flicker.

    The mean luma is filtered in time, and small swings of what comes out are ignored (hysteresis
    by a dead band). A switch of the light or a cut is followed at once: the frame after it has
    nothing in common with the one before that could pop.
    """

    def __init__(self) -> None:
        """Start without a past."""
        self._last: float | None = None
        self._mean = self._held = 0.0
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the past."""
        self._last = None

    def __call__(self, view: NDArray[np.float32], time_s: float) -> float:
        """Return the strength, 0 to 1, for the next frame, shown at `time_s` seconds."""
        luma = brightness(view)
        elapsed_s = time_s - self._time_s
        if self._last is None or elapsed_s < 0 or _log_change(self._last, luma) > _ABRUPT:
            self._mean = self._held = luma
        else:
            self._mean -= math.expm1(-elapsed_s / _TIME_CONSTANT_S) * (luma - self._mean)
            self._held = min(max(self._held, self._mean - _DEAD_BAND), self._mean + _DEAD_BAND)
        self._last, self._time_s = luma, time_s
        return needed_strength(self._held)


def _log_change(before: float, after: float) -> float:
    return abs(math.log((after + _FLOOR) / (before + _FLOOR)))
