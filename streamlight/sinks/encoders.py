"""Which encoders and decoders this build of libav holds, and which encoders really open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

import av
import av.codec
import av.error
import av.logging
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext

from streamlight.sinks.encoder_table import ENCODERS
from streamlight.sources.libav_log import LogEntry, libav_log
from streamlight.thread_priority import no_raised_priority

_SIZE, _FRAMES = 256, 4  # encoders in hardware refuse pictures of less than about 150 pixels


@dataclass(frozen=True, slots=True)
class EncoderStatus:
    """What is known of one encoder.

    Attributes:
        name: libav's, such as "libx264" or "h264_nvenc".
        is_present: whether this build of libav has it.
        works: whether it encoded a few pictures.
        detail: why not; empty when it works.
    """

    name: str
    is_present: bool
    works: bool
    detail: str = ""


def probe_encoder(
    name: str, pixel_format: str | None = None, device: int | None = None
) -> EncoderStatus:
    """Open an encoder and encode four pictures of 256x256 with it.

    Args:
        name: libav's.
        pixel_format: of the pictures; None for 8-bit 4:2:0.
        device: index of the NVIDIA GPU that they are to lie on; None for the host.
    """
    if not has_encoder(name):
        return EncoderStatus(name, False, False, "not in this build of libav")
    with captured_log() as logged, no_raised_priority():
        try:
            packets = _encode(name, pixel_format, device)
        except (av.error.FFmpegError, ValueError, NotImplementedError) as error:
            return EncoderStatus(name, True, False, reason_of(error, name, logged))
    if not packets:
        return EncoderStatus(name, True, False, "it gave no packet")
    return EncoderStatus(name, True, True)


def has_encoder(name: str) -> bool:
    """Whether this build of libav has an encoder of that name ("libx264")."""
    return _is_known(name, "w")


def has_decoder(name: str) -> bool:
    """Whether this build of libav has a decoder of that name ("h264", "mpeg2video")."""
    return _is_known(name, "r")


@contextmanager
def captured_log(level: int = av.logging.ERROR) -> Iterator[list[LogEntry]]:
    """Collect what libav logs: it names the missing driver or wrong option, no exception does.

    SVT-AV1 prints to stderr past libav's log; that is held to errors meanwhile.

    Yields:
        The entries so far, as (level, name, message).
    """
    svt_level = os.environ.get("SVT_LOG")
    os.environ["SVT_LOG"] = "1"  # errors only
    try:
        with libav_log(level, of_all_threads=True) as logs:
            yield logs
    finally:
        if svt_level is None:
            del os.environ["SVT_LOG"]
        else:
            os.environ["SVT_LOG"] = svt_level


def reason_of(error: Exception, encoder: str, logged: list[LogEntry]) -> str:
    """Say why an encoder failed: its own first words, or else what the exception says."""
    words = [message for _, name, message in logged if name == encoder]
    words += [message for _, _, message in logged]
    reason = words[0] if words else getattr(error, "strerror", None) or str(error)
    return str(reason).strip().rstrip(".")


def _is_known(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.codec.Codec(name, mode)
    except UnknownCodecError:
        return False
    return True


def _encode(name: str, pixel_format: str | None, device: int | None) -> int:
    """Encode grey pictures; return the number of packets."""
    accel = None if device is None else HWAccel("cuda", device=str(device), is_hw_owned=True)
    encoder = cast(VideoCodecContext, av.CodecContext.create(name, "w", hwaccel=accel))
    encoder.width = encoder.height = _SIZE
    encoder.framerate = Fraction(30)
    encoder.time_base = Fraction(1, 30)
    encoder.options = dict(ENCODERS[name].options) if name in ENCODERS else {}
    formats = [known.name for known in encoder.codec.video_formats or ()]
    usual = "nv12" if "yuv420p" not in formats and "nv12" in formats else "yuv420p"
    if usual not in formats and formats:  # ProRes has no 4:2:0
        usual = formats[0]
    encoder.pix_fmt = given = pixel_format or usual
    packets = 0
    for index in range(_FRAMES):
        picture = av.VideoFrame(_SIZE, _SIZE, given)  # PyAV uploads it where there is a device
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        picture.pts, picture.time_base = index, encoder.time_base
        packets += len(encoder.encode(picture))
    return packets + len(encoder.encode(None))
