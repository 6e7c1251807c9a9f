"""The way of a frame into a container: converted, filtered, encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from streamlight.frame import Frame, Planes
from streamlight.sinks.containers import Container
from streamlight.sinks.encoding import Picture, check_shape, choose_encoding, written_color
from streamlight.sinks.fixed_rate import FixedRateClock
from streamlight.sinks.mastering import with_mastering
from streamlight.sinks.options import EncoderOptions
from streamlight.sinks.output_file import OutputFile, describes_stream
from streamlight.sinks.planes import PlanesConverter, layout_of
from streamlight.sinks.post_filter import PostFilter
from streamlight.sinks.video_encoder import VideoEncoder, VideoFormat
from streamlight.sinks.yuv import YuvConverter
from streamlight.sources.file import FileSource
from streamlight.sources.sequence import SequenceSource


class VideoTrack:
    """The picture of one output, decided when made, opened by `add_to`.

    It knows nothing of sound, so that it can write a video-only part of a file, too.

    Attributes:
        encoding: how the pictures are encoded.
        format: size, colour and times of what is encoded.
        size: width and height of what is encoded.
        clock: of a container that has no times of its own; else None.
        notes: what is not kept, one sentence each.
        tags: of the stream.
    """

    def __init__(
        self,
        source: FileSource | SequenceSource,
        options: EncoderOptions,
        container: Container,
        target: Path,
        *,
        size: tuple[int, int] | None = None,
        post_filter: str | None = None,
        device: int | None = None,
    ) -> None:
        """Decide how to encode, before anything is created.

        Args:
            source: gives timing, colour, shape and rotation.
            options: of the encoder.
            container: to write.
            target: the output's name, for messages.
            size: width and height of the frames to come, when not the source's.
            post_filter: a chain of libavfilter before the encoder.
            device: index of the GPU that the frames to come lie on, for an encoder that takes them
                there; None for frames of the host.

        Raises:
            UsageError: options, container and picture do not fit together, or the filter is wrong.
        """
        info = source.info
        rate, shape = info.rate or Fraction(30), source.sample_aspect_ratio
        self.clock = FixedRateClock(target, rate) if container.has_fixed_rate else None
        time_base = self.clock.time_base if self.clock else info.time_base
        size = size or (info.width, info.height)
        picture = Picture(source.pixel_format, info.bits, size, rate, source.coding)
        encoding = choose_encoding(options, container, picture)
        color = written_color(encoding, container, info.color, size)
        self._filter: PostFilter | None = None
        if post_filter:
            self._filter = PostFilter(
                post_filter,
                size,
                encoding.pixel_format,
                color,
                time_base,
                rate=info.rate,
                sample_aspect_ratio=shape,
            )
            if self._filter.size != size:
                picture = replace(picture, size=self._filter.size)
                encoding = choose_encoding(options, container, picture)
            self._filter.end_in(encoding.pixel_format)
            size, time_base = self._filter.size, self._filter.time_base
            rate, shape = self._filter.rate or rate, self._filter.sample_aspect_ratio
        check_shape(encoding, container, shape)
        if device is not None:
            encoding = replace(encoding, pixel_format=layout_of(info.bits), device=device)
        self.encoding, lost = with_mastering(encoding, source.hdr, color)
        self._planes = PlanesConverter(self.encoding)
        self.notes = [*encoding.notes, *lost]
        self.size = size
        self.tags = {k: v for k, v in source.metadata[1].items() if describes_stream(k)}
        self._to_yuv = YuvConverter(
            encoding.pixel_format,
            color,
            source_format=None if self._filter else source.pixel_format,
        )
        self.format = VideoFormat(
            size,
            color,
            time_base,
            rate,
            shape,
            source.display_matrix,
            self.tags,
            source.disposition,
            (container.tags or {}).get(encoding.encoder.codec),
        )

    def add_to(self, output: OutputFile) -> None:
        """Add the stream to a file that is not started, and open the encoder.

        Raises:
            UsageError: the encoder refuses its options or the picture.
        """
        with output.translated():
            self._encoder = VideoEncoder(output.muxer, self.encoding, self.format)
        self._output = output

    @property
    def stream(self) -> VideoStream:
        """Of the file that it was added to last."""
        return self._encoder.stream

    def write(self, frame: Frame) -> None:
        """Encode a frame and write the packets that are ready.

        Raises:
            SinkError: the disk is full, or encoder or filter refuse the frame.
        """
        image, duration = frame.image, frame.duration
        picture = self._planes(image) if isinstance(image, Planes) else self._to_yuv(image)
        picture.pts, picture.time_base = frame.pts, frame.time_base
        if self.clock is not None:
            picture.pts, picture.time_base = self.clock.number(frame), self.clock.time_base
            duration = 1
        if self._filter is None:
            self._encode(picture, duration)
        else:
            self._encode_all(self._filter.push(picture, duration))

    def finish(self) -> None:
        """Write what filter and encoder still hold.

        Raises:
            SinkError: the disk is full.
        """
        if self._filter is not None:
            self._encode_all(self._filter.flush())
        self.flush()

    def flush(self) -> None:
        """Write what the encoder still holds; after it, only `add_to` a further file.

        Raises:
            SinkError: the disk is full.
        """
        with self._output.translated():
            packets: list[av.Packet[Any]] = self._encoder.flush()
        self._output.mux(packets)

    def _encode_all(self, pictures: Iterator[av.VideoFrame]) -> None:
        for picture in pictures:
            self._encode(picture, picture.duration)

    def _encode(self, picture: av.VideoFrame, duration: int) -> None:
        with self._output.translated():
            packets = self._encoder.encode(picture, duration)
        self._output.mux(packets)
