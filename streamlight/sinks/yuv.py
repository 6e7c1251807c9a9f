"""RGB arrays to the pictures that an encoder takes, with a given matrix and range."""

from fractions import Fraction

import av
import av.filter
import numpy as np

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image

_SCALE = "scale=threads=1:flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
"""swscale's exact path; `full_chroma_inp` lets each pixel, and not each second, give its chroma."""

_MATRIX_NAMES: dict[int, str] = {
    Matrix.BT709: "bt709",
    Matrix.FCC: "fcc",
    Matrix.BT470BG: "bt470bg",
    Matrix.SMPTE170M: "smpte170m",
    Matrix.SMPTE240M: "smpte240m",
    Matrix.BT2020_NCL: "bt2020",
}


class YuvConverter:
    """Converts the pictures of one stream, all of one size; keeps swscale's tables between them."""

    def __init__(self, pixel_format: str, color: ColorSpec) -> None:
        """Convert to `pixel_format` (8-bit planar YUV) with the matrix and range of `color`."""
        self._pixel_format = pixel_format
        self._color = color
        self._graph: av.filter.Graph | None = None

    def __call__(self, image: Image) -> av.VideoFrame:
        """Convert RGB uint8 (H, W, 3); the array must not change until the frame is encoded.

        Subsampled chroma lies at the left pixel of its pair, where decoders of H.264 take it to
        be (Rec. H.264, figure E-1). Full range goes through 12 bits: swscale's 8-bit chroma is
        half a level too low there.
        """
        if self._graph is None:
            self._graph = self._build(width=image.shape[1], height=image.shape[0])
        rgb = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")
        rgb.pts = 0
        self._graph.vpush(rgb)
        return self._graph.vpull()

    def _build(self, width: int, height: int) -> av.filter.Graph:
        matrix = _MATRIX_NAMES.get(self._color.matrix, "bt709")  # as `swscale_matrix` does
        to_yuv = f"{_SCALE}:in_range=full:out_color_matrix={matrix}:out_chroma_loc=left"
        if self._color.range == Range.FULL:
            chain = [
                f"{to_yuv}:out_range=full",
                f"format={self._pixel_format}12le",
                f"{_SCALE}:in_range=full:out_range=full:in_chroma_loc=left:out_chroma_loc=left",
            ]
        else:
            chain = [f"{to_yuv}:out_range=limited"]
        graph = av.filter.Graph()
        last = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 25)
        )
        for step in (*chain, f"format={self._pixel_format}", "buffersink"):
            name, _, options = step.partition("=")
            link = graph.add(name, options or None)
            last.link_to(link)
            last = link
        graph.configure()
        return graph
