"""Pictures that NVIDIA's decoder leaves on the GPU, as planes without a copy.

They pass as DLPack objects, so that this module needs no torch: `torch.from_dlpack` takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
from av.codec.hwaccel import HWAccel

from streamlight.color import ColorSpec
from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.opening import choose_video
from streamlight.sources.rgb import color_of


@dataclass(frozen=True, slots=True)
class DevicePicture:
    """One decoded picture on the GPU.

    Attributes:
        luma: Y (H, W), an object with `__dlpack__`; valid as long as `frame` lives.
        chroma: Cb and Cr by turns, likewise.
        pts: in units of the stream's time base.
        color: matrix and range, filled in.
        frame: what owns the memory.
    """

    luma: Any
    chroma: Any
    pts: int | None
    color: ColorSpec
    frame: av.VideoFrame


class NvdecReader:
    """Decodes the video of a file on an NVIDIA GPU; its pictures stay there."""

    def __init__(self, path: Path, device: int = 0) -> None:
        """Open a file and its decoder.

        Args:
            path: of the file.
            device: index of the GPU.

        Raises:
            UnsupportedSourceError: there is no such GPU, or its decoder has not this format.
            SourceError: the file cannot be read.
        """
        accel = HWAccel("cuda", device=str(device), allow_software_fallback=False, is_hw_owned=True)
        self._path = path
        try:
            self._container = av.open(str(path), hwaccel=accel, metadata_errors="replace")
        except FileNotFoundError as error:
            raise SourceError(f"{path}: no such file") from error
        except (av.error.FFmpegError, RuntimeError, NotImplementedError) as error:
            raise UnsupportedSourceError(
                f"{path}: NVDEC cannot decode it here ({_reason(error)}); decode in software"
            ) from error
        video = choose_video(self._container)
        if video is None or video.codec_context is None:
            self._container.close()
            raise UnsupportedSourceError(f"{path}: there is no video in it")
        video.codec_context.thread_count = 1  # the GPU decodes; threads would only hold surfaces
        self._video = video

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; pictures that were yielded stay valid."""
        self._container.close()

    def pictures(self) -> Iterator[DevicePicture]:
        """Yield the pictures in the order in which they are shown.

        Raises:
            UnsupportedSourceError: the decoder is none of the GPU, though it was opened as one.
            SourceError: the file is damaged.
        """
        try:
            for frame in self._container.decode(self._video):
                yield device_picture(frame, self._path)
        except (av.error.FFmpegError, RuntimeError) as error:
            raise UnsupportedSourceError(
                f"{self._path}: NVDEC cannot decode it here ({_reason(error)}); decode in software"
            ) from error


def device_picture(frame: av.VideoFrame, path: Path) -> DevicePicture:
    """Take the planes of a frame.

    Raises:
        UnsupportedSourceError: the frame lies on the host: PyAV decodes in software without a
            word where the GPU cannot, and `is_hwaccel` stays true.
    """
    if frame.format.name != "cuda":
        raise UnsupportedSourceError(
            f"{path}: NVDEC cannot decode it here (it came as {frame.format.name}); "
            "decode in software"
        )
    luma, chroma = frame.planes
    return DevicePicture(luma, chroma, frame.pts, color_of(frame), frame)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
