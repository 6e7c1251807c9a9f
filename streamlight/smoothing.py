"""Steady light: the prior over time, followed where the light changes and held where it does not.

A plain exponential filter of the prior does harm: while the light flickers, or after it was
switched on, the filtered prior lags behind the picture, and the detail network passes the whole
difference on (measured in docs/temporal.md: flicker comes out 13 times stronger than with no
filter, and two bright frames darken the next second by a third). What a filter should take away is
only what the 96x96 view adds by itself: noise, and which pixels it happened to hit.

So the filter's rate depends on how far the light of this frame is from the light that the held
prior belongs to. In steady light it is an exponential filter with a long time constant; with a
change of a few percent it follows within a frame.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamlight.models.spec import PRIOR_SIZE
from streamlight.view import LIGHT_SIZE

DEFAULT_TIME_CONSTANT_S = 12.0
"""In steady light; changes of light do not wait for it."""

_FLOOR = 0.004
"""Added to luma before the logarithm: one level of 8 bits, below which all is noise."""

_BLOCK = PRIOR_SIZE // LIGHT_SIZE
"""Light is compared by blocks of 4x4 cells, each averaged with its neighbours: less noise, and
a sixteenth of the work."""

_NEIGHBOURS = (np.eye(LIGHT_SIZE) + np.eye(LIGHT_SIZE, k=1) + np.eye(LIGHT_SIZE, k=-1)) / 3
_NEIGHBOURS[[0, -1], [0, -1]] += 1 / 3
_NEIGHBOURS = _NEIGHBOURS.astype(np.float32)
"""Takes the mean of each block and those before and after it; the edge repeats (24, 24)."""

_GLOBAL_STEP = 0.005
"""Change of log light of the whole frame from which on the filter goes faster."""

_LOCAL_STEP = 0.14
"""Likewise for one place in the frame, beyond the change of the whole: things that move."""

_STEEPNESS = 4
"""The filter is faster by (change / step) to this power: noise far below the step does nothing,
and twice the step is followed 16 times as fast."""

_STILL = 0.05
"""Mean local change up to which a held prior still fits."""

_ABRUPT = 0.2
"""Change of log light of the whole frame that leaves nothing of the past: a switch, a flash."""

_CUT_DIFFERENCE = 0.17
_CUT_CORRELATION = 0.84
"""A cut changes the light of places by more than the first, and leaves less likeness than the
second. Chosen on all pairs of 23 photographs at -2, -4 and -6 EV (docs/temporal.md)."""


@dataclass(frozen=True, slots=True)
class Change:
    """How the light of a frame differs from the light that the held prior belongs to.

    Attributes:
        overall: change of log light of the whole frame, 0.1 being 10 % brighter.
        local: for each block, the magnitude of the change beyond `overall`; (24, 24).
        is_cut: whether it is another scene.
    """

    overall: float
    local: NDArray[np.float32]
    is_cut: bool

    @property
    def is_abrupt(self) -> bool:
        """Whether nothing of the held prior is worth keeping."""
        return self.is_cut or abs(self.overall) > _ABRUPT

    @property
    def is_of_light(self) -> bool:
        """Whether the light of the whole frame changes, which the filter follows at once."""
        return abs(self.overall) >= 2 * _GLOBAL_STEP

    @property
    def is_steady(self) -> bool:
        """Whether the held prior still fits."""
        still = float(self.local.mean()) < _STILL
        return still and not self.is_of_light and not self.is_cut


class PriorSmoother:
    """Filters the priors of a video in the order of its frames.

    The state is the prior and the light that it belongs to (24x24), in FP32: its size and cost do
    not depend on the resolution.

    Attributes:
        time_constant_s: of the exponential filter in steady light; may be changed at any time.
    """

    def __init__(self, time_constant_s: float = DEFAULT_TIME_CONSTANT_S) -> None:
        """Start without a past.

        Args:
            time_constant_s: of the exponential filter in steady light, in seconds, so that it
                acts alike at any frame rate; 0 passes every prior on as it is.

        Raises:
            ValueError: the time constant is negative.
        """
        if time_constant_s < 0:
            raise ValueError(f"the time constant must not be negative, got {time_constant_s:g}")
        self.time_constant_s = time_constant_s
        self._prior: NDArray[np.float32] | None = None
        self._light = np.zeros((LIGHT_SIZE, LIGHT_SIZE), np.float32)
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the past: after a seek, a reconnection, a change of resolution."""
        self._prior = None

    @property
    def is_active(self) -> bool:
        """Whether priors are filtered at all."""
        return self.time_constant_s > 0

    @property
    def held(self) -> NDArray[np.float32] | None:
        """The prior that is held, (1, C, 96, 96); None before the first frame."""
        return self._prior

    def compare(self, light: NDArray[np.float32]) -> Change | None:
        """Compare the light of a frame with that of the held prior.

        Args:
            light: mean luma of blocks (24, 24) in [0, 1], as `sample_light` takes it.

        Returns:
            None when nothing is held.
        """
        if self._prior is None:
            return None
        now, held = _log_light(light), _log_light(self._light)
        difference = now - held
        overall = float(np.median(difference))
        local = np.abs(difference - np.float32(overall))
        is_cut = (
            float(local.mean()) > _CUT_DIFFERENCE and _correlation(now, held) < _CUT_CORRELATION
        )
        return Change(overall, local, is_cut)

    def __call__(
        self,
        light: NDArray[np.float32],
        prior: NDArray[np.float32],
        time_s: float,
        change: Change | None = None,
    ) -> NDArray[np.float32]:
        """Filter the prior of the next frame.

        Args:
            light: of the frame, see `compare`.
            prior: estimated from the frame, (1, C, 96, 96).
            time_s: presentation time of the frame; when it runs backwards the past is forgotten.
            change: `compare(light)`, when it was called already.

        Returns:
            The prior to reconstruct the frame with; a new array.
        """
        change = change or self.compare(light)
        elapsed_s = time_s - self._time_s
        self._time_s = time_s
        if (
            self._prior is None
            or change is None
            or change.is_cut
            or elapsed_s < 0
            or not self.is_active
        ):
            self._prior, self._light = prior, light
            return prior
        speed = np.maximum(
            max(1.0, (change.overall / _GLOBAL_STEP) ** _STEEPNESS),
            (change.local / _LOCAL_STEP) ** _STEEPNESS,
        )
        weight = -np.expm1(-elapsed_s / self.time_constant_s * speed).astype(np.float32)
        self._light = self._light + weight * (light - self._light)
        step = prior - self._prior
        step *= weight.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
        self._prior = np.add(self._prior, step, out=step)
        return self._prior


def _log_light(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of the light around each block: a change of light adds the same everywhere."""
    around = _NEIGHBOURS @ light @ _NEIGHBOURS.T
    return np.asarray(np.log(around + np.float32(_FLOOR)))


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Pearson correlation of two maps; 1 when either is flat, which says nothing of a cut."""
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-6 else 1.0
