"""An open camera, through libavdevice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
import av.container
import av.error

from streamlight.errors import SourceError
from streamlight.sources.camera_devices import describe_failure
from streamlight.sources.live_clock import LiveClock
from streamlight.sources.live_reader import Arrival, Reader


class CameraFeed:
    """A camera that libavdevice reads.

    Attributes:
        rate: frames per second, as the driver says; None when it does not.
        damaged_packets: pictures that could not be decoded and were skipped.
    """

    def __init__(
        self,
        device: str,
        file: str,
        format_name: str,
        options: Mapping[str, str],
        asked: list[str],
        reader: Reader,
    ) -> None:
        """Open a camera.

        Args:
            device: as the user knows it.
            file: as libavdevice wants it.
            format_name: of libavdevice.
            options: of that format.
            asked: what the user asked for, for messages.
            reader: that reads it.

        Raises:
            av.error.FFmpegError: it cannot be opened.
        """
        self.damaged_packets = 0
        self._device = device
        self._asked = asked
        self._reader = reader
        self._container = open_device(file, format_name, dict(options))
        self._video = self._container.streams.video[0]
        self._video.thread_type = "SLICE"  # frame threads would hold pictures back
        rate = self._video.average_rate or self._video.guessed_rate
        self.rate = Fraction(rate) if rate and 0 < rate <= 1000 else None

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the pictures as they come.

        Raises:
            SourceError: the camera was unplugged, or fails.
        """
        clock = LiveClock(name=self._device)
        try:
            for packet in self._container.demux(self._video):
                captured_at = time.monotonic()
                if self._reader.is_abandoned:
                    return
                try:
                    pictures = packet.decode()
                except av.error.InvalidDataError:
                    self.damaged_packets += 1
                    continue
                for picture in pictures:
                    source_s = None
                    if picture.pts is not None and picture.time_base:
                        source_s = float(picture.pts * picture.time_base)
                    time_s = clock.picture_time_s(source_s, captured_at)
                    yield Arrival(picture, captured_at, time_s)
                    del picture
                del pictures
        except av.error.FFmpegError as error:
            raise describe_failure(self._device, error, self._asked, was_open=True) from error
        raise SourceError(f"{self._device}: the camera was unplugged, or has stopped sending")

    def close(self) -> None:
        """Let go of the camera."""
        self._container.close()


def open_device(
    file: str, format_name: str, options: dict[str, str]
) -> av.container.InputContainer:
    """Open a device; the one place where a test puts something else in place of the hardware."""
    return av.open(file, format=format_name, options=options)
