"""Colour description of a video, and the guess for what a file does not say.

The values are the code points of ITU-T H.273 (what libavutil calls AVCOL_*).
"""

from dataclasses import dataclass, replace
from enum import IntEnum


class Matrix(IntEnum):
    """Matrix coefficients between RGB and YCbCr (H.273, table 4)."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    BT2020_NCL = 9


class Range(IntEnum):
    """Quantisation range of the samples (libavutil's AVCOL_RANGE_*)."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


UNSPECIFIED = 2
"""Code point of primaries and transfer that a file does not state (H.273)."""


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """How the numbers of a picture mean colours (H.273 code points).

    Attributes:
        matrix: between RGB and YCbCr.
        range: limited (16..235 in 8 bit) or full.
        primaries: code point of table 2.
        transfer: code point of table 3.
    """

    matrix: int = Matrix.UNSPECIFIED
    range: int = Range.UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    def resolved(self, width: int, height: int) -> "ColorSpec":
        """Fill in the matrix and range as players do when a file does not state them.

        At least 1280 wide or more than 576 high means BT.709; below, BT.601, in its 625-line
        form at a height of 576 and else its 525-line form (the rule of mpv, and of most
        players). A missing range means limited. Primaries and transfer are left as they are:
        they are passed on, not used.
        """
        spec = self
        if spec.matrix == Matrix.UNSPECIFIED:
            if width >= 1280 or height > 576:
                spec = replace(spec, matrix=Matrix.BT709)
            else:
                spec = replace(spec, matrix=Matrix.BT470BG if height == 576 else Matrix.SMPTE170M)
        if spec.range == Range.UNSPECIFIED:
            spec = replace(spec, range=Range.LIMITED)
        return spec

    def for_yuv(self, width: int, height: int) -> "ColorSpec":
        """Describe the same picture as YCbCr: RGB becomes what players expect of its size."""
        if self.matrix != Matrix.RGB:
            return self
        unstated = replace(self, matrix=Matrix.UNSPECIFIED, range=Range.UNSPECIFIED)
        return unstated.resolved(width, height)
