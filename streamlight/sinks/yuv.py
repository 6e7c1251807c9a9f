"""RGB arrays to the pictures that an encoder takes, with a given matrix and range."""

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from streamlight.color import ColorSpec, Range
from streamlight.frame import Image
from streamlight.sources.rgb import EXACT, swscale_matrix


class YuvConverter:
    """Converts the pictures of one stream; keeps swscale's tables between them."""

    def __init__(self, pixel_format: str, color: ColorSpec) -> None:
        """Convert to `pixel_format` (8-bit planar YUV) with the matrix and range of `color`."""
        self._pixel_format = pixel_format
        self._color = color
        self._first = VideoReformatter()
        self._second = VideoReformatter()

    def __call__(self, image: Image) -> av.VideoFrame:
        """Convert RGB uint8 (H, W, 3); the array must not change until the frame is encoded.

        Full range goes through 10 bits: swscale's 8-bit chroma is half a level too low there.
        """
        rgb = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")
        if self._color.range != Range.FULL:
            return self._convert(self._first, rgb, self._pixel_format, Range.FULL)
        wide = self._convert(self._first, rgb, self._pixel_format + "10le", Range.FULL)
        return self._convert(self._second, wide, self._pixel_format, self._color.range)

    def _convert(
        self, reformatter: VideoReformatter, frame: av.VideoFrame, to: str, source_range: int
    ) -> av.VideoFrame:
        matrix = swscale_matrix(self._color.matrix)
        return reformatter.reformat(
            frame,
            format=to,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=source_range,
            dst_color_range=self._color.range,
            interpolation=EXACT,
            threads=1,
        )
