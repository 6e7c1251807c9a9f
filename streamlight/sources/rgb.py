"""Decoded pictures to RGB arrays, with the picture's own matrix and range."""

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image

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


def swscale_matrix(matrix: int) -> int:
    """Map a matrix of H.273 to swscale's constant; BT.709 for those that it does not know."""
    return _SWSCALE_MATRIX.get(matrix, 1)


class RgbConverter:
    """Converts the frames of one stream; keeps swscale's tables between them."""

    def __init__(self) -> None:
        """Start without tables; the first frame makes them."""
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, color: ColorSpec) -> Image:
        """Convert a frame to RGB uint8 (H, W, 3), read as `color` says (matrix and range set)."""
        rgb = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=swscale_matrix(color.matrix),
            src_color_range=color.range,
            dst_color_range=Range.FULL,
            interpolation=EXACT,
            threads=1,
        )
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(rgb.height, plane.line_size)
        packed = rows[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)
        return np.ascontiguousarray(packed)


def color_of(frame: av.VideoFrame) -> ColorSpec:
    """Read what a decoded frame says of its colours; unspecified values are filled in."""
    range_ = Range.FULL if frame.format.name.startswith("yuvj") else frame.color_range
    matrix = Matrix.RGB if frame.format.is_rgb else frame.colorspace
    if frame.format.is_rgb:
        range_ = Range.FULL
    spec = ColorSpec(matrix, range_, frame.color_primaries, frame.color_trc)
    return spec.resolved(frame.width, frame.height)
