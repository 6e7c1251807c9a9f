"""NV12 and P010 to the pictures that an encoder takes: no sample changes."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.frame import CudaContext

from streamlight.frame import Planes
from streamlight.sinks.encoding import Encoding
from streamlight.sinks.samples import frame_of_samples

SAME_SAMPLES = {8: ("yuv420p", "nv12"), 10: ("yuv420p10le", "p010le")}
"""Pixel formats that hold the very samples of planes of so many bits."""


def layout_of(bits: int) -> str:
    """Name the layout of planes of 8 or 10 bits, in libavutil's words."""
    return "nv12" if bits == 8 else "p010le"


class PlanesConverter:
    """Makes pictures for one encoder."""

    def __init__(self, encoding: Encoding) -> None:
        """Convert to the encoding's pixel format, one of `SAME_SAMPLES`; or to none, on its GPU."""
        self._encoding = encoding
        self._format = av.VideoFormat(encoding.pixel_format)
        # made once: each context has its own list of what NVENC knows of its memory
        device = encoding.device
        self._context = None if device is None else CudaContext(device_id=device)

    def __call__(self, planes: Planes) -> av.VideoFrame:
        """Convert planes of the host, by a copy; or those of the GPU, as they are.

        Args:
            planes: arrays of NumPy; or for an encoder of a GPU, one piece of its memory with the
                chroma behind the luma, complete.
        """
        if self._encoding.device is not None:
            return av.VideoFrame.from_dlpack(
                (planes.luma, planes.chroma),
                format=self._encoding.pixel_format,
                cuda_context=self._context,
            )
        luma: Any = planes.luma
        chroma: Any = planes.chroma
        if luma.dtype == np.uint16:
            luma, chroma = luma >> 6, chroma >> 6
        return frame_of_samples([luma, chroma[..., 0], chroma[..., 1]], self._format)
