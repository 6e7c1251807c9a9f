"""What a decoded picture says of its high dynamic range."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, cast

import av
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from streamlight.facts import HdrFacts

_PQ, _HLG = 16, 18
"""Code points of H.273, table 3."""

_COMPATIBLE = {_PQ: "1", _HLG: "4"}
"""Dolby Vision's number for what the base layer is on its own; else it is SDR, 2."""


def hdr_of(frame: av.VideoFrame, codec: str) -> HdrFacts | None:
    """Read what makes a picture HDR; None for SDR.

    Args:
        frame: decoded.
        codec: libav's name of its codec.

    The structures read are libavutil's AVMasteringDisplayMetadata (ten rationals: x and y of the
    three primaries and of the white point, least and greatest luminance; then two flags) and
    AVContentLightMetadata (MaxCLL, MaxFALL).
    """
    data = {item.type: bytes(item) for item in cast(Sequence[SideData], frame.side_data)}
    transfer: Literal["PQ", "HLG"] | None = None
    if frame.color_trc == _PQ:
        transfer = "PQ"
    elif frame.color_trc == _HLG:
        transfer = "HLG"
    profile = _dolby_vision_profile(
        data.get(SideDataType.DOVI_METADATA, b""), frame.color_trc, codec
    )
    if transfer is None and profile is None:
        return None
    least, greatest = _luminance(data.get(SideDataType.MASTERING_DISPLAY_METADATA, b""))
    light = data.get(SideDataType.CONTENT_LIGHT_LEVEL, b"")
    max_cll, max_fall = struct.unpack_from("=2I", light) if len(light) >= 8 else (0, 0)
    return HdrFacts(
        transfer,
        profile,
        SideDataType.DYNAMIC_HDR_PLUS in data,
        least,
        greatest,
        max_cll or None,  # 0 means unknown (CTA-861.3)
        max_fall or None,
    )


def _luminance(mastering: bytes) -> tuple[float | None, float | None]:
    if len(mastering) < 88 or not struct.unpack_from("=i", mastering, 84)[0]:
        return None, None
    numbers = struct.unpack_from("=4i", mastering, 64)
    least, greatest = (
        float(Fraction(top, bottom)) if bottom else None
        for top, bottom in (numbers[:2], numbers[2:])
    )
    return least, greatest


def _dolby_vision_profile(metadata: bytes, transfer: int, codec: str) -> str | None:
    """Tell the profile from the header of the picture's own metadata.

    The container's configuration record, which states it, is out of PyAV's reach. These are the
    rules by which libavcodec's encoders guess it, on AVDOVIMetadata and AVDOVIRpuDataHeader.
    """
    if len(metadata) < 8:
        return None
    (offset,) = struct.unpack_from("=Q", metadata)
    header = metadata[offset : offset + 17]
    if len(header) < 17:
        return "unknown"
    rpu_profile, is_full_range, bits = header[4], header[10], header[13]
    has_enhancement_layer = header[15] and not header[16]
    if codec == "av1":
        return f"10.{_COMPATIBLE.get(transfer, '0')}"
    if rpu_profile == 0:
        return "5" if is_full_range else "unknown"
    if rpu_profile == 1 and has_enhancement_layer:
        return "7" if bits == 12 else "4"
    return f"8.{_COMPATIBLE.get(transfer, '2')}" if rpu_profile == 1 else "unknown"
