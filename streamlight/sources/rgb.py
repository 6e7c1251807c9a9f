"""Decoded pictures to RGB arrays, with the picture's own matrix and range."""

import re
from typing import Any

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image
from streamlight.sources.chroma import ChromaPlacer

EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""swscale's exact path. Its fast one is 0.9 to 1.4 levels too dark (docs/color.md), which a dark
picture cannot spare: at level 5 that is a quarter of the signal, and more of it green."""

_SWSCALE_MATRIX: dict[int, int] = {
    Matrix.BT709: 1,
    Matrix.FCC: 4,
    Matrix.BT470BG: 5,
    Matrix.SMPTE170M: 5,
    Matrix.SMPTE240M: 7,
    Matrix.BT2020_NCL: 9,
}

_PLANAR_RGB = re.compile(r"gbra?p(9|10|12|14|16)(le|be)")
PLANE_CHANNELS = (1, 2, 0)
"""Channels of RGB that the planes of planar formats hold: green, blue, red."""

_STRIP_ROWS = 32
"""Rows that are converted at a time, so that they stay in the processor's cache."""


def swscale_matrix(matrix: int) -> int:
    """Map a matrix of H.273 to swscale's constant; BT.709 for those that it does not know."""
    return _SWSCALE_MATRIX.get(matrix, 1)


def is_deep(format_: av.VideoFormat) -> bool:
    """Whether a pixel format has more than 8 bits a channel."""
    return any(component.bits > 8 for component in format_.components)


def has_alpha(format_: av.VideoFormat) -> bool:
    """Whether a pixel format has an alpha channel."""
    return any(component.is_alpha for component in format_.components)


class RgbConverter:
    """Converts the frames of one stream; keeps swscale's tables between them."""

    def __init__(self, deep: bool = False) -> None:
        """Start without tables; the first frame makes them.

        Args:
            deep: give uint16 of full scale, white at 65535, instead of uint8.
        """
        self._deep = deep
        self._reformatter = VideoReformatter()
        self._place_chroma = ChromaPlacer()

    def __call__(self, frame: av.VideoFrame, color: ColorSpec) -> Image:
        """Convert a frame to RGB (H, W, 3), read as `color` says (matrix and range set).

        Chroma is taken from where the frame says that it lies, and else from the left, as
        players do. An alpha channel is dropped.
        """
        format_ = frame.format
        if not self._deep:
            return _packed(self._reformat(frame, color, "rgb24"), np.uint8)
        planar = _PLANAR_RGB.fullmatch(format_.name)
        if planar:  # swscale would take it through YCbCr, which costs up to 5/65535
            order = np.dtype("<u2" if planar[2] == "le" else ">u2")
            return _joined(frame, order, int(planar[1]), shift=16 - int(planar[1]))
        if format_.is_rgb and is_deep(format_):
            return _packed(self._reformat(frame, color, "rgb48le"), np.uint16)
        if format_.is_rgb:
            return _packed(self._reformat(frame, color, "rgb24"), np.uint8) * np.uint16(257)
        # not to rgb48le: with these flags, swscale makes other colours of 4:2:0 (FFmpeg 8)
        rgb = self._reformat(frame, color, "gbrp16le")
        return _joined(rgb, np.dtype("<u2"), _swscale_bits(format_, color))

    def _reformat(self, frame: av.VideoFrame, color: ColorSpec, pixel_format: str) -> av.VideoFrame:
        return self._reformatter.reformat(
            self._place_chroma(frame),
            format=pixel_format,
            src_colorspace=swscale_matrix(color.coefficients),
            src_color_range=color.range,
            dst_color_range=Range.FULL,
            interpolation=EXACT,
            threads=1,
        )


def color_of(frame: av.VideoFrame) -> ColorSpec:
    """Read what a decoded frame says of its colours; unspecified values are filled in."""
    range_ = Range.FULL if frame.format.name.startswith("yuvj") else frame.color_range
    matrix = Matrix.RGB if frame.format.is_rgb else frame.colorspace
    if frame.format.is_rgb:
        range_ = Range.FULL
    spec = ColorSpec(matrix, range_, frame.color_primaries, frame.color_trc)
    return spec.resolved(frame.width, frame.height)


def _packed(frame: av.VideoFrame, dtype: type[np.uint8] | type[np.uint16]) -> Image:
    rows = plane_rows(frame.planes[0], np.dtype(dtype))
    packed = rows[:, : frame.width * 3].reshape(frame.height, frame.width, 3)
    return np.ascontiguousarray(packed)


def _joined(frame: av.VideoFrame, dtype: "np.dtype[np.uint16]", bits: int, shift: int = 0) -> Image:
    """Join planes to a picture, so that white, `bits` ones at the top of 16, becomes 65535."""
    planes = [plane_rows(plane, dtype)[:, : frame.width] for plane in frame.planes[:3]]
    white = np.uint16((2**bits - 1) << (16 - bits))
    image: NDArray[np.uint16] = np.empty((frame.height, frame.width, 3), np.uint16)
    for start in range(0, frame.height, _STRIP_ROWS):
        strip = slice(start, start + _STRIP_ROWS)
        for channel, plane in zip(PLANE_CHANNELS, planes, strict=True):
            part = np.minimum(plane[strip] << shift, white, dtype=np.uint16)
            image[strip, :, channel] = part + (part >> bits)
    return image


def _swscale_bits(format_: av.VideoFormat, color: ColorSpec) -> int:
    """Tell where swscale's white lies in 16 bits: at so many ones, followed by zeros.

    It shifts full range and grey (always full there) up to 16 bits, and limited range as if it
    had 8 bits: white comes out as 65280.
    """
    if len(format_.components) >= 3 and color.range != Range.FULL:
        return 8
    return min(format_.components[0].bits, 16)


def plane_rows(plane: VideoPlane, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """View a plane as rows of samples, the padding at the end of each included."""
    samples = np.frombuffer(memoryview(plane), dtype)
    return samples.reshape(plane.height, plane.line_size // dtype.itemsize)
