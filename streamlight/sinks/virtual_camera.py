"""The enhanced picture as a camera, for calls and streaming programs."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from streamlight.errors import SinkError
from streamlight.frame import Frame, Image, StreamInfo

_USUAL_RATE = 30.0
_LONGEST_WAIT_S = 1.0
"""Between two pictures of a file, however far apart they are: a call shows a frozen picture."""

_MISSING_PACKAGE = (
    "the virtual camera needs the package pyvirtualcam, which is not installed; "
    "install it with: pip install 'streamlight[virtualcam]'"
)

_MISSING_DRIVER = {
    "linux": (
        "load the driver with: sudo modprobe v4l2loopback devices=1 exclusive_caps=1 "
        "card_label=streamlight (Debian and Ubuntu: sudo apt install v4l2loopback-dkms; "
        "Fedora: sudo dnf install v4l2loopback)"
    ),
    "darwin": (
        "install OBS Studio (brew install --cask obs), start it, and start and stop its virtual "
        "camera once"
    ),
    "win32": "install OBS Studio (winget install OBSProject.OBSStudio) and start it once",
}


class VirtualCameraSink:
    """Shows frames to a virtual camera: v4l2loopback on Linux, OBS on macOS and Windows.

    The camera keeps the size of its first frame; other sizes are fitted into it with black bars.
    Frames of a live source are shown at once, those of a file at their pace.

    Attributes:
        device: what other programs call the camera; empty before the first frame.
        frames_written: how many frames it was shown.
    """

    def __init__(self, info: StreamInfo, device: str | None = None) -> None:
        """Check that the package is there; the camera opens with the first frame.

        Args:
            info: gives the rate, and whether the source is live.
            device: such as /dev/video10; None for the first.

        Raises:
            SinkError: pyvirtualcam is not installed.
        """
        self.device = ""
        self.frames_written = 0
        self._wanted = device
        self._rate = float(info.rate) if info.rate else _USUAL_RATE
        self._is_live = info.is_live
        self._camera: Any = None
        self._scaler = VideoReformatter()
        self._is_over = threading.Event()
        self._epoch_s: float | None = None
        try:
            self._pyvirtualcam = importlib.import_module("pyvirtualcam")
        except ImportError as error:
            raise SinkError(_MISSING_PACKAGE) from error

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the camera."""
        self.abort()

    def write(self, frame: Frame) -> None:
        """Show a frame.

        Raises:
            SinkError: there is no driver, or it takes no frames.
        """
        image = _in_8_bits(frame.image)
        if self._camera is None:
            self._open(image)
        camera = self._camera
        if (camera.height, camera.width) != image.shape[:2]:
            image = self._fitted(image, camera.width, camera.height)
        if not self._is_live:
            self._await_turn(frame.time_s)
        try:
            camera.send(np.ascontiguousarray(image))
        except (RuntimeError, OSError, ValueError) as error:
            raise SinkError(f"the virtual camera {self.device} takes no frame: {error}") from error
        self.frames_written += 1

    def finish(self) -> None:
        """Close the camera."""
        self.abort()

    def abort(self) -> None:
        """Close the camera."""
        self._is_over.set()
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _open(self, image: Image) -> None:
        height, width = image.shape[:2]
        # Programs that read cameras expect 4:2:0, which has no odd sizes.
        width, height = max(width & ~1, 2), max(height & ~1, 2)
        try:
            self._camera = self._pyvirtualcam.Camera(
                width, height, self._rate, fmt=self._pyvirtualcam.PixelFormat.RGB,
                device=self._wanted,
            )  # fmt: skip
        except (RuntimeError, OSError) as error:
            remedy = _MISSING_DRIVER.get(sys.platform, "see the documentation of pyvirtualcam")
            said = str(error).splitlines()[0] if str(error) else "no reason given"
            raise SinkError(f"no virtual camera can be opened ({said}); {remedy}") from error
        self.device = str(self._camera.device)

    def _fitted(self, image: Image, width: int, height: int) -> Image:
        """Scale a picture into the camera's, as large as it fits, with black around it."""
        scale = min(width / image.shape[1], height / image.shape[0])
        inner_width = min(width, max(1, round(image.shape[1] * scale)))
        inner_height = min(height, max(1, round(image.shape[0] * scale)))
        scaled = self._scaler.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"),
            width=inner_width,
            height=inner_height,
            interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
        ).to_ndarray()
        picture = np.zeros((height, width, 3), np.uint8)
        top, left = (height - inner_height) // 2, (width - inner_width) // 2
        picture[top : top + inner_height, left : left + inner_width] = scaled
        return picture

    def _await_turn(self, time_s: float) -> None:
        now_s = time.monotonic()
        if self._epoch_s is None:
            self._epoch_s = now_s - time_s
        wait_s = self._epoch_s + time_s - now_s
        if abs(wait_s) > _LONGEST_WAIT_S:  # the time jumped, or the source is slower than its pace
            wait_s = min(max(wait_s, 0.0), _LONGEST_WAIT_S)
            self._epoch_s = now_s + wait_s - time_s
        if wait_s > 0:
            self._is_over.wait(wait_s)


def _in_8_bits(image: Image) -> Image:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
