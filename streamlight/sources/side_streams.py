"""Sound, subtitles and whatever else travels beside the picture, undecoded.

The source demuxes every stream in one pass, decodes the picture and drops the packets of the
others here; the sink takes them when it writes, so that they are interleaved as they were. The
queue needs no bound of its own: the bounded channel of the frames stops the demuxer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import av
import av.container
import av.stream


class SideStreams:
    """Streams that are copied, and the packets of them that were read and not yet written.

    Attributes:
        streams: the streams of the input to copy, in their order.
        dropped: streams that cannot be copied, each described for people.
        position: index of the video stream among all copied streams, so that the output keeps
            the order of the input.
    """

    def __init__(self, container: av.container.InputContainer, video_index: int) -> None:
        """Choose what to copy from an open container."""
        self.streams: list[av.stream.Stream] = []
        self.dropped: list[str] = []
        self._packets: deque[av.Packet[av.stream.Stream]] = deque()
        for stream in container.streams:
            if stream.index == video_index:
                continue
            if stream.type in ("audio", "subtitle"):
                self.streams.append(stream)
            else:
                self.dropped.append(describe(stream))
        self.position = sum(stream.index < video_index for stream in self.streams)

    def put(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Hand over a packet (called by the source's thread)."""
        self._packets.append(packet)

    def take(self) -> Iterator[av.Packet[av.stream.Stream]]:
        """Yield and remove the packets read so far (called by the sink's thread)."""
        while self._packets:
            yield self._packets.popleft()


def describe(stream: av.stream.Stream) -> str:
    """Name a stream for a message: "audio stream 1 (aac, eng)"."""
    codec = getattr(stream, "codec_context", None)
    details = [codec.name if codec is not None else "unknown codec"]
    if stream.language and stream.language != "und":
        details.append(stream.language)
    return f"{stream.type} stream {stream.index} ({', '.join(details)})"
