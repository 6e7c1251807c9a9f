"""High dynamic range in numbers: the formulae of BT.2100, BT.2390, BT.2408 and BT.1886.

Signals are in [0, 1], light is in cd/m2 (nits). All of it is float64 NumPy, exact and slow; what
runs on frames samples it into tables (`streamlight.sources.tonemap`, `streamlight.hdr_enhance`).

How HDR becomes SDR, in the order of `sdr_of_hdr`:

1. The signal becomes light on a display: PQ by its EOTF, HLG by its inverse OETF and the OOTF for a
   display of 1000 nits (BT.2100, tables 4 and 5).
2. The EETF of BT.2390 compresses it from the peak of the source to 203 nits, the reference white
   of BT.2408, which becomes SDR's white. It is computed for the greatest of R, G and B, and all
   three are scaled by the same factor: hue and saturation stay, no channel passes white, and the
   peak is in the terms of MaxCLL, which CTA-861.3 defines on that greatest channel too.
3. BT.2020 becomes BT.709 (BT.2087), and colours that BT.709 cannot show are mixed with the grey of
   the same luminance, just so far that no channel is negative or above white.
4. Light becomes a signal by the inverse of BT.1886's EOTF, for black at 0: a power of 1/2.4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamlight.color import Primaries, Transfer

Array = NDArray[np.float64]
Chromaticity = tuple[float, float]
"""CIE 1931 x and y."""

PQ_PEAK_NITS = 10_000.0
REFERENCE_WHITE_NITS = 203.0
"""What diffuse white is in HDR (BT.2408, table 1): 58 % PQ, 75 % HLG."""
DEFAULT_PEAK_NITS = 1000.0
"""Of a source that does not say: the nominal peak of HLG, and what most PQ is mastered for."""

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
"""BT.2100, table 4."""

_A = 0.17883277
_B = 1 - 4 * _A
_C = 0.5 - _A * np.log(4 * _A)
"""BT.2100, table 5."""

_D65 = (0.3127, 0.3290)
_PRIMARIES: dict[int, tuple[Chromaticity, Chromaticity, Chromaticity]] = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""Red, green, blue of the code points of H.273, table 2, whose white is D65."""


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """What a file says of the brightness of its pictures; None for what it does not say.

    Attributes:
        mastering_max_nits: peak of the display it was mastered on (SMPTE ST 2086).
        mastering_min_nits: black of that display.
        mastering_primaries: chromaticities of its red, green and blue.
        mastering_white: chromaticity of its white.
        max_cll: nits of the brightest pixel (CTA-861.3, MaxCLL).
        max_fall: nits of the brightest frame average (CTA-861.3, MaxFALL).
    """

    mastering_max_nits: float | None = None
    mastering_min_nits: float | None = None
    mastering_primaries: tuple[Chromaticity, Chromaticity, Chromaticity] | None = None
    mastering_white: Chromaticity | None = None
    max_cll: int | None = None
    max_fall: int | None = None


def source_peak_nits(transfer: int, metadata: HdrMetadata | None = None) -> float:
    """Say how bright a source gets: MaxCLL, else its display's peak, else 1000 nits.

    HLG is relative and always made for 1000. The result is between 203 and 10000 nits: less needs
    no compression, more PQ does not hold.
    """
    peak = None
    if transfer == Transfer.PQ and metadata is not None:
        peak = metadata.max_cll or metadata.mastering_max_nits
    return float(np.clip(peak or DEFAULT_PEAK_NITS, REFERENCE_WHITE_NITS, PQ_PEAK_NITS))


def nits_of_pq(signal: NDArray[Any] | float) -> Array:
    """Compute light of a PQ signal (BT.2100, table 4: reference PQ EOTF)."""
    power = np.clip(np.asarray(signal, np.float64), 0, 1) ** (1 / _M2)
    ratio = np.maximum(power - _C1, 0) / (_C2 - _C3 * power)
    return np.asarray(PQ_PEAK_NITS * ratio ** (1 / _M1))


def pq_of_nits(nits: NDArray[Any] | float) -> Array:
    """Compute the PQ signal of light (BT.2100, table 4: inverse EOTF, note 4g)."""
    power = (np.clip(np.asarray(nits, np.float64), 0, PQ_PEAK_NITS) / PQ_PEAK_NITS) ** _M1
    # zero light has a code of 7e-7, which is meant to be none
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def scene_of_hlg(signal: NDArray[Any] | float) -> Array:
    """Compute scene light, in [0, 1], of an HLG signal (BT.2100, table 5: inverse OETF)."""
    signal = np.clip(np.asarray(signal, np.float64), 0, 1)
    bright = (np.exp((signal - _C) / _A) + _B) / 12
    return np.where(signal <= 0.5, signal**2 / 3, bright)


def hlg_of_scene(scene: NDArray[Any] | float) -> Array:
    """Compute the HLG signal of scene light in [0, 1] (BT.2100, table 5: OETF)."""
    scene = np.clip(np.asarray(scene, np.float64), 0, 1)
    bright = _A * np.log(np.maximum(12 * scene - _B, 1e-9)) + _C
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright))


def hlg_gamma(peak_nits: float = DEFAULT_PEAK_NITS) -> float:
    """Compute the system gamma of a display (BT.2100, table 5, note 5f): 1.2 at 1000 nits."""
    return float(1.2 + 0.42 * np.log10(peak_nits / 1000))


