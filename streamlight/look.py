"""How the result looks: strength, exposure, and before and after in one picture."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.frame import Image

Compare = Literal["none", "split", "side"]
COMPARE = ("none", "split", "side")

_LINE_COLOR = 0.85
"""Of the line between before and after, as a fraction of white."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is done with the network's result.

    Attributes:
        strength: 0 is the input, 1 the result; between, their blend.
        exposure_ev: the result is exposed by so many stops more, in linear light (sRGB curve).
        compare: "split" shows the left half before and the right half after; "side" shows both
            whole, beside each other.
        rotation: degrees counter-clockwise that the player will turn the picture by, so that
            "left" is the viewer's left.
    """

    strength: float = 1.0
    exposure_ev: float = 0.0
    compare: Compare = "none"
    rotation: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one is out of its range.
        """
        if not 0 <= self.strength <= 1:
            raise UsageError(f"--strength {self.strength:g}: must be between 0 and 1")
        if not -5 <= self.exposure_ev <= 5:
            raise UsageError(f"--exposure {self.exposure_ev:g}: must be between -5 and 5 stops")
        if self.compare not in COMPARE:
            raise UsageError(f"--compare {self.compare}: choose one of {', '.join(COMPARE)}")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Size of the picture that `apply` gives for one of width x height."""
        if self.compare != "side":
            return width, height
        return (width, height * 2) if self._is_turned else (width * 2, height)

    def apply(self, before: Image, after: Image) -> Image:
        """Make the picture to show of the input and the network's result (same shape, dtype)."""
        if self.exposure_ev:
            after = expose(after, self.exposure_ev)
        if self.strength != 1:
            after = blend(before, after, self.strength)
        if self.compare == "none":
            return after
        # in the coded picture, the viewer's left is at the start or at the end of one axis
        axis = 0 if self._is_turned else 1
        first, second = (after, before) if self.rotation in (-90, 180) else (before, after)
        if self.compare == "side":
            return np.concatenate((first, second), axis=axis)
        middle = before.shape[axis] // 2
        head, tail = np.split(first, [middle], axis)[0], np.split(second, [middle], axis)[1]
        picture = np.concatenate((head, tail), axis=axis)
        thickness = max(1, before.shape[axis] // 640)
        line = [slice(None), slice(None)]
        line[axis] = slice(middle, middle + thickness)
        peak = 1.0 if picture.dtype == np.float32 else np.iinfo(picture.dtype).max
        picture[tuple(line)] = picture.dtype.type(peak * _LINE_COLOR)
        return picture

    @property
    def _is_turned(self) -> bool:
        return self.rotation % 180 != 0


def blend(before: Image, after: Image, strength: float) -> Image:
    """Mix two pictures of the same dtype: `before` at 0, `after` at 1; integers are rounded."""
    if after.dtype == np.float32:
        return before + np.float32(strength) * (after - before)
    weight = round(strength * 256)
    mixed = after.astype(np.uint32)
    mixed *= weight
    mixed += before * np.uint32(256 - weight)
    mixed += 128
    mixed >>= 8
    return mixed.astype(after.dtype)


def expose(image: Image, stops: float) -> Image:
    """Expose by so many stops more, in linear light, clipped at white.

    The tone curve is sRGB's (IEC 61966-2-1).
    """
    if image.dtype == np.float32:
        return _expose_float(image, stops)
    return np.asarray(_exposure_table(image.dtype, stops)[image])


@lru_cache(maxsize=8)
def _exposure_table(dtype: "np.dtype[Any]", stops: float) -> NDArray[Any]:
    peak = np.iinfo(dtype).max
    values = np.arange(peak + 1, dtype=np.float32) / peak
    return (_expose_float(values, stops) * peak).round().astype(dtype)


def _expose_float(values: NDArray[Any], stops: float) -> NDArray[np.float32]:
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.minimum(linear * 2**stops, 1)
    curve = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curve.astype(np.float32)
