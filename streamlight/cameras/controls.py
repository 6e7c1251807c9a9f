"""What can be changed while a camera runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from streamlight.errors import UsageError
from streamlight.look import Look
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S

MOST_SMOOTHING_S = 60.0


@dataclass(frozen=True, slots=True)
class Controls:
    """How a camera's pictures look.

    Attributes:
        strength: 0 is the input, 1 the result of the network.
        exposure_ev: stops that the result is exposed more, -5 to 5.
        smoothing_s: time constant of the illumination in steady light, in seconds, 0 to 60.
    """

    strength: float = 1.0
    exposure_ev: float = 0.0
    smoothing_s: float = DEFAULT_TIME_CONSTANT_S

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one is out of its range.
        """
        Look(self.strength, self.exposure_ev)
        if not 0 <= self.smoothing_s <= MOST_SMOOTHING_S:
            raise UsageError(
                f"--smoothing {self.smoothing_s:g}: must be between 0 and {MOST_SMOOTHING_S:g} s"
            )

    def to_dict(self) -> dict[str, float]:
        """Return the values as plain data for JSON."""
        return asdict(self)
