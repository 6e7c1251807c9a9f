"""From packets to pictures; what cannot be decoded is counted and left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import av.error
from av.video.stream import VideoStream

from streamlight.sources.damage import Damage

_FILLER = 2**62
"""The time of pictures that are decoded for no other reason than to get out those before."""

_SEQUENCE_HEADER = b"\x00\x00\x01\xb3"
"""Start code of MPEG-1 and MPEG-2 (ISO/IEC 13818-2, 6.2.2.1); 12 bits of width and of height
follow."""


def decoded(
    packets: Iterable[av.Packet[VideoStream]], video: VideoStream, damage: Damage
) -> Iterator[av.VideoFrame]:
    """Decode packets to the end.

    Args:
        packets: of one stream, in the order of the file.
        video: the stream.
        damage: counts what cannot be decoded.

    Raises:
        SourceError: the first damage, when that is wanted.
    """
    is_mpeg = video.codec_context.codec.canonical_name in ("mpeg1video", "mpeg2video")
    size = b""
    key: av.Packet[VideoStream] | None = None
    for packet in packets:
        if packet.is_keyframe:
            key = packet
            new_size = _size_in(packet) if is_mpeg else b""
            if size and new_size not in (b"", size):
                yield from _last(video, damage)  # this decoder would forget its last picture
                video.codec_context.flush_buffers()
            size = new_size or size
        yield from _decode(packet, video, damage)
        del packet  # or it lives until the next one is read
    if key is not None:
        yield from _results_of_threads(key, video, damage)
    yield from _last(video, damage)


def _results_of_threads(
    key: av.Packet[VideoStream], video: VideoStream, damage: Damage
) -> Iterator[av.VideoFrame]:
    """Bring out one by one what the decoder's threads hold.

    At the end of a stream, PyAV gives up at the first damage and loses the pictures behind it.
    Therefore a key frame, which cannot fail, is decoded once more for each thread before that.
    """
    key.pts = _FILLER
    for _ in range(video.codec_context.thread_count - 1):
        yield from _decode(key, video, damage)


def _last(video: VideoStream, damage: Damage) -> Iterator[av.VideoFrame]:
    """Take the pictures that wait for their turn to be shown."""
    try:
        pictures = video.decode(None)
    except av.error.FFmpegError:
        return  # only the key frame that was decoded once more can fail here
    yield from _taken(pictures, damage)


def _decode(
    packet: av.Packet[VideoStream], video: VideoStream, damage: Damage
) -> Iterator[av.VideoFrame]:
    try:
        pictures = video.decode(packet)
    except av.error.FFmpegError as error:
        damage.skip_packet(error)
        return
    del packet
    yield from _taken(pictures, damage)


def _taken(pictures: list[av.VideoFrame], damage: Damage) -> Iterator[av.VideoFrame]:
    while pictures:
        picture = pictures.pop(0)
        if picture.pts != _FILLER:
            if picture.is_corrupt:
                damage.take_repaired()
            yield picture
        del picture


def _size_in(packet: av.Packet[VideoStream]) -> bytes:
    """Read width and height of a sequence header; empty without one."""
    data = bytes(packet)
    start = data.find(_SEQUENCE_HEADER)
    return data[start + 4 : start + 7] if start >= 0 else b""
