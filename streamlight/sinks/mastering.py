"""HDR metadata for the encoder: the display it was mastered on, and how bright it gets.

Encoders take both as parameters of their own and write them into the stream, as SEI messages of
H.264 and HEVC (mastering display colour volume and content light level) or metadata OBUs of AV1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamlight.color import ColorSpec, is_hdr
from streamlight.hdr import HdrMetadata
from streamlight.sinks.encoding import Encoding


@dataclass(frozen=True, slots=True)
class _Parameters:
    """How an encoder is told.

    Attributes:
        display: the parameter for the mastering display.
        light: the parameter for MaxCLL and MaxFALL.
        chromaticity: units per 1.
        luminance: units per cd/m2.
    """

    display: str
    light: str
    chromaticity: int = 50_000  # SMPTE ST 2086, as HEVC's SEI message has them
    luminance: int = 10_000


_PARAMETERS = {
    "x264-params": _Parameters("mastering-display", "cll"),
    "x265-params": _Parameters("master-display", "max-cll"),
    "svtav1-params": _Parameters("mastering-display", "content-light", 1, 1),
}


def with_mastering(
    encoding: Encoding, hdr: HdrMetadata | None, color: ColorSpec
) -> tuple[Encoding, list[str]]:
    """Add the metadata of HDR pictures to an encoder's options; say what cannot be written."""
    if hdr is None or hdr == HdrMetadata() or not is_hdr(color):
        return encoding, []
    row = encoding.encoder
    if row.params is None:
        return encoding, [f"the HDR metadata is left out: {row.name} cannot write it"]
    written = _written(hdr, _PARAMETERS[row.params])
    # the person's own parameters come last and win
    options = dict(encoding.options)
    options[row.params] = ":".join([*written, *filter(None, [options.get(row.params)])])
    return replace(encoding, options=options if written else encoding.options), []


def _written(hdr: HdrMetadata, names: _Parameters) -> list[str]:
    parameters = []
    brightest, darkest = hdr.mastering_max_nits, hdr.mastering_min_nits
    if hdr.mastering_primaries and hdr.mastering_white and brightest and darkest is not None:
        red, green, blue = hdr.mastering_primaries
        points = {"G": green, "B": blue, "R": red, "WP": hdr.mastering_white}
        places = "".join(
            f"{letter}({_number(x, names.chromaticity)},{_number(y, names.chromaticity)})"
            for letter, (x, y) in points.items()
        )
        span = f"L({_number(brightest, names.luminance)},{_number(darkest, names.luminance)})"
        parameters.append(f"{names.display}={places}{span}")
    if hdr.max_cll is not None or hdr.max_fall is not None:
        parameters.append(f"{names.light}={hdr.max_cll or 0},{hdr.max_fall or 0}")
    return parameters


def _number(value: float, units: int) -> str:
    return f"{value:g}" if units == 1 else str(round(value * units))
