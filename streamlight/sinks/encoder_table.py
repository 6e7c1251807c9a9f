"""The encoders that streamlight knows: one row each, software before hardware.

Names and ranges are libavcodec's. Default qualities are such that each looks like x264's crf 20
at about the speed of its "veryfast" (measured; see docs/files.md); those of hardware encoders are
their vendors' recommendations and were not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

CODECS = ("auto", "h264", "hevc", "av1", "vp9", "prores", "ffv1", "copy-settings")
"""What `--codec` takes."""

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
"""Presets of x264 and x265, which `--preset` takes for H.264 and HEVC."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The option of an encoder that plays the part of x264's crf: constant quality.

    Attributes:
        option: its name in libavcodec.
        lowest: the best quality.
        highest: the worst.
        default: what `--crf` is when it is not given.
        options: what else must be set for it to take effect.
        scale: units of the option per unit of `--crf`.
    """

    option: str
    lowest: float
    highest: float
    default: float
    options: Mapping[str, str] = field(default_factory=dict)
    scale: int = 1


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """One encoder.

    Attributes:
        name: libavcodec's.
        codec: what it writes: one of `CODECS`.
        quality: None for an encoder without constant quality.
        preset_option: its option for speed; None without.
        presets: what that option takes, fastest first.
        preset: the default of them.
        takes_bitrate: whether it can aim at a bit rate.
        is_hardware: whether it needs a device; then it is used on request only.
        pixel_formats: those that it encodes; empty to ask the library.
        options: always set.
        params: the option of the encoder's own parameters ("x265-params"), for HDR metadata.
        smallest: least width and height in pixels.
        crops_whole_chroma: whether the stream's size is cut in units of chroma samples, so that
            4:2:0 cannot have an odd size (Rec. ITU-T H.264, 7.4.2.1.1).
        needs_frame_threads: whether PyAV's default, threads in a frame, makes it slow.
    """

    name: str
    codec: str
    quality: Quality | None = None
    preset_option: str | None = None
    presets: tuple[str, ...] = ()
    preset: str | None = None
    takes_bitrate: bool = True
    is_hardware: bool = False
    pixel_formats: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    params: str | None = None
    smallest: int = 1
    crops_whole_chroma: bool = False
    needs_frame_threads: bool = False


_X264 = Quality("crf", 0, 51, 20)
_NVENC_PRESETS = ("p1", "p2", "p3", "p4", "p5", "p6", "p7")
_QSV_PRESETS = ("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_AMF_PRESETS = ("speed", "balanced", "quality")
_8_BIT = ("nv12", "yuv420p")
_10_BIT = (*_8_BIT, "p010le")


def _nvenc(codec: str, highest: int, default: int, *formats: str) -> EncoderRow:
    quality = Quality("cq", 0, highest, default, {"rc": "vbr"})
    presets = ("preset", _NVENC_PRESETS, "p4")
    return EncoderRow(
        f"{codec}_nvenc",
        codec,
        quality,
        *presets,
        is_hardware=True,
        pixel_formats=("yuv420p", *formats),
        smallest=160,
        crops_whole_chroma=codec != "av1",
    )


def _qsv(codec: str, *formats: str) -> EncoderRow:
    presets = ("preset", _QSV_PRESETS, "fast")
    return EncoderRow(
        f"{codec}_qsv",
        codec,
        Quality("global_quality", 1, 51, 23),
        *presets,
        is_hardware=True,
        pixel_formats=formats,
        smallest=160,
        crops_whole_chroma=True,
    )


def _amf(codec: str, *formats: str) -> EncoderRow:
    return EncoderRow(
        f"{codec}_amf",
        codec,
        Quality("qvbr_quality_level", 1, 51, 23, {"rc": "qvbr"}),
        *("quality", _AMF_PRESETS, "balanced"),
        is_hardware=True,
        pixel_formats=formats,
        smallest=160,
        crops_whole_chroma=True,
    )


def _videotoolbox(codec: str, *formats: str) -> EncoderRow:
    # its scale goes up with quality; of global_quality, 118 are one step (FF_QP2LAMBDA)
    quality = Quality("global_quality", 1, 100, 65, {"flags": "+qscale"}, scale=118)
    return EncoderRow(
        f"{codec}_videotoolbox",
        codec,
        quality,
        is_hardware=True,
        pixel_formats=formats,
        smallest=160,
        crops_whole_chroma=True,
    )


def _media_foundation(codec: str) -> EncoderRow:
    return EncoderRow(
        f"{codec}_mf",
        codec,
        Quality("quality", 0, 100, 75, {"rate_control": "quality"}),
        options={"hw_encoding": "1"},
        is_hardware=True,
        pixel_formats=_8_BIT,
        smallest=160,
        crops_whole_chroma=True,
    )


def _v4l2(codec: str) -> EncoderRow:
    return EncoderRow(
        f"{codec}_v4l2m2m",
        codec,
        is_hardware=True,
        pixel_formats=_8_BIT,
        smallest=160,
        crops_whole_chroma=True,
    )


_ROWS = (
    EncoderRow(
        "libx264",
        "h264",
        _X264,
        *("preset", PRESETS, "veryfast"),
        params="x264-params",
        crops_whole_chroma=True,
        needs_frame_threads=True,  # slices make x264 1.7 times slower
    ),
    EncoderRow(
        "libx264rgb",
        "h264",
        _X264,
        *("preset", PRESETS, "veryfast"),
        params="x264-params",
        needs_frame_threads=True,
    ),
    EncoderRow(
        "libx265",
        "hevc",
        Quality("crf", 0, 51, 20),
        *("preset", PRESETS, "veryfast"),
        options={"x265-params": "log-level=error"},  # it prints to stderr past libav's log
        params="x265-params",
        smallest=16,
        crops_whole_chroma=True,
    ),
    EncoderRow(
        "libsvtav1",
        "av1",
        Quality("crf", 1, 63, 24),
        *("preset", tuple(str(speed) for speed in range(13, -1, -1)), "8"),
        params="svtav1-params",
        smallest=16,
    ),
    EncoderRow(
        "libvpx-vp9",
        "vp9",
        Quality("crf", 0, 63, 26),
        *("cpu-used", tuple(str(speed) for speed in range(8, -1, -1)), "5"),
        options={"deadline": "good", "row-mt": "1"},
    ),
    EncoderRow(
        "prores_ks",
        "prores",
        None,
        *("profile", ("proxy", "lt", "standard", "hq", "4444", "4444xq")),
        takes_bitrate=False,
        crops_whole_chroma=True,  # the last column of an odd width comes out wrong
    ),
    EncoderRow("ffv1", "ffv1", takes_bitrate=False),
    _nvenc("h264", 51, 23, "nv12", "yuv444p"),
    _nvenc("hevc", 51, 25, "nv12", "p010le", "yuv444p"),
    _nvenc("av1", 63, 30, "nv12", "p010le"),
    _qsv("h264", "nv12"),
    _qsv("hevc", "nv12", "p010le"),
    _qsv("av1", "nv12", "p010le"),
    _amf("h264", *_8_BIT),
    _amf("hevc", *_10_BIT),
    _amf("av1", *_10_BIT),
    _videotoolbox("h264", *_8_BIT),
    _videotoolbox("hevc", *_10_BIT),
    _media_foundation("h264"),
    _media_foundation("hevc"),
    _v4l2("h264"),
    _v4l2("hevc"),
)

ENCODERS: Mapping[str, EncoderRow] = {row.name: row for row in _ROWS}
"""Every encoder by its name, in the order in which they are tried."""


def encoders_of(codec: str, *, is_hardware: bool) -> list[EncoderRow]:
    """List the encoders of a codec, best first."""
    return [row for row in _ROWS if row.codec == codec and row.is_hardware == is_hardware]
