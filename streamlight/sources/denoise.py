"""Less noise before the network, by libavfilter's adaptive temporal averaging.

`atadenoise` averages each pixel with itself in the frames before and after, as long as it stays
within a threshold: what moves is left alone. It needs no motion search, keeps the number of frames
and their timestamps, and costs a few milliseconds a frame.
"""

from collections.abc import Iterator

import av
import av.error
import av.filter

from streamlight.errors import SourceError, UsageError

DENOISE = ("off", "light", "strong")
"""What `--denoise` takes."""

_ARGUMENTS = {
    "light": "0a=0.02:0b=0.04:1a=0.02:1b=0.04:2a=0.02:2b=0.04:s=5",
    "strong": "0a=0.04:0b=0.08:1a=0.04:1b=0.08:2a=0.04:2b=0.08:s=9",
}
"""For each plane: threshold of one pixel, threshold of the sum; and the number of frames."""


def check_denoise(level: str) -> None:
    """Check a level.

    Raises:
        UsageError: there is no such level.
    """
    if level not in DENOISE:
        raise UsageError(f"--denoise {level}: choose one of {', '.join(DENOISE)}")


def denoised(pictures: Iterator[av.VideoFrame], level: str) -> Iterator[av.VideoFrame]:
    """Yield the pictures with less noise; as many, with the same timestamps.

    Args:
        pictures: decoded, all of one size and format.
        level: "off" passes them on; "light" averages 5 frames, "strong" 9.

    Raises:
        SourceError: the filter does not take this pixel format.
    """
    graph: av.filter.Graph | None = None
    for picture in pictures:
        if level == "off":
            yield picture
            continue
        try:
            if graph is None:
                graph = _graph(picture, level)
            graph.push(picture)
            yield from _ready(graph)
        except av.error.FFmpegError as error:
            raise SourceError(f"--denoise failed: {error.strerror}") from error
    if graph is not None:
        graph.push(None)
        yield from _ready(graph)


def _graph(first: av.VideoFrame, level: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=first.time_base
    )
    graph.link_nodes(source, graph.add("atadenoise", _ARGUMENTS[level]), graph.add("buffersink"))
    graph.configure()
    return graph


def _ready(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            picture = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(picture, av.VideoFrame):
            yield picture
