"""How the video of a file is coded, so that the output can be coded likewise."""

from dataclasses import dataclass
from itertools import islice

from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Coding:
    """How a video stream is coded.

    Attributes:
        codec: libav's name of the format, such as "h264".
        profile: libav's name, such as "High"; None when unknown.
        bit_rate: in bits a second; None when the file does not say.
        pix_fmt: libavutil's name of the pixel format.
        gop: frames from the first key frame to the second; None when no index tells.
    """

    codec: str
    profile: str | None
    bit_rate: int | None
    pix_fmt: str | None
    gop: int | None


def coding_of(video: VideoStream) -> Coding:
    """Read how a stream of an open file is coded."""
    context = video.codec_context
    has_index = {"mp4", "avi"} & set(video.container.format.name.split(","))
    entries = enumerate(islice(video.index_entries, 1000 if has_index else 0))
    keys = list(islice((number for number, entry in entries if entry.is_keyframe), 2))
    return Coding(
        codec=context.codec.canonical_name,
        profile=video.profile,
        bit_rate=video.bit_rate or None,
        pix_fmt=context.pix_fmt,
        gop=keys[1] - keys[0] if len(keys) == 2 else None,
    )
