"""Frames from a camera of this computer."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

import av.error

from streamlight.errors import SourceError, UsageError
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.camera_devices import (
    CameraInfo,
    CameraMode,
    describe_failure,
    device_format,
    list_cameras,
)
from streamlight.sources.camera_feed import CameraFeed
from streamlight.sources.camera_opencv import OpenCvFeed
from streamlight.sources.live_frames import LiveFrames, describe
from streamlight.sources.live_reader import Arrival, Feed, NothingCame, Reader

__all__ = ["CameraInfo", "CameraMode", "CameraSource", "list_cameras"]

logger = logging.getLogger(__name__)

CLOSE_WAIT_S = 1.5
"""How long `close` waits for a driver that may be stuck."""

_FINAL = {errno.ENOENT, errno.EBUSY, errno.EACCES, errno.EPERM, errno.ENOTTY}
"""The camera is missing, busy or forbidden: another library would not get it either."""


class CameraSource:
    """A camera: v4l2 on Linux, avfoundation on macOS, dshow on Windows; OpenCV if those fail.

        with CameraSource("/dev/video0", size=(1280, 720), fps=30) as source:
            for frame in source:
                ...

    A camera that is unplugged or stops sending ends the iteration with a SourceError.

    Attributes:
        name: the device, as the user knows it.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        size: tuple[int, int] | None = None,
        fps: Fraction | float | None = None,
        pixel_format: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Prepare a camera; `connect`, or `with`, opens it.

        Args:
            device: "/dev/video0" or 0 on Linux; a name or number of `list_cameras` elsewhere;
                None for the first camera.
            size: width and height in pixels; None for the driver's choice.
            fps: frames per second; None for the driver's choice.
            pixel_format: of the camera, such as "mjpeg" or "yuyv422"; None for the driver's
                choice. At large sizes USB often allows the full rate only with "mjpeg".
            timeout_s: seconds without a picture after which the camera counts as dead; twice
                that is given for opening.

        Raises:
            UsageError: a size or rate that is not positive.
            SourceError: cameras are not supported on this system.
        """
        if size is not None and min(size) < 1:
            raise UsageError(f"--size {size[0]}x{size[1]}: expected sizes above 0")
        if fps is not None and not fps > 0:
            raise UsageError(f"--fps {fps}: expected a rate above 0")
        self._format = device_format()
        self._size = size
        self._fps = None if fps is None else Fraction(fps).limit_denominator(1001)
        self._pixel_format = pixel_format
        self._timeout_s = timeout_s
        self._device = device
        self.name = self._named(device)
        self._frames = LiveFrames()
        self._first: Arrival | None = None
        self._info: StreamInfo | None = None
        self._stop = threading.Event()
        self._reader: Reader | None = None

    def __repr__(self) -> str:
        """Name the device."""
        return f"CameraSource({self.name!r})"

    def __enter__(self) -> Self:
        """Open the camera, and return the source itself."""
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the camera."""
        self.close()

    @property
    def info(self) -> StreamInfo:
        """What the camera sends, by its first picture.

        Raises:
            SourceError: the camera is not open yet.
        """
        if self._info is None:
            raise SourceError(f"{self.name}: not open yet; call connect() first")
        return self._info

    @property
    def frames_overtaken(self) -> int:
        """Pictures thrown away because newer ones came before they were taken."""
        return self._reader.overtaken if self._reader else 0

    def connect(self) -> StreamInfo:
        """Open the camera and wait for its first picture; a second call does nothing.

        Raises:
            SourceError: it is missing, busy, forbidden, or sends nothing.
        """
        if self._info is None:
            if self._reader is None:
                self.name = self._named(self._first_device())
                self._reader = Reader(self._open_feed, "streamlight-camera")
            self._first = self._receive(2 * self._timeout_s)
            if self._first is None:
                raise SourceError(f"{self.name}: interrupted before the first picture")
            self._info = describe(self._first, self._rate)
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come, with strictly increasing `pts`.

        Raises:
            SourceError: the camera was unplugged, or sends nothing any more.
        """
        self.connect()
        arrival, self._first = self._first, None
        while arrival is not None:
            frame = self._frames.make(arrival, self._rate)
            del arrival
            yield frame
            del frame
            arrival = self._receive(self._timeout_s)

    def interrupt(self) -> None:
        """End `connect` and the iteration soon; any thread may call it, at any time."""
        self._stop.set()
        reader = self._reader
        if reader is not None:
            reader.wake()

    def close(self) -> None:
        """Let go of the camera; waits at most `CLOSE_WAIT_S` for a driver that is stuck."""
        self.interrupt()
        self._first = None
        if self._reader is not None:
            self._reader.abandon()
            if not self._reader.join(CLOSE_WAIT_S):
                logger.warning("%s: its driver does not answer; left it behind", self.name)

    @property
    def _rate(self) -> Fraction | None:
        feed = self._reader.feed if self._reader else None
        return feed.rate if feed else None

    def _receive(self, timeout_s: float) -> Arrival | None:
        if self._reader is None or self._stop.is_set():
            return None
        try:
            return self._reader.get(timeout_s)
        except NothingCame:
            raise SourceError(
                f"{self.name}: the camera sends no pictures ({timeout_s:g} s); unplug it and plug "
                "it in again, or try another USB port"
            ) from None

    def _open_feed(self, reader: Reader) -> Feed:
        """Open the camera, in the reader's thread."""
        options, asked = self._options()
        device = self.name
        try:
            file = {"avfoundation": f"{device}:none", "dshow": f"video={device}"}
            return CameraFeed(
                device, file.get(self._format, device), self._format, options, asked, reader
            )
        except av.error.FFmpegError as error:
            failure = describe_failure(device, error, asked)
            if error.errno in _FINAL:
                raise failure from error
            try:
                feed = OpenCvFeed(device, self._size, self._fps, self._pixel_format, reader)
            except (ImportError, SourceError):
                raise failure from error
            logger.warning("%s; reading it through OpenCV instead", failure)
            return feed

    def _options(self) -> tuple[dict[str, str], list[str]]:
        """Return libavdevice's options, and what the user asked for."""
        options: dict[str, str] = {}
        asked = []
        if self._size is not None:
            options["video_size"] = f"{self._size[0]}x{self._size[1]}"
            asked.append(f"--size {options['video_size']}")
        if self._fps is not None:
            options["framerate"] = str(self._fps)
            asked.append(f"--fps {float(self._fps):g}")
        elif self._format == "avfoundation":
            options["framerate"] = "30"  # its default, 29.97, is what most Macs refuse
        if self._pixel_format is not None:
            options[self._format_option()] = self._pixel_format
            asked.append(f"--pixel-format {self._pixel_format}")
        return options, asked

    def _format_option(self) -> str:
        if self._format == "v4l2":
            return "input_format"
        is_codec = self._pixel_format in ("mjpeg", "h264", "hevc")
        return "vcodec" if self._format == "dshow" and is_codec else "pixel_format"

    def _named(self, device: str | int | None) -> str:
        if device is None:
            return "camera"
        text = str(device)
        return f"/dev/video{text}" if self._format == "v4l2" and text.isdecimal() else text

    def _first_device(self) -> str | int:
        if self._device is not None:
            return self._device
        if self._format == "avfoundation":
            return "default"
        found = list_cameras()
        if not found:
            raise SourceError(
                "no camera was found; plug one in, or give a file or URL; "
                "see: streamlight webcam --list"
            )
        return found[0].device
