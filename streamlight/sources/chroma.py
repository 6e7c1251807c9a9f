"""Where the chroma samples of decoded pictures lie, and what is assumed where nothing says."""

from fractions import Fraction

import av
import av.filter
import av.logging

from streamlight.sources.libav_log import libav_log


class ChromaPlacer:
    """Makes pictures that do not say where their chroma lies say "left", as players take it.

    VP8, VP9, most AV1 and ProRes do not say. swscale would take the middle between two pixels,
    which moves colours by half a pixel. What a picture does say stays.
    """

    def __init__(self) -> None:
        """Start without a picture; the first one of each size and format is looked at."""
        self._kind: tuple[int, int, str] | None = None
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the picture, or one that shares its memory and says where its chroma lies."""
        kind = frame.width, frame.height, frame.format.name
        if kind != self._kind:
            self._kind, self._graph = kind, None
            if _is_subsampled(frame.format) and chroma_location_of(frame) == "unspecified":
                self._graph = _graph(frame, "setparams", "chroma_location=left")
        if self._graph is None:
            return frame
        self._graph.vpush(frame)
        return self._graph.vpull()


def chroma_location_of(frame: av.VideoFrame) -> str:
    """Tell where the chroma samples lie, in libav's words; "unspecified" where nothing says.

    PyAV does not hand the value out, but libavfilter's `showinfo` prints it. The log level of the
    process is raised for that one frame.
    """
    graph = _graph(frame, "showinfo", "checksum=0")
    with libav_log(av.logging.INFO, of_all_threads=False) as lines:
        graph.vpush(frame)
        graph.vpull()
    words = (word for _, _, text in lines for word in text.split())
    return next((word[3:] for word in words if word.startswith("cl:")), "unspecified")


def _is_subsampled(pixel_format: av.VideoFormat) -> bool:
    if pixel_format.is_rgb or len(pixel_format.components) < 3:
        return False
    return pixel_format.chroma_width(4) < 4 or pixel_format.chroma_height(4) < 4


def _graph(frame: av.VideoFrame, name: str, options: str) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    graph.link_nodes(source, graph.add(name, options), graph.add("buffersink"))
    graph.configure()
    return graph
