"""Frames to a video file, with the sound and subtitles of the source copied beside them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.container
import av.error
import av.stream
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame
from streamlight.sinks.partial import PartialFile
from streamlight.sinks.yuv import YuvConverter
from streamlight.sources.file import FileSource
from streamlight.sources.side_streams import describe

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Container (libavformat's muxer) by the output's extension."""

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)

_CONTAINER_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Metadata that describes the old file, not the recording."""

_STATISTICS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_")
"""What mkvmerge notes of a stream's size; false for a stream that was encoded again."""


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """How to encode.

    Attributes:
        crf: constant rate factor of x264, 0 (lossless) to 51; 18 looks like the input.
        preset: x264's trade of speed for size.
    """

    crf: float = 20.0
    preset: str = "veryfast"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: a value is out of its range.
        """
        if not 0 <= self.crf <= 51:
            raise UsageError(f"--crf {self.crf:g}: must be between 0 and 51")
        if self.preset not in PRESETS:
            raise UsageError(f"--preset {self.preset}: choose one of {', '.join(PRESETS)}")


class FileSink:
    """Encodes H.264 into MP4, MOV or Matroska; the file appears when `finish` returns.

    Leaving its `with` block without `finish` removes what was written.

    Attributes:
        target: the file to write.
        frames_written: how many frames `write` took so far.
    """

    def __init__(
        self,
        target: str | Path,
        source: FileSource,
        options: EncoderOptions | None = None,
        *,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Create the output of a source: same timing, tags, sound and subtitles.

        Args:
            target: the file to write; its extension chooses the container.
            source: gives timing, colour, metadata and the streams to copy.
            options: of the encoder.
            size: width and height of the frames to come, when not the source's.
            overwrite: replace an existing file.

        Raises:
            SinkError: the output cannot be written there, or cannot hold one of the streams.
        """
        self.target = Path(target)
        self.frames_written = 0
        self._options = options or EncoderOptions()
        self._size = size or (source.info.width, source.info.height)
        container = check_target(self.target, source.path)
        self._source = source
        self._partial = PartialFile(self.target, overwrite=overwrite)
        self._durations: dict[int, int] = {}
        self._last_dts: dict[int, int] = {}
        self._finished = False
        try:
            with self._translated():
                self._container = av.open(
                    str(self._partial.path),
                    "w",
                    format=container,
                    container_options=_muxer_options(container, source.metadata[0]),
                )
                self._container.metadata.update(_without(source.metadata[0], _CONTAINER_KEYS))
                self._container.set_chapters(source.chapters)
            try:
                self._add_streams()
                self._start()
            except BaseException:
                self._close_quietly()
                raise
        except BaseException:
            self._partial.discard()
            raise

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was written, unless it was finished."""
        self.abort()

    def write(self, frame: Frame) -> None:
        """Encode a frame, and copy the packets that travel beside it.

        Raises:
            SinkError: the disk is full, or the encoder refuses the frame.
        """
        picture = self._to_yuv(frame.image)
        picture.pts = frame.pts
        picture.time_base = frame.time_base
        picture.duration = frame.duration
        self._durations[frame.pts] = frame.duration
        with self._translated():
            self._mux(self._video.encode(picture))
            self._copy_side_packets()
        self.frames_written += 1

    def finish(self) -> None:
        """Write what the encoder still holds, complete the file and give it its name.

        Raises:
            SinkError: the disk is full.
        """
        with self._translated():
            self._mux(self._video.encode(None))
            self._copy_side_packets()
            self._container.close()
        self._finished = True
        self._partial.commit()

    def abort(self) -> None:
        """Throw away an unfinished file; does nothing after `finish`."""
        if not self._finished:
            self._finished = True
            self._close_quietly()
            self._partial.discard()

    def _add_streams(self) -> None:
        side = self._source.side
        self._copies: dict[int, av.stream.Stream] = {}
        for stream in side.streams[: side.position]:
            self._add_copy(stream)
        self._video = self._add_video()
        for stream in side.streams[side.position :]:
            self._add_copy(stream)

    def _add_video(self) -> VideoStream:
        source, info = self._source, self._source.info
        width, height = self._size
        rate = info.rate or Fraction(30)
        stream = self._container.add_stream(
            "libx264",
            rate,
            options={"crf": f"{self._options.crf:g}", "preset": self._options.preset},
        )
        stream.width, stream.height = width, height
        stream.pix_fmt = output_pixel_format(source.pixel_format, width, height)
        stream.thread_type = "FRAME"  # PyAV's default, SLICE, makes x264 1.7 times slower
        context = stream.codec_context
        stream.time_base = context.time_base = info.time_base
        color = info.color.for_yuv(width, height)
        context.colorspace = color.matrix
        context.color_range = color.range
        context.color_primaries = color.primaries
        context.color_trc = color.transfer
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        if source.display_matrix is not None:
            stream.set_display_matrix(source.display_matrix)
        stream.metadata.update(
            {k: v for k, v in source.metadata[1].items() if _describes_recording(k)}
        )
        self._to_yuv = YuvConverter(stream.pix_fmt, color)
        return stream

    def _add_copy(self, template: av.stream.Stream) -> None:
        try:
            stream = self._container.add_stream_from_template(template)
        except ValueError as error:
            raise self._cannot_hold([template]) from error
        if isinstance(stream, AudioStream):
            _state_layout(stream)
        stream.metadata.update(template.metadata)
        stream.disposition = template.disposition
        self._copies[template.index] = stream

    def _start(self) -> None:
        """Write the header: some containers refuse a stream only here."""
        with self._translated():
            try:
                self._container.start_encoding()
            except av.error.FFmpegError as error:
                if not self._source.side.streams or error.errno == errno.ENOSPC:
                    raise
                raise self._cannot_hold(self._source.side.streams) from error

    def _cannot_hold(self, streams: list[av.stream.Stream]) -> SinkError:
        held = " and ".join(describe(stream) for stream in streams)
        other = _extension_for(streams, self.target.suffix.lower())
        if other is not None:
            remedy = f"write {self.target.with_suffix(other).name} instead"
        else:
            maps = " ".join(f"-map -0:{stream.index}" for stream in streams)
            remedy = f"leave it out with: ffmpeg -i {self._source.path} -map 0 {maps} -c copy ..."
        return SinkError(f"{self.target}: a {self.target.suffix} file cannot hold {held}; {remedy}")

    def _mux(self, packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _copy_side_packets(self) -> None:
        for packet in self._source.side.take():
            shift = self._source.shift_s
            if shift and packet.time_base:
                ticks = round(shift / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - ticks
                packet.dts = None if packet.dts is None else packet.dts - ticks
            self._keep_order(packet)
            packet.stream = self._copies[packet.stream_index]
            self._container.mux(packet)

    def _keep_order(self, packet: av.Packet[Any]) -> None:
        """Move a packet that lies before the one read last; muxers take it for an error.

        Only subtitles may lie at the same time as the one before. The step is one tick of the
        output, so that rounding does not undo it.
        """
        ticks = self._copies[packet.stream_index].time_base
        if packet.dts is None or not packet.time_base or not ticks:
            return
        is_subtitle = packet.stream.type == "subtitle"
        last = self._last_dts.get(packet.stream_index)
        if last is not None and packet.dts < last + (not is_subtitle):
            packet.dts = last if is_subtitle else last + ceil(ticks / packet.time_base)
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        self._last_dts[packet.stream_index] = packet.dts

    def _close_quietly(self) -> None:
        with suppress(av.error.FFmpegError, OSError):
            self._container.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn libav's errors into one that names the file and the remedy."""
        try:
            yield
        except av.error.FFmpegError as error:
            if error.errno == errno.ENOSPC:
                raise SinkError(
                    f"{self.target}: the disk is full; free some space or write elsewhere"
                ) from error
            raise SinkError(f"{self.target}: writing failed ({error.strerror})") from error


