"""An open camera, through OpenCV: the second way in, for drivers that libavdevice cannot use."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from streamlight.errors import SourceError
from streamlight.sources.live_reader import Arrival, Reader


class OpenCvFeed:
    """A camera that OpenCV reads. Its times are those of arrival.

    Attributes:
        rate: frames per second, as the driver says; None when it does not.
        damaged_packets: 0; OpenCV does not tell.
    """

    def __init__(
        self,
        device: str,
        size: tuple[int, int] | None,
        fps: Fraction | None,
        pixel_format: str | None,
        reader: Reader,
    ) -> None:
        """Open a camera.

        Args:
            device: a path or a number.
            size: width and height; None for the driver's choice.
            fps: frames per second; None for the driver's choice.
            pixel_format: "mjpeg" is passed on; OpenCV decides the rest by itself.
            reader: that reads it.

        Raises:
            ImportError: OpenCV is not installed.
            SourceError: OpenCV cannot open it either.
        """
        import cv2

        self.damaged_packets = 0
        self._device = device
        self._reader = reader
        self._capture: Any = cv2.VideoCapture(int(device) if device.isdecimal() else device)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{device}: OpenCV cannot open the camera either")
        if pixel_format == "mjpeg":
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, float(fps))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = Fraction(rate).limit_denominator(1001) if 0 < rate <= 1000 else None

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the pictures as they come.

        Raises:
            SourceError: the camera was unplugged, or fails.
        """
        start: float | None = None
        while not self._reader.is_abandoned:
            is_read, pixels = self._capture.read()
            now = time.monotonic()
            if not is_read:
                raise SourceError(f"{self._device}: the camera was unplugged, or sends nothing")
            start = now if start is None else start
            yield Arrival(av.VideoFrame.from_ndarray(pixels, format="bgr24"), now, now - start)

    def close(self) -> None:
        """Let go of the camera."""
        self._capture.release()
