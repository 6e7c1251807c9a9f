"""The methods that the network is compared with, each from uint8 RGB to uint8 RGB.

MSRCR, DeHZ, LIME and SRIE are those that the GLADNet paper compares with (W. Wang, C. Wei,
W. Yang, J. Liu, "GLADNet: Low-Light Enhancement Network with Global Awareness", FG 2018).
They are written from their papers; a fifth one is one file and one row here.
"""

from collections.abc import Callable

from streamlight.evaluation.baselines.clahe import clahe
from streamlight.evaluation.baselines.dehz import dehz
from streamlight.evaluation.baselines.gamma import automatic_gamma, gamma
from streamlight.evaluation.baselines.lime import lime
from streamlight.evaluation.baselines.msrcr import msrcr
from streamlight.evaluation.baselines.srie import srie
from streamlight.frame import Image

Baseline = Callable[[Image], Image]


def unchanged(image: Image) -> Image:
    """Give back the input: the row that every other one should beat."""
    return image


BASELINES: dict[str, Baseline] = {
    "input": unchanged,
    "gamma": gamma,
    "auto-gamma": automatic_gamma,
    "clahe": clahe,
    "msrcr": msrcr,
    "dehz": dehz,
    "lime": lime,
    "srie": srie,
}
"""Methods by name, in the order of the table."""

__all__ = ["BASELINES", "Baseline"]
