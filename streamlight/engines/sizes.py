"""For which sizes of pictures an engine is built: one size, or a range of them."""

import re
from dataclasses import dataclass

from streamlight.errors import UsageError
from streamlight.models import ModelSpec

Size = tuple[int, int]
"""Width and height in pixels."""

NAMED_SIZES: dict[str, Size] = {
    "360p": (640, 360),
    "480p": (854, 480),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "1440p": (2560, 1440),
    "4k": (3840, 2160),
}

ANY = "any"
"""From 2x2 of the network's pixels for a cell of the prior to 4K, best at 1080p: one engine for
mixed sizes."""

_SIZE = r"(\d+)x(\d+)"
_SIZES = re.compile(rf"{_SIZE}(?:\.\.{_SIZE}(?:@{_SIZE})?)?")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that an engine takes, all multiples of the model's `unshuffle`.

    Attributes:
        least: shortest sides.
        best: the size that it is made fast for.
        most: longest sides.
    """

    least: Size
    best: Size
    most: Size

    @property
    def is_static(self) -> bool:
        """Whether it is a single size."""
        return self.least == self.most

    def __contains__(self, size: object) -> bool:
        """Whether pictures of (width, height) can run."""
        if not isinstance(size, tuple):
            return False
        sides = zip(self.least, size, self.most, strict=True)
        return all(low <= side <= high for low, side, high in sides)

    def __str__(self) -> str:
        """Say it as `parse_sizes` reads it: "1920x1080", "384x384..3840x2160@1920x1080"."""
        least, best, most = (f"{w}x{h}" for w, h in (self.least, self.best, self.most))
        return best if self.is_static else f"{least}..{most}@{best}"


def parse_sizes(text: str, model: ModelSpec) -> Sizes:
    """Read "1080p", "any", "1920x800", "640x360..1920x1080" or "...@1280x720".

    Sides are rounded up to what the model takes, as pictures are padded to it. The best size of a
    range is its largest where none is given.

    Raises:
        UsageError: it is no such text, or the sizes are not in order.
    """
    name = text.strip().lower()
    side = model.cells_min_side
    if name in NAMED_SIZES:
        sizes = (NAMED_SIZES[name],) * 3
    elif name == ANY:
        sizes = ((side, side), NAMED_SIZES["1080p"], NAMED_SIZES["4k"])
    elif match := _SIZES.fullmatch(name):
        numbers = [int(number) for number in match.groups() if number is not None]
        given = list(zip(numbers[::2], numbers[1::2], strict=True))
        least, most, best = given[0], given[1 if given[1:] else 0], given[-1]
        sizes = (least, best, most)
    else:
        names = ", ".join((*NAMED_SIZES, ANY))
        raise UsageError(
            f"--sizes {text}: choose from {names}, or give 1920x800 or 640x360..1920x1080@1280x720"
        )
    padded = Sizes(*((_up(w, model.unshuffle), _up(h, model.unshuffle)) for w, h in sizes))
    if 0 in padded.least or padded.best not in padded:
        raise UsageError(f"--sizes {text}: expected least..most@best, each side at least 1")
    return padded


def _up(side: int, step: int) -> int:
    return -(-side // step) * step
