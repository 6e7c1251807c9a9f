"""What a person may ask of the reading of a video."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """How to read a video file; the arguments of `FileSource`.

    Attributes:
        strict: fail where the file is damaged or cut off, instead of going on.
        denoise: temporal averaging before the network: "off", "light" or "strong".
        filters: a chain of libavfilter before the network, as ffmpeg's -vf takes it.
        deinterlace: "auto" for what says that it is interlaced, "on" for all, "off".
        hdr: "tonemap" to make SDR of PQ and HLG, "keep" to leave them HDR.
        start_s: leave out what is shown before.
        end_s: leave out what is shown from then on.
        duration_s: likewise, from the start.
    """

    strict: bool = False
    denoise: str = "off"
    filters: str | None = None
    deinterlace: Literal["auto", "on", "off"] = "auto"
    hdr: Literal["tonemap", "keep"] = "tonemap"
    start_s: float | None = None
    end_s: float | None = None
    duration_s: float | None = None