def nits_of_scene(scene: NDArray[Any], peak_nits: float = DEFAULT_PEAK_NITS) -> Array:
    """Compute light on a display, R, G, B in the last axis, of scene light (table 5: OOTF).

    For a black of 0. Luminance is that of BT.2100's primaries.
    """
    scene = np.asarray(scene, np.float64)
    luminance = (scene @ luminance_weights(Primaries.BT2020))[..., None]
    return np.asarray(peak_nits * luminance ** (hlg_gamma(peak_nits) - 1) * scene)


def scene_of_nits(nits: NDArray[Any], peak_nits: float = DEFAULT_PEAK_NITS) -> Array:
    """Compute scene light of light on a display (table 5, note 5i: inverse OOTF)."""
    nits = np.asarray(nits, np.float64) / peak_nits
    luminance = (nits @ luminance_weights(Primaries.BT2020))[..., None]
    gamma = hlg_gamma(peak_nits)
    return np.asarray(np.maximum(luminance, 1e-12) ** ((1 - gamma) / gamma) * nits)


def compress(nits: NDArray[Any] | float, peak_nits: float, target_nits: float) -> Array:
    """Compress light from one peak to another (BT.2390, section 5.4.1: EETF), for a black of 0.

    Below the knee, light stays as it is; above it, a Hermite spline in PQ ends at the target.
    """
    scale = float(pq_of_nits(peak_nits))
    e1 = np.minimum(pq_of_nits(nits) / scale, 1)
    most = min(float(pq_of_nits(target_nits)) / scale, 1.0)
    knee = 1.5 * most - 0.5
    if knee >= 1:
        return np.minimum(np.asarray(nits, np.float64), target_nits)
    t = (e1 - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    return np.where(e1 < knee, np.minimum(nits, target_nits), nits_of_pq(spline * scale))


def rgb_to_xyz(primaries: int) -> Array:
    """Derive the matrix (3, 3) from linear RGB to CIE XYZ (SMPTE RP 177, section 3.3).

    Code points of H.273 whose white is not D65, and unstated ones, are taken for BT.2020.
    """
    red_green_blue = _PRIMARIES.get(primaries, _PRIMARIES[Primaries.BT2020])
    columns = np.array([_xyz(x, y) for x, y in red_green_blue]).T
    return np.asarray(columns * np.linalg.solve(columns, _xyz(*_D65)))


def to_bt709(primaries: int) -> Array:
    """Derive the matrix (3, 3) from linear RGB of some primaries to BT.709's (BT.2087 for 2020)."""
    return np.asarray(np.linalg.solve(rgb_to_xyz(Primaries.BT709), rgb_to_xyz(primaries)))


def luminance_weights(primaries: int) -> Array:
    """Derive what R, G and B are of luminance, (3,): 0.2627, 0.6780, 0.0593 for BT.2020."""
    return np.asarray(rgb_to_xyz(primaries)[1])


def limit_gamut(rgb: NDArray[Any], primaries: int = Primaries.BT709) -> Array:
    """Mix linear RGB in the last axis with its grey, as little as brings it into [0, 1].

    Luminance stays, where it is not above white itself.
    """
    grey = np.clip(rgb @ luminance_weights(primaries), 0, 1)[..., None]
    above = rgb.max(axis=-1, keepdims=True) - grey
    below = grey - rgb.min(axis=-1, keepdims=True)
    # how much of the distance from the grey may stay
    keep = np.minimum(1, (1 - grey) / np.maximum(above, 1e-12))
    keep = np.minimum(keep, grey / np.maximum(below, 1e-12))
    return np.asarray(np.clip(grey + keep * (rgb - grey), 0, 1))


def sdr_of_hdr(signal: NDArray[Any], transfer: int, primaries: int, peak_nits: float) -> Array:
    """Tone-map a picture to SDR; the module's docstring says how.

    Args:
        signal: R'G'B' in the last axis, [0, 1].
        transfer: PQ or HLG, code point of H.273.
        primaries: code point of H.273.
        peak_nits: of the source; `source_peak_nits`.

    Returns:
        R'G'B' of BT.709 for a BT.1886 display, [0, 1].
    """
    nits = nits_of_scene(scene_of_hlg(signal)) if transfer == Transfer.HLG else nits_of_pq(signal)
    greatest = nits.max(axis=-1, keepdims=True)
    mapped = compress(greatest, peak_nits, REFERENCE_WHITE_NITS)
    light = nits * (mapped / np.maximum(greatest, 1e-9)) / REFERENCE_WHITE_NITS
    return signal_of_light(limit_gamut(light @ to_bt709(primaries).T))


def signal_of_light(light: NDArray[Any]) -> Array:
    """Compute the SDR signal of light, 1 for white (BT.1886, annex 1, inverse, for L_B = 0)."""
    return np.asarray(np.clip(light, 0, 1) ** (1 / 2.4))


def light_of_signal(signal: NDArray[Any]) -> Array:
    """Compute the light, 1 for white, of an SDR signal (BT.1886, annex 1, for L_B = 0)."""
    return np.asarray(np.clip(signal, 0, 1) ** 2.4)


def _xyz(x: float, y: float) -> Array:
    return np.array([x / y, 1, (1 - x - y) / y])
