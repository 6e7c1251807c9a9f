"""Frames to a video file, with all that travels beside the picture."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.stream

from streamlight.color import ColorSpec
from streamlight.errors import SinkError
from streamlight.frame import Frame
from streamlight.sinks.containers import CONTAINERS, Container, check_target
from streamlight.sinks.copies import StreamCopies
from streamlight.sinks.encoder_table import PRESETS
from streamlight.sinks.options import EncoderOptions
from streamlight.sinks.output_file import OutputFile
from streamlight.sinks.partial import PartialFile
from streamlight.sinks.video_track import VideoTrack
from streamlight.sources.file import FileSource
from streamlight.sources.probe import chroma_of
from streamlight.sources.sequence import NoSideStreams, SequenceSource
from streamlight.sources.side_streams import SideStreams

__all__ = ["CONTAINERS", "PRESETS", "EncoderOptions", "FileSink", "check_target"]


class FileSink:
    """Encodes the pictures and writes the file, which appears when `finish` returns.

    Leaving its `with` block without `finish` removes what was written.

    Attributes:
        target: the file to write.
        frames_written: how many frames `write` took so far.
        encoder: libavcodec's name of the encoder.
        encoder_note: why this one, where `--encoder auto` chose it; else empty.
        pixel_format: libavutil's name of what is encoded.
        size: width and height of what is encoded.
    """

    def __init__(
        self,
        target: str | Path,
        source: FileSource | SequenceSource,
        options: EncoderOptions | None = None,
        *,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
        post_filter: str | None = None,
        device: int | None = None,
    ) -> None:
        """Create the output of a source: same timing, tags, sound and subtitles.

        Args:
            target: the file to write; its extension chooses the container.
            source: gives timing, colour, metadata and the streams to copy.
            options: of the encoder.
            size: width and height of the frames to come, when not the source's.
            overwrite: replace an existing file.
            post_filter: a chain of libavfilter between the network and the encoder.
            device: index of the GPU that the frames to come lie on; None for the host.

        Raises:
            SinkError: the output cannot be written there, or cannot hold the sound.
            UsageError: the encoder's options, the container and the picture do not fit together,
                or the filter is wrong.
        """
        self.target = Path(target)
        self.frames_written = 0
        self._finished = False
        self._source = source
        container = check_target(self.target, source.path)
        _check_rotation(self.target, container, source)
        self._video = VideoTrack(
            source,
            options or EncoderOptions(),
            container,
            self.target,
            size=size,
            post_filter=post_filter,
            device=device,
        )
        encoding = self._video.encoding
        self.encoder, self.encoder_note = encoding.encoder.name, encoding.encoder_note
        self.pixel_format, self.size = encoding.pixel_format, self._video.size
        self._open(container, self._reserve(overwrite), source.side)

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

    @property
    def notes(self) -> list[str]:
        """What the output does not have of the input, one sentence each."""
        notes = self._video.notes + self._copies.notes
        container = self._output.container
        kind = container.extension
        if self._source.chapters and not container.holds_chapters:
            notes.append(f"chapters are left out: a {kind} file holds none")
        if self._output.lost_tags:
            names = ", ".join(self._output.lost_tags)
            notes.append(f"metadata ({names}) is left out: a {kind} file holds none")
        return notes

    def write(self, frame: Frame) -> None:
        """Encode a frame, and write the packets that travel beside it.

        Raises:
            SinkError: the disk is full, or the encoder refuses the frame.
        """
        self._video.write(frame)
        self._write_side_packets()
        self.frames_written += 1

    def finish(self) -> None:
        """Write what filter and encoder still hold, complete the file and give it its name.

        Raises:
            SinkError: the disk is full.
        """
        self._video.finish()
        self._write_side_packets()
        self._output.close()
        self._finished = True
        self._partial.commit()

    @property
    def color(self) -> ColorSpec:
        """Tags of what is encoded."""
        return self._video.format.color

    @property
    def bits(self) -> int:
        """Bits of a channel of what is encoded."""
        return max(part.bits for part in av.VideoFormat(self.pixel_format).components)

    @property
    def chroma(self) -> str:
        """Chroma sampling of what is encoded, such as "4:2:0"."""
        return chroma_of(av.VideoFormat(self.pixel_format))

    @property
    def sample_aspect_ratio(self) -> Fraction | None:
        """Width of a pixel by its height, of what is encoded."""
        return self._video.format.sample_aspect_ratio

    @property
    def omitted(self) -> frozenset[int]:
        """Indices of the input's streams that the output has not; `notes` name them."""
        held = {stream.index for stream in self._side.streams} | self._side.unreadable
        return frozenset(held) - self._copies.kept - self._attached

    @property
    def lost_metadata(self) -> frozenset[str]:
        """Keys of the input's metadata that the output has not, in lower case."""
        return frozenset(key.lower() for key in self._output.lost_tags)

    @property
    def converted(self) -> dict[int, str]:
        """Codec of the streams that were converted, by their index in the input."""
        return self._copies.converted

    def abort(self) -> None:
        """Throw away an unfinished file; does nothing after `finish`."""
        if not self._finished:
            self._finished = True
            self._output.close_quietly()
            self._partial.discard()

    def _reserve(self, overwrite: bool) -> PartialFile:
        return PartialFile(self.target, overwrite=overwrite)

    def _open(
        self, container: Container, partial: PartialFile, side: SideStreams | NoSideStreams
    ) -> None:
        """Create the file, with all its streams."""
        self._partial, self._side = partial, side
        self._early: deque[av.Packet[Any]] = deque(side.take())
        try:
            self._output = OutputFile(
                partial.path,
                container,
                target=self.target,
                metadata=self._source.metadata[0],
                chapters=self._source.chapters,
            )
            try:
                self._add_streams(side)
                self._output.start()
            except BaseException:
                self._output.close_quietly()
                raise
        except BaseException:
            partial.discard()
            raise

    def _add_streams(self, side: SideStreams | NoSideStreams) -> None:
        codec = self._video.encoding.encoder.codec
        self._copies = StreamCopies(self._output, codec, self._source.path, self._early)
        self._attached: set[int] = set()
        for template in side.streams[: side.position]:
            self._add_copy(template)
        self._video.add_to(self._output)
        for template in side.streams[side.position :]:
            self._add_copy(template)
        for file in side.attachments:
            self._copies.attach(file.name, file.mimetype, file.data, file.metadata)

    def _add_copy(self, template: av.stream.Stream) -> None:
        """Add a stream of the input; a cover may become an attachment, which is there at once."""
        streams = len(self._output.muxer.streams)
        self._copies.add(template, self._video.tags)
        is_written = len(self._output.muxer.streams) > streams
        if is_written and template.index not in self._copies.kept:
            self._attached.add(template.index)

    def _write_side_packets(self) -> None:
        clock = self._video.clock
        self._early.extend(self._side.take())
        while self._early:
            packet = self._early.popleft()
            if clock is None or packet.stream.type != "audio" or clock.has(packet):
                self._copies.write(packet)


def _check_rotation(
    target: Path, container: Container, source: FileSource | SequenceSource
) -> None:
    if source.display_matrix is not None and not container.holds_rotation:
        raise SinkError(
            f"{target}: the picture is turned by {source.info.rotation} degrees, which a "
            f"{container.extension} file cannot state; write {target.with_suffix('.mp4').name}"
        )
