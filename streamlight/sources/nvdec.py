"""Pictures that NVIDIA's decoder leaves on the GPU, as planes without a copy.

They pass as DLPack objects, so that this module needs no torch: `torch.from_dlpack` takes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import av
import av.container
import av.error
import av.logging
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel

from streamlight.color import Range, is_hdr
from streamlight.errors import UnsupportedSourceError
from streamlight.frame import Planes
from streamlight.sources.chroma import chroma_location_of
from streamlight.sources.libav_log import libav_log
from streamlight.sources.opening import open_input
from streamlight.sources.rgb import color_of

PLANES_OF = {
    "nv12": "nv12",
    "yuv420p": "nv12",
    "yuvj420p": "nv12",
    "p010le": "p010le",
    "yuv420p10le": "p010le",
}
"""Formats that can stay on a GPU, and how they lie there."""


class HardwareDecoder(Protocol):
    """Opens files with decoders that leave their pictures on a device."""

    def open(self, path: Path) -> av.container.InputContainer:
        """Open a file.

        Raises:
            UnsupportedSourceError: there is no such device.
            SourceError: the file cannot be read.
        """
        ...

    def check(self, frame: av.VideoFrame) -> None:
        """Check that a decoded picture lies on the device.

        Raises:
            UnsupportedSourceError: it does not.
        """
        ...


class Nvdec:
    """The decoder of an NVIDIA GPU.

    Its pictures may be held as long as one likes: libavcodec copies them on the device, out of the
    few surfaces that the decoder has (AV_HWACCEL_FLAG_UNSAFE_OUTPUT, which is not set).
    """

    def __init__(self, device: int = 0) -> None:
        """Choose a GPU by its index; nothing is opened."""
        self._device = device

    def open(self, path: Path) -> av.container.InputContainer:
        """See `HardwareDecoder.open`.

        Software may step in where the GPU refuses a picture in mid-stream, so that none is lost.
        """
        return open_input(path, open_accel(self._device))

    def check(self, frame: av.VideoFrame) -> None:
        """See `HardwareDecoder.check`: PyAV's `is_hwaccel` stays true in software."""
        if frame.format.name != "cuda":
            raise UnsupportedSourceError(
                f"NVDEC does not decode it here; it came as {frame.format.name}"
            )


def obstacle(frame: av.VideoFrame) -> str | None:
    """Say why pictures like this one, decoded on the host, cannot stay on a GPU; None if they can.

    What is read there as it is read here: 4:2:0 in 8 or 10 bits with the chroma where H.264 has it.
    """
    width, height, name = frame.width, frame.height, frame.format.name
    if name not in PLANES_OF:
        return f"pictures of {name} cannot stay on the GPU; 4:2:0 in 8 or 10 bits can"
    if width % 2 or height % 2:
        return f"{width}x{height} has an odd side"
    if is_hdr(color_of(frame)):
        return "HDR pictures are tone-mapped or enhanced on the host"
    if frame.interlaced_frame:
        return "interlaced pictures are worked on on the host"
    location = chroma_location_of(frame)
    if location not in ("left", "unspecified"):
        return f"its chroma lies at {location}, and is read from the left on the GPU"
    return None


def open_accel(device: int) -> HWAccel:
    """Check that there is a GPU of that index, and return what decodes on it.

    Raises:
        UnsupportedSourceError: there is none; the message is libav's reason.
    """
    accel = HWAccel("cuda", device=str(device), allow_software_fallback=True, is_hw_owned=True)
    with libav_log(av.logging.ERROR, of_all_threads=False) as logged:
        try:
            accel.create(Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError) as error:
            words = [message.strip().rstrip(".") for _, _, message in logged]
            reason = next(iter(words), str(error))
            raise UnsupportedSourceError(f"there is no NVIDIA GPU for it ({reason})") from error
    return accel


def planes_of(frame: av.VideoFrame) -> Planes:
    """Take the planes of a picture on a GPU as they are, and of one on the host as NV12 or P010.

    Raises:
        UnsupportedSourceError: it is none of `PLANES_OF`.
    """
    name = (frame.sw_format or frame.format).name
    layout = PLANES_OF.get(name)
    if layout is None:
        raise UnsupportedSourceError(f"pictures of {name} cannot stay on the GPU")
    if name != layout:
        frame = _interleaved(frame, layout)
    luma, chroma = frame.planes  # each holds the picture's memory
    return Planes(luma, chroma)


def _interleaved(frame: av.VideoFrame, layout: str) -> av.VideoFrame:
    """Lay samples out anew; where both ranges are the same, swscale changes none of them."""
    range_ = Range.FULL if frame.format.name.startswith("yuvj") else Range.LIMITED
    return frame.reformat(
        format=layout,
        src_colorspace=frame.colorspace,
        dst_colorspace=frame.colorspace,
        src_color_range=range_,
        dst_color_range=range_,
        threads=1,
    )
