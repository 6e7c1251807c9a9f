"""Pictures to the packets of one stream of a container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
import av.error
import av.logging
import av.stream
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.video.stream import VideoStream

from streamlight.color import ColorSpec
from streamlight.errors import UsageError
from streamlight.sinks.encoders import captured_log, reason_of
from streamlight.sinks.encoding import Encoding
from streamlight.thread_priority import no_raised_priority

_REFUSED_PARAMETER = re.compile(r"(Error parsing option|Unknown option|Bad value|Invalid value).*")
"""How x264, x265 and SVT-AV1 log a parameter of their own that they go on without."""


_NOT_REORDERED = 2
"""Pictures among which none can be decoded before an earlier one. Of so few, x265 (4.2) takes the
decoding times from memory that it has not initialised: it knows its delay by the third picture."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the encoder is told of its pictures.

    Attributes:
        size: width and height.
        color: matrix, range, primaries and transfer as written.
        time_base: seconds per unit of the pictures' `pts`.
        rate: nominal pictures per second.
        sample_aspect_ratio: width of a pixel by its height; None for square ones.
        display_matrix: nine numbers by which a player turns the picture; None to leave it.
        metadata: tags of the stream.
        disposition: libavformat's flags.
        tag: four letters by which the container names the codec; None for libavformat's choice.
    """

    size: tuple[int, int]
    color: ColorSpec
    time_base: Fraction
    rate: Fraction
    sample_aspect_ratio: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    disposition: int = 0
    tag: str | None = None


class VideoEncoder:
    """One encoder and the stream that its packets belong to.

    Attributes:
        stream: of the container.
    """

    def __init__(
        self, container: OutputContainer, encoding: Encoding, picture: VideoFormat
    ) -> None:
        """Add a stream to a container and open its encoder.

        Raises:
            UsageError: the encoder refuses its options or the picture.
        """
        self._picture = picture
        self._durations: dict[int, int] = {}
        self._pictures = 0
        stream = _add_stream(container, encoding, picture.rate)
        context = stream.codec_context
        stream.width, stream.height = picture.size
        stream.pix_fmt = encoding.pixel_format
        stream.time_base = context.time_base = picture.time_base
        color = picture.color
        context.colorspace, context.color_range = color.matrix, color.range
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        if encoding.encoder.needs_frame_threads:
            stream.thread_type = "FRAME"
        if encoding.bit_rate is not None:
            context.bit_rate = encoding.bit_rate
        if encoding.gop is not None:
            context.gop_size = encoding.gop
        if picture.sample_aspect_ratio:
            context.sample_aspect_ratio = picture.sample_aspect_ratio
        if picture.display_matrix is not None:
            stream.set_display_matrix(picture.display_matrix)
        if picture.tag is not None:
            context.codec_tag = picture.tag
        stream.metadata.update(picture.metadata)
        stream.disposition = av.stream.Disposition(picture.disposition)
        context.options = dict(encoding.options)
        _open(stream, encoding.encoder.name)
        self.stream = stream

    def encode(self, picture: av.VideoFrame, duration: int = 0) -> list[av.Packet[Any]]:
        """Encode a picture; return the packets that are ready, perhaps of earlier ones.

        Args:
            picture: with `pts` and `time_base`.
            duration: how long it is shown, in units of its `time_base`; 0 when unknown.
        """
        color = self._picture.color
        # ProRes and FFV1 take the tags from the picture, the others from the context
        picture.colorspace, picture.color_range = color.matrix, color.range
        picture.color_primaries, picture.color_trc = color.primaries, color.transfer
        picture.duration = duration
        self._pictures += 1
        if picture.pts is not None:
            self._durations[picture.pts] = duration
        return self._timed(self.stream.encode(picture))

    def flush(self) -> list[av.Packet[Any]]:
        """Return the packets that the encoder still holds."""
        packets = self._timed(self.stream.encode(None))
        if self._pictures <= _NOT_REORDERED:
            for packet in packets:
                packet.dts = packet.pts
        return packets

    def _timed(self, packets: list[av.Packet[Any]]) -> list[av.Packet[Any]]:
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
        return packets


def _add_stream(container: OutputContainer, encoding: Encoding, rate: Fraction) -> VideoStream:
    name, device = encoding.encoder.name, encoding.device
    if device is None:
        return cast(VideoStream, container.add_stream(name, rate))
    # PyAV then passes pictures of the GPU on as they are, and uploads others
    accel = HWAccel("cuda", device=str(device), is_hw_owned=True)
    with captured_log(av.logging.ERROR) as logged:
        try:
            return cast(VideoStream, container.add_stream(name, rate, hwaccel=accel))
        except (av.error.FFmpegError, NotImplementedError) as error:
            raise UsageError(
                f"{name} cannot encode on GPU {device}: {reason_of(error, name, logged)}"
            ) from error


def _open(stream: VideoStream, encoder: str) -> None:
    with captured_log(av.logging.WARNING) as logged, no_raised_priority():
        try:
            stream.codec_context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise UsageError(
                f"{encoder} cannot be opened: {reason_of(error, encoder, logged)}"
            ) from error
    for _, name, message in logged:
        if name == encoder and _REFUSED_PARAMETER.match(message):
            raise UsageError(f"--encoder-option: {encoder} says: {message.strip()}")
