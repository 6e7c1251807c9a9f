"""RGB arrays to the pictures that an encoder takes, with a given matrix and range."""

import re
from dataclasses import replace
from fractions import Fraction

import av
import av.filter
import numpy as np
from av.video.reformatter import VideoReformatter

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image
from streamlight.sinks.samples import (
    depth_table,
    frame_of_rgb,
    frame_of_samples,
    full_range_table,
    pick_chroma,
    planes_of,
)

_SCALE = (
    "threads=1:flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp:in_range=full"
    ":out_range={range}:out_color_matrix={matrix}:out_chroma_loc={location}"
)
"""swscale's exact path; `full_chroma_inp` lets each pixel, and not each second, give its chroma."""

_MATRIX_NAMES: dict[int, str] = {
    Matrix.BT709: "bt709",
    Matrix.FCC: "fcc",
    Matrix.BT470BG: "bt470bg",
    Matrix.SMPTE170M: "smpte170m",
    Matrix.SMPTE240M: "smpte240m",
    Matrix.BT2020_NCL: "bt2020",
}

_BY_SAMPLES = re.compile(
    r"yuvj?4(20|22|44)p((9|10|12|14|16)le)?|nv12|nv16|nv24|p[024]1[026]le|gray((9|10|12|14|16)le)?"
)
"""Formats that `streamlight.sinks.samples` can write."""


class YuvConverter:
    """Converts the pictures of one stream, all of one size; keeps swscale's tables between them."""

    def __init__(
        self,
        pixel_format: str,
        color: ColorSpec,
        *,
        source_format: av.VideoFormat | None = None,
        chroma_location: str = "left",
    ) -> None:
        """Convert to a pixel format with the matrix and range of `color`.

        Args:
            pixel_format: libav's name; YCbCr, grey or RGB. RGB and grey are of full range always.
            color: how the numbers are to mean colours; the frames are tagged with it.
            source_format: what `RgbConverter` decoded the pictures from. Where its chroma has the
                same sampling, the interpolation that was needed for RGB is undone exactly, and
                colours stay as sharp as they were. None for pictures with chroma of every pixel.
            chroma_location: where subsampled chroma lies: "left", where decoders take it to be
                (Rec. H.264, figure E-1), "center" (JPEG) or "topleft" (UHD Blu-ray).
        """
        self._format = av.VideoFormat(pixel_format)
        if self._format.is_rgb:
            color = replace(color, matrix=Matrix.RGB, range=Range.FULL)
        elif _is_grey(self._format) or pixel_format.startswith("yuvj"):
            color = replace(color, range=Range.FULL)
        self._color = color
        self._location = chroma_location
        self._widens = self._picks = False
        if _BY_SAMPLES.fullmatch(pixel_format):
            # swscale's own chroma of full range is up to 0.8 of a level too low (docs/color.md)
            self._widens = color.range == Range.FULL
            self._picks = _sampling(self._format) != "444" and (
                source_format is not None and _sampling(source_format) == _sampling(self._format)
            )
        self._layout = VideoReformatter()
        self._graph: av.filter.Graph | None = None

    def __call__(self, image: Image) -> av.VideoFrame:
        """Convert RGB (H, W, 3) of uint8, or of uint16 with white at 65535.

        The array must not change until the frame is encoded.
        """
        frame = self._rgb(image) if self._format.is_rgb else self._ycbcr(image)
        frame.colorspace, frame.color_range = self._color.matrix, self._color.range
        frame.color_primaries, frame.color_trc = self._color.primaries, self._color.transfer
        return frame

    def _rgb(self, image: Image) -> av.VideoFrame:
        """Round to the bits of the format here, and let swscale only lay the samples out."""
        bits = min(self._format.components[0].bits, 16)
        if image.dtype != np.uint8 or bits > 8:
            image = depth_table(image.dtype.itemsize * 8, max(bits, 8)).take(image)
        image = np.ascontiguousarray(image)
        if image.dtype == np.uint8:
            frame = av.VideoFrame.from_numpy_buffer(image, "rgb24")
        elif bits == 16:
            frame = av.VideoFrame.from_numpy_buffer(image, "rgb48le")
        else:
            frame = frame_of_rgb(image, bits)
        return self._layout.reformat(frame, format=self._format.name, threads=1)

    def _ycbcr(self, image: Image) -> av.VideoFrame:
        """Convert by swscale to the format itself, or to one that is as exact, and from there."""
        is_deep = image.dtype == np.uint16
        if self._graph is None:
            self._graph = self._build(image.shape[1], image.shape[0], is_deep)
        if is_deep:
            image = image - (image >> 8)  # swscale's white is 65280
        source = np.ascontiguousarray(image)
        rgb = av.VideoFrame.from_numpy_buffer(source, "rgb48le" if is_deep else "rgb24")
        rgb.pts = 0
        self._graph.vpush(rgb)
        frame = self._graph.vpull()
        if not self._picks and not self._widens:
            return frame
        luma, *chroma = planes_of(frame)
        if self._picks:
            halves_rows = _sampling(self._format) == "420"
            bits = frame.format.components[0].bits
            chroma = [pick_chroma(c, self._location, halves_rows, bits) for c in chroma]
        if self._widens:
            bits = self._format.components[0].bits
            luma = full_range_table(bits, is_chroma=False).take(luma)
            chroma = [full_range_table(bits, is_chroma=True).take(c) for c in chroma]
        return frame_of_samples([luma, *chroma], self._format)

    def _build(self, width: int, height: int, is_deep: bool) -> av.filter.Graph:
        pixel_format, range_ = self._format.name, self._color.range
        if self._picks or self._widens:
            bits = 16 if self._widens else self._format.components[0].bits
            sampling = "444" if self._picks else _sampling(self._format)
            pixel_format = f"yuv{sampling}p" + (f"{bits}le" if bits > 8 else "")
            range_ = Range.LIMITED
        scale = _SCALE.format(
            range="full" if range_ == Range.FULL else "limited",
            matrix=_MATRIX_NAMES.get(self._color.coefficients, "bt709"),
            location=self._location,
        )
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width,
            height=height,
            format=av.VideoFormat("rgb48le" if is_deep else "rgb24"),
            time_base=Fraction(1, 25),
        )
        layout, sink = graph.add("format", pixel_format), graph.add("buffersink")
        graph.link_nodes(source, graph.add("scale", scale), layout, sink)
        graph.configure()
        return graph


def _is_grey(pixel_format: av.VideoFormat) -> bool:
    return len(pixel_format.components) < 3


def _sampling(pixel_format: av.VideoFormat) -> str:
    """Name the sampling of chroma: "420", "422", "444", or "" for others."""
    if _is_grey(pixel_format) or pixel_format.is_rgb:
        return "444"
    steps = pixel_format.chroma_width(4), pixel_format.chroma_height(4)
    return {(2, 2): "420", (2, 4): "422", (4, 4): "444"}.get(steps, "")