def check_target(target: Path, source: Path | None = None) -> str:
    """Check that a file can be an output, before anything is opened; return its container.

    Raises:
        SinkError: the extension is unknown.
        UsageError: input and output are the same file.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        known = ", ".join(CONTAINERS)
        raise SinkError(f"{target}: unknown extension {target.suffix!r}; choose one of {known}")
    # os.path.exists, because that of Path raises where a name is too long or a folder is closed
    exist = source is not None and os.path.exists(target) and os.path.exists(source)
    if exist and source is not None and target.samefile(source):
        raise UsageError(f"{target}: input and output are the same file")
    return container


def _state_layout(stream: AudioStream) -> None:
    """Take two unnamed channels (PCM in AVI) for stereo, and so on, as players do.

    MP4 cannot hold PCM without a layout, and says so only when the file is complete.
    """
    layout = stream.codec_context.layout
    if layout.name == f"{layout.nb_channels} channels":
        stream.codec_context.layout = AudioLayout(f"{layout.nb_channels}c")


def _extension_for(streams: list[av.stream.Stream], refused: str) -> str | None:
    """Choose another extension whose container can hold the streams; None if there is none."""
    codecs = {s.codec_context.name if s.codec_context else "" for s in streams}
    for extension in (".mkv", ".mp4", ".mov"):
        if extension != refused:
            with av.open(os.devnull, "w", format=CONTAINERS[extension]) as container:
                if codecs <= container.supported_codecs:
                    return extension
    return None


def output_pixel_format(source: av.VideoFormat, width: int, height: int) -> str:
    """Choose the 8-bit format that keeps the source's chroma sampling and the size.

    Chroma of half the width cannot hold an odd width, nor of half the height an odd height:
    H.264 crops in units of chroma samples. Such pictures get the next finer sampling.
    """
    if source.is_rgb or len(source.components) < 3:
        full_width = full_height = False
    else:
        luma, chroma = source.components[:2]
        full_width, full_height = chroma.width == luma.width, chroma.height == luma.height
    if width % 2 or full_width:
        return "yuv444p"
    return "yuv422p" if height % 2 or full_height else "yuv420p"


def _muxer_options(container: str, metadata: dict[str, str]) -> dict[str, str]:
    """Put the index first, so that a browser can start; keep keys that MP4 has no atom for.

    MP4 notes when a stream starts in ticks of the movie, by default 1 ms, which would move the
    sound by up to half of one; 1/90000 s keeps it within 6 us.
    """
    if container == "matroska":
        return {}
    flags = "+faststart"
    if any("." in key for key in metadata):
        flags += "+use_metadata_tags"
    return {"movflags": flags, "movie_timescale": "90000"}


def _describes_recording(key: str) -> bool:
    return key.lower() not in _CONTAINER_KEYS and not key.upper().startswith(_STATISTICS)


def _without(metadata: dict[str, str], keys: set[str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key.lower() not in keys}
