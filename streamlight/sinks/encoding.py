"""The decision how to encode: encoder, pixel format and options, before anything is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av
from av.codec.context import CodecContext, OptionFlags

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UsageError
from streamlight.sinks.containers import Container, extensions_for
from streamlight.sinks.encoder_table import CODECS, ENCODERS, EncoderRow, encoders_of
from streamlight.sinks.encoders import has_encoder, probe_encoder
from streamlight.sinks.options import EncoderOptions
from streamlight.sinks.pixel_formats import (
    Sampling,
    fits_size,
    formats_of,
    lost,
    nearest_format,
    sampling_of,
    wanted_sampling,
)

_X264_PROFILES = {
    "constrained baseline": "baseline",
    "baseline": "baseline",
    "main": "main",
    "high": "high",
}
"""Profiles of H.264 (libavcodec's names, lower case) that x264 can be held to, for `--profile`."""

_PRORES_PROFILES = {
    "proxy": "proxy",
    "lt": "lt",
    "standard": "standard",
    "hq": "hq",
    "xq": "4444xq",
}

_NARROW = 48
"""Up to this width x265 4.2's CU tree writes past its memory and crashes (found by valgrind)."""

_MANY_SLICES = 16
"""Below this size FFV1's own choice of slices, by the number of processors, can be refused."""

_FIXED = {"time_base", "codec_tag", "pixel_format", "video_size", "ar", "flags"}
"""Options that would contradict what streamlight sets."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be encoded.

    Attributes:
        format: of the source's pictures.
        bits: of a sample.
        size: width and height to encode.
        rate: nominal pictures per second; None when unknown.
        coding: how the source is coded (codec, profile, bit_rate, pix_fmt, gop), for
            "copy-settings"; None when unknown.
    """

    format: av.VideoFormat
    bits: int
    size: tuple[int, int]
    rate: Fraction | None = None
    coding: Any = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to encode, decided.

    Attributes:
        encoder: its row of the table.
        pixel_format: libavutil's name.
        options: for libavcodec.
        bit_rate: in bits a second; None for constant quality.
        gop: most frames between key frames; None for the encoder's own choice.
        notes: what is not kept, one sentence each.
        encoder_note: why this encoder, where `--encoder auto` chose it; else empty.
        device: index of the GPU whose pictures are encoded there; None for pictures of the host.
    """

    encoder: EncoderRow
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)
    bit_rate: int | None = None
    gop: int | None = None
    notes: tuple[str, ...] = ()
    encoder_note: str = ""
    device: int | None = None


def choose_encoding(options: EncoderOptions, container: Container, picture: Picture) -> Encoding:
    """Decide how to encode a picture into a container.

    Raises:
        UsageError: the options cannot work together, with this container or this picture.
    """
    options, notes = _with_settings_of(options, container, picture)
    codec = _codec(options, container, picture)
    if codec not in container.codecs:
        held = ", ".join(name for name in CODECS if name in container.codecs)
        raise UsageError(
            f"a {container.extension} file cannot hold {codec}: choose one of {held}, "
            f"or write {_listed(extensions_for(codec))}"
        )
    if options.encoder == "auto":
        row, why = _hardware_or_not(codec, options, picture)
    else:
        row, why = _software(codec, options, picture), ""
    pixel_format = _pixel_format(row, options, picture)
    loss = lost(_wanted(row, picture), pixel_format)
    if loss and options.pix_fmt is None:
        notes.append(f"{loss}: {row.name} has no nearer pixel format")
    encoding = Encoding(
        row,
        pixel_format,
        _libav_options(row, options, picture.size) | _without_reordering(row, container),
        _bit_rate(row, options, picture),
        options.gop,
        tuple(notes),
        why,
    )
    _check_extra(row, options.extra)
    return encoding


def check_shape(
    encoding: Encoding, container: Container, sample_aspect_ratio: Fraction | None
) -> None:
    """Refuse pixels that are not square where nothing would tell a player.

    Raises:
        UsageError: neither the container (as PyAV writes it) nor the codec states their shape.
    """
    codec = encoding.encoder.codec
    if sample_aspect_ratio in (None, 0, 1) or container.states_shape_of(codec):
        return
    shape = str(sample_aspect_ratio).replace("/", ":")
    raise UsageError(
        f"the pixels are {shape}, which {codec} in a {container.extension} file cannot state: "
        "write another extension, choose --codec h264, or make them square with "
        "--post-filter scale=iw*sar:ih,setsar=1"
    )


def written_color(
    encoding: Encoding, container: Container, color: ColorSpec, size: tuple[int, int]
) -> ColorSpec:
    """Say which matrix and range to write, so that a reader decodes what was meant.

    Where neither container nor stream states them, they are what players guess.
    """
    if sampling_of(encoding.pixel_format).is_rgb:
        return replace(color, matrix=Matrix.RGB, range=Range.FULL)
    color = color.for_yuv(*size)
    color = replace(color, matrix=color.coefficients)  # what the numbers are made with
    has_matrix, has_range = container.states_color_of(encoding.encoder.codec)
    guessed = ColorSpec().resolved(*size)
    if not has_matrix:
        color = replace(color, matrix=guessed.matrix)
    return color if has_range else replace(color, range=guessed.range)


def _with_settings_of(
    options: EncoderOptions, container: Container, picture: Picture
) -> tuple[EncoderOptions, list[str]]:
    """Replace "copy-settings" by the source's settings, as far as there are such encoders."""
    if options.codec != "copy-settings":
        return options, []
    coding = picture.coding
    name = getattr(coding, "codec", None)
    if name not in CODECS[1:-1]:
        note = f"there is no encoder for {name or 'the codec of the input'}"
        return replace(options, codec="auto"), [f"--codec copy-settings: {note}; auto is used"]
    if name not in container.codecs and options.encoder is None:
        raise UsageError(
            f"the input is {name}, which a {container.extension} file cannot hold; "
            f"write {_listed(extensions_for(name))}, or give a --codec"
        )
    bitrate, preset, extra = options.bitrate, options.preset, options.extra
    profile = str(getattr(coding, "profile", None) or "").lower()
    if name not in ("prores", "ffv1") and bitrate is None and options.crf is None:
        bitrate = getattr(coding, "bit_rate", None)
    if name == "prores" and preset is None:
        preset = _PRORES_PROFILES.get(profile)
    is_free = options.encoder is None and options.pix_fmt is None
    if name == "h264" and profile in _X264_PROFILES and is_free:
        extra = (f"profile={_X264_PROFILES[profile]}", *extra)
    gop = options.gop or getattr(coding, "gop", None)
    return (
        replace(options, codec=name, bitrate=bitrate, preset=preset, gop=gop, extra=extra),
        [],
    )


def _codec(options: EncoderOptions, container: Container, picture: Picture) -> str:
    if options.encoder in (None, "auto"):
        if options.codec != "auto":
            return options.codec
        bits = sampling_of(options.pix_fmt).bits if options.pix_fmt else picture.bits
        codec = container.deep_codec if bits > 8 else container.default_codec
        # x265 has a least size, x264 has none
        smallest = min((row.smallest for row in encoders_of(codec, is_hardware=False)), default=1)
        return codec if min(picture.size) >= smallest else container.default_codec
    row = ENCODERS[str(options.encoder)]
    if options.codec not in ("auto", row.codec):
        names = ", ".join(r.name for r in ENCODERS.values() if r.codec == options.codec)
        raise UsageError(
            f"--encoder {row.name} writes {row.codec}, not {options.codec}; choose one of {names}"
        )
    return row.codec


def _software(codec: str, options: EncoderOptions, picture: Picture) -> EncoderRow:
    if options.encoder is not None:
        rows = [ENCODERS[options.encoder]]
    else:
        rows = encoders_of(codec, is_hardware=False)
        if options.pix_fmt:  # RGB in H.264 has an encoder of its own
            rows = [row for row in rows if options.pix_fmt in formats_of(row)] or rows
    present = [row for row in rows if has_encoder(row.name)]
    if not present:
        names = " or ".join(row.name for row in rows)
        raise UsageError(
            f"{names} is not in this build of libav; `streamlight doctor` lists what there is"
        )
    row = present[0]
    if unusable := _unusable(row, options, picture):
        raise UsageError(unusable)
    return row


def _hardware_or_not(
    codec: str, options: EncoderOptions, picture: Picture
) -> tuple[EncoderRow, str]:
    """Choose the first encoder in hardware that works and loses nothing; else software."""
    tried = []
    for row in encoders_of(codec, is_hardware=True):
        if not has_encoder(row.name):
            continue
        pixel_format = options.pix_fmt or nearest_format(row, _wanted(row, picture), picture.size)
        reason = _unusable(row, options, picture)
        if not reason and pixel_format and lost(_wanted(row, picture), pixel_format):
            reason = f"{row.name} does not hold {_wanted(row, picture)}"
        if not reason:
            reason = probe_encoder(row.name, pixel_format).detail
            if not reason:
                return row, f"{row.name} encodes, in hardware"
            reason = f"{row.name}: {reason}"
        tried.append(reason)
    software = _software(codec, replace(options, encoder=None), picture)
    because = "; ".join(tried) or "this build of libav has none"
    return software, f"no hardware encoder of {codec} can be used ({because}); {software.name} does"


def _unusable(row: EncoderRow, options: EncoderOptions, picture: Picture) -> str:
    """Say why an encoder cannot do what is asked; empty when it can."""
    if min(picture.size) < row.smallest:
        width, height = picture.size
        return f"{row.name} cannot encode {width}x{height}; it needs {row.smallest} pixels a side"
    quality = row.quality
    if options.crf is not None:
        if quality is None:
            others = ", ".join(r.codec for r in _with_quality())
            return f"{row.name} has no --crf; give --codec one of {others}"
        if not quality.lowest <= options.crf <= quality.highest:
            return (
                f"--crf {options.crf:g}: of {row.name} it must be between {quality.lowest:g} "
                f"and {quality.highest:g}"
            )
    if options.bitrate is not None and not row.takes_bitrate:
        others = ", ".join(r.codec for r in _with_quality())
        return f"{row.name} has no --bitrate; give --codec one of {others}"
    if options.preset is not None and options.preset not in row.presets:
        if not row.presets:
            return f"{row.name} has no --preset"
        return f"--preset {options.preset}: of {row.name}, choose one of {', '.join(row.presets)}"
    return _unusable_format(row, options.pix_fmt, picture)


def _unusable_format(row: EncoderRow, pix_fmt: str | None, picture: Picture) -> str:
    width, height = picture.size
    if pix_fmt is None:
        if nearest_format(row, _wanted(row, picture), picture.size) is None:
            return f"{row.name} cannot encode the odd size {width}x{height}"
        return ""
    sampling_of(pix_fmt)
    formats = formats_of(row)
    if pix_fmt not in formats:
        return f"--pix-fmt {pix_fmt}: of {row.name}, choose one of {', '.join(formats)}"
    if not fits_size(row, pix_fmt, picture.size):
        fitting = ", ".join(name for name in formats if fits_size(row, name, picture.size))
        return f"--pix-fmt {pix_fmt} cannot hold the odd size {width}x{height}; choose {fitting}"
    return ""


def _with_quality() -> Iterable[EncoderRow]:
    rows = (row for row in ENCODERS.values() if row.quality and not row.is_hardware)
    return {row.codec: row for row in rows}.values()


def _wanted(row: EncoderRow, picture: Picture) -> Sampling:
    wanted = wanted_sampling(picture.format, picture.bits)
    if picture.format.is_rgb and row.codec == "ffv1":  # lossless: kept as it is
        return replace(wanted, is_rgb=True)
    return wanted


def _pixel_format(row: EncoderRow, options: EncoderOptions, picture: Picture) -> str:
    if options.pix_fmt is not None:
        return options.pix_fmt
    nearest = nearest_format(row, _wanted(row, picture), picture.size)
    if nearest is None:  # _unusable has refused it
        raise AssertionError(row.name)
    return nearest


def _libav_options(
    row: EncoderRow, options: EncoderOptions, size: tuple[int, int]
) -> dict[str, str]:
    found = dict(row.options)
    if row.name == "libx265" and size[0] <= _NARROW:
        found["x265-params"] += ":cutree=0"
    if row.name == "ffv1" and min(size) < _MANY_SLICES:
        found["slices"] = "1"
    preset = options.preset or row.preset
    if row.preset_option and preset:
        found[row.preset_option] = preset
    if row.quality and options.bitrate is None:
        crf = row.quality.default if options.crf is None else options.crf
        found |= row.quality.options
        found[row.quality.option] = f"{crf * row.quality.scale:g}"
    for option in options.extra:
        key, _, value = option.partition("=")
        if key == row.params and key in found:
            value = f"{found[key]}:{value}"
        found[key] = value
    return found


def _without_reordering(row: EncoderRow, container: Container) -> dict[str, str]:
    """Turn B-frames off where the container has no time to show a picture at but its place."""
    return {"bf": "0"} if container.has_fixed_rate and row.codec == "h264" else {}


def _bit_rate(row: EncoderRow, options: EncoderOptions, picture: Picture) -> int | None:
    if options.bitrate is not None or row.quality or not row.takes_bitrate:
        return options.bitrate
    width, height = picture.size
    # V4L2: a tenth of a bit a pixel, 6 Mbit/s for 1080p30
    return round(width * height * float(picture.rate or 30) / 10)


def _check_extra(row: EncoderRow, extra: tuple[str, ...]) -> None:
    """Refuse options that the encoder does not know; libavcodec would drop them silently."""
    if not extra:
        return
    supported = CodecContext.create(row.name, "w").supported_options
    needed = OptionFlags.ENCODING_PARAM | OptionFlags.VIDEO_PARAM
    generic = {o.name for o in supported.generic if o.flags & needed == needed}
    private = {o.name for o in supported.private}
    for option in extra:
        key = option.partition("=")[0]
        if key in _FIXED:
            raise UsageError(f"--encoder-option {option}: streamlight sets {key} itself")
        if key not in generic | private:
            known = ", ".join(sorted(private)) or "none of its own"
            raise UsageError(
                f"--encoder-option {key}: {row.name} has no such option; it has {known}"
            )


def _listed(extensions: list[str]) -> str:
    return " or ".join(extensions)
