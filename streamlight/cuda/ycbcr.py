"""Numbers of Y, Cb, Cr to RGB in [0, 1] and back, as one multiplication and addition each."""

from dataclasses import dataclass

from streamlight.color import ColorSpec, Matrix, Range

_KR_KB: dict[int, tuple[float, float]] = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}
"""Shares of red and blue in luma (ITU-T H.273, table 4)."""


@dataclass(frozen=True, slots=True)
class YCbCr:
    """A matrix and range for samples of some bits (H.273, equations 20 to 25 and 38 to 45).

    Attributes:
        kr: share of red in luma.
        kb: share of blue.
        black: the sample of black in Y.
        luma_span: white less black.
        neutral: the sample of no colour in Cb and Cr.
        chroma_span: from the least to the largest of Cb and Cr.
        peak: the largest sample.
        unit: of a sample in memory: 64 in P010, which holds its 10 bits at the top of 16.
    """

    kr: float
    kb: float
    black: float
    luma_span: float
    neutral: float
    chroma_span: float
    peak: float
    unit: int

    @classmethod
    def of(cls, color: ColorSpec, bits: int) -> "YCbCr":
        """Take them from a description whose matrix and range are known.

        Args:
            color: of the picture.
            bits: 8 for NV12, 10 for P010.
        """
        kr, kb = _KR_KB.get(color.coefficients, _KR_KB[Matrix.BT709])
        step, peak = 2.0 ** (bits - 8), 2.0**bits - 1
        unit = 1 if bits == 8 else 2 ** (16 - bits)
        if color.range == Range.FULL:
            return cls(kr, kb, 0.0, peak, 2.0 ** (bits - 1), peak, peak, unit)
        return cls(kr, kb, 16 * step, 219 * step, 128 * step, 224 * step, peak, unit)

    @property
    def kg(self) -> float:
        """Share of green in luma."""
        return 1 - self.kr - self.kb

    @property
    def to_rgb(self) -> tuple[float, float, float, float]:
        """What Cr adds to R, Cb to G, Cr to G and Cb to B."""
        red, blue = 2 * (1 - self.kr), 2 * (1 - self.kb)
        return red, -blue * self.kb / self.kg, -red * self.kr / self.kg, blue
