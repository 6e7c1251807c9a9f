"""What a person may ask of the encoder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from streamlight.errors import UsageError
from streamlight.sinks.encoder_table import CODECS, ENCODERS

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """How to encode; None leaves the choice to streamlight.

    Attributes:
        codec: one of `CODECS`. "auto" is H.264 for 8 bits and HEVC for more, because players and
            chips decode HEVC of 10 bits and hardly any of them H.264 of 10 bits; VP9 in WebM.
            "copy-settings" is the input's codec, pixel format and bit rate, as near as can be.
        encoder: a libavcodec name of `ENCODERS`; "auto" takes hardware where it works.
        crf: constant quality; lower is better. The range is the encoder's.
        bitrate: to aim at, in bits a second, instead of a quality.
        preset: the encoder's trade of speed for size; the profile of ProRes.
        pix_fmt: libavutil's name of the pixel format to write.
        gop: most frames from one key frame to the next.
        extra: further options of the encoder, each "key=value".
    """

    codec: str = "auto"
    encoder: str | None = None
    crf: float | None = None
    bitrate: int | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    gop: int | None = None
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without an input and an output.

        Raises:
            UsageError: a value is out of its range, or two contradict each other.
        """
        if self.codec not in CODECS:
            raise UsageError(f"--codec {self.codec}: choose one of {', '.join(CODECS)}")
        if self.encoder not in (None, "auto", *ENCODERS):
            known = ", ".join(["auto", *ENCODERS])
            raise UsageError(f"--encoder {self.encoder}: choose one of {known}")
        if self.crf is not None and not (isfinite(self.crf) and self.crf >= 0):
            raise UsageError(f"--crf {self.crf:g}: must be 0 or more")
        if self.bitrate is not None and self.bitrate < 1000:
            raise UsageError(f"--bitrate {self.bitrate}: must be at least 1k (bits a second)")
        if self.crf is not None and self.bitrate is not None:
            raise UsageError("--crf and --bitrate contradict each other; give one of them")
        if self.gop is not None and self.gop < 1:
            raise UsageError(f"--gop {self.gop}: must be 1 or more frames")
        for option in self.extra:
            if not re.fullmatch(r"[\w-]+=.*", option, re.DOTALL):
                raise UsageError(f"--encoder-option {option}: must be key=value")


def parse_bitrate(text: str) -> int:
    """Read a bit rate such as "4M", "800k" or "2500000" in bits a second.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text)
    if match is None:
        raise UsageError(f"--bitrate {text}: must be bits a second, such as 4M or 800k")
    return round(float(match[1]) * _UNITS[match[2].lower()])
