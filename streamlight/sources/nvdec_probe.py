"""Which codecs the decoder of the NVIDIA GPU has: tried with a small clip of each."""

from __future__ import annotations

import io
from typing import cast

import av
import av.error
from av.video.stream import VideoStream

from streamlight.errors import UnsupportedSourceError
from streamlight.sources.nvdec import open_accel
from streamlight.thread_priority import no_raised_priority

NVDEC_CODECS = {
    "h264": ("libx264", "yuv420p", {"preset": "ultrafast"}),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=error"}),
    "hevc 10 bits": (
        "libx265",
        "yuv420p10le",
        {"preset": "ultrafast", "x265-params": "log-level=error"},
    ),
    "av1": ("libsvtav1", "yuv420p", {"preset": "12"}),
    "vp9": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "mpeg2video": ("mpeg2video", "yuv420p", {}),
}
"""By name: what encodes the clip that is tried, in which format, and how."""

_SIZE, _FRAMES = 256, 4


def probe_nvdec(codec: str, device: int = 0) -> str:
    """Decode a small clip on a GPU; return why that cannot be, empty where it can.

    Args:
        codec: a key of `NVDEC_CODECS`.
        device: index of the GPU.
    """
    try:
        accel = open_accel(device)  # before anything is encoded for it
        with av.open(_clip(codec), "r", hwaccel=accel) as container:
            decoder = container.streams.video[0].codec_context.codec
            if not decoder.hardware_configs:
                return f"PyAV takes the decoder {decoder.name}, which is software only"
            names = {frame.format.name for frame in container.decode(video=0)}
    except UnsupportedSourceError as error:
        return str(error)
    except (av.error.FFmpegError, RuntimeError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return "" if names == {"cuda"} else "the decoder of this GPU has it not"


def _clip(codec: str) -> io.BytesIO:
    """Encode grey pictures."""
    encoder, pixel_format, options = NVDEC_CODECS[codec]
    file = io.BytesIO()
    with no_raised_priority(), av.open(file, "w", format="matroska") as container:
        stream = cast(VideoStream, container.add_stream(encoder, 25, options=options))
        stream.width = stream.height = _SIZE
        stream.pix_fmt = pixel_format
        for _ in range(_FRAMES):
            picture = av.VideoFrame(_SIZE, _SIZE, pixel_format)
            for plane in picture.planes:
                plane.update(bytes([2]) * plane.buffer_size)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    file.seek(0)
    return file
