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
from av.video.codeccontext import VideoCodecContext

_SIZE, _FRAMES = 256, 4  # encoders in hardware refuse pictures of less than about 150 pixels

_QUIET = {"libx265": {"x265-params": "log-level=none"}}
"""Options for the encoders that print to stderr past libav's log."""


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


def probe_encoder(name: str) -> EncoderStatus:
    """Open an encoder and encode four pictures of 256x256 with it."""
    if not _is_known(name, "w"):
        return EncoderStatus(name, False, False, "not in this build of libav")
    with _captured_errors() as logged:
        try:
            packets = _encode(name)
        except (av.error.FFmpegError, ValueError) as error:
            reason = logged[0][2] if logged else getattr(error, "strerror", None) or str(error)
            return EncoderStatus(name, True, False, reason.strip())
    if not packets:
        return EncoderStatus(name, True, False, "it gave no packet")
    return EncoderStatus(name, True, True)


def has_decoder(name: str) -> bool:
    """Whether this build of libav has a decoder of that name ("h264", "mpeg2video")."""
    return _is_known(name, "r")


def _is_known(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.codec.Codec(name, mode)
    except UnknownCodecError:
        return False
    return True


def _encode(name: str) -> int:
    """Encode grey pictures; return the number of packets."""
    encoder = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    encoder.width = encoder.height = _SIZE
    encoder.framerate = Fraction(30)
    encoder.time_base = Fraction(1, 30)
    encoder.options = _QUIET.get(name, {})
    formats = [known.name for known in encoder.codec.video_formats or ()]
    encoder.pix_fmt = "nv12" if "yuv420p" not in formats and "nv12" in formats else "yuv420p"
    packets = 0
    for index in range(_FRAMES):
        picture = av.VideoFrame(_SIZE, _SIZE, encoder.pix_fmt)
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        picture.pts, picture.time_base = index, encoder.time_base
        packets += len(encoder.encode(picture))
    return packets + len(encoder.encode(None))


@contextmanager
def _captured_errors() -> Iterator[list[tuple[int, str, str]]]:
    """Collect what libav logs as errors: the first names the missing driver, no exception does.

    Yields:
        The entries so far, as (level, name, message).
    """
    level = av.logging.get_level()
    svt_level = os.environ.get("SVT_LOG")
    av.logging.set_level(av.logging.ERROR)
    os.environ["SVT_LOG"] = "1"  # SVT-AV1 prints to stderr past libav's log; 1: errors only
    try:
        with av.logging.Capture(local=False) as logs:
            yield logs
    finally:
        av.logging.set_level(level)
        if svt_level is None:
            del os.environ["SVT_LOG"]
        else:
            os.environ["SVT_LOG"] = svt_level
