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
    YCGCO = 8
    BT2020_NCL = 9
    BT2020_CL = 10
    SMPTE2085 = 11
    DERIVED_NCL = 12
    DERIVED_CL = 13
    ICTCP = 14
    IPT_C2 = 15


class Primaries(IntEnum):
    """Chromaticities of the primaries (H.273, table 2); those that are named here."""

    BT709 = 1
    UNSPECIFIED = 2
    BT2020 = 9


class Transfer(IntEnum):
    """Transfer characteristics (H.273, table 3); those that are named here."""

    BT709 = 1
    UNSPECIFIED = 2
    PQ = 16
    HLG = 18


class Range(IntEnum):
    """Quantisation range of the samples (libavutil's AVCOL_RANGE_*)."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


UNSPECIFIED = 2
"""Code point of primaries and transfer that a file does not state (H.273)."""

_APPROXIMATED = {
    Matrix.BT2020_CL: "BT.2020 of constant luminance is read as its non-constant form; saturated "
    "colours are slightly off",
    Matrix.DERIVED_CL: "YCbCr of constant luminance is read as its non-constant form; saturated "
    "colours are slightly off",
}
_UNKNOWN = {
    Matrix.YCGCO: "YCgCo",
    Matrix.SMPTE2085: "Y'D'zD'x (SMPTE ST 2085)",
    Matrix.ICTCP: "ICtCp",
    Matrix.IPT_C2: "IPT-C2 (Dolby Vision profile 5)",
}


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

    @property
    def coefficients(self) -> int:
        """The matrix whose coefficients the picture is converted with.

        It is `matrix`, except where that is no set of coefficients: those of constant luminance
        stand for their non-constant relatives, those derived from the primaries (H.273, table 4,
        value 12) for BT.2020 or BT.709, and the rest for BT.709; `color_note` says so.
        """
        if self.matrix == Matrix.BT2020_CL:
            return Matrix.BT2020_NCL
        if self.matrix in (Matrix.DERIVED_NCL, Matrix.DERIVED_CL):
            is_wide = self.primaries == Primaries.BT2020
            return Matrix.BT2020_NCL if is_wide else Matrix.BT709
        return self.matrix if self.matrix in _CONVERTED else Matrix.BT709


_CONVERTED = {
    Matrix.RGB,
    Matrix.BT709,
    Matrix.FCC,
    Matrix.BT470BG,
    Matrix.SMPTE170M,
    Matrix.SMPTE240M,
    Matrix.BT2020_NCL,
}


def is_hdr(color: ColorSpec) -> bool:
    """Whether the numbers of a picture mean light beyond white: PQ or HLG (BT.2100)."""
    return color.transfer in (Transfer.PQ, Transfer.HLG)


def sdr_of(color: ColorSpec) -> ColorSpec:
    """Describe what tone mapping makes of a picture: BT.709 in limited range.

    An SDR picture, BT.2020 ones included, stays what it is.
    """
    if not is_hdr(color):
        return color
    return ColorSpec(Matrix.BT709, Range.LIMITED, Primaries.BT709, Transfer.BT709)


def color_note(color: ColorSpec) -> str | None:
    """Say what the user should know of the conversion to RGB; None where it is exact."""
    if color.matrix in _APPROXIMATED:
        return _APPROXIMATED[Matrix(color.matrix)]
    if color.matrix in _UNKNOWN:
        name = _UNKNOWN[Matrix(color.matrix)]
        return f"the colours are coded as {name}, which is not supported: they come out wrong"
    return None
