"""Everything that travels beside the picture: copied, converted without loss, or named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from os import devnull
from pathlib import Path
from typing import Any

import av
import av.stream
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.format import Flags

from streamlight.errors import SinkError
from streamlight.sinks.containers import CONTAINERS, Container
from streamlight.sinks.conversions import (
    TEXT_CODECS,
    Conversion,
    PcmConversion,
    TextConversion,
    codec_name,
    pcm_for,
)
from streamlight.sinks.output_file import OutputFile, can_hold
from streamlight.sources.side_streams import describe

_IMAGE_TYPES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
"""Extension and MIME type by the codec of a cover picture."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the output has of one stream of the input.

    Attributes:
        stream: of the output.
        convert: makes the output's packets; None where they are copied.
    """

    stream: av.stream.Stream
    convert: Conversion | None = None


class StreamCopies:
    """The streams beside the picture in one output file."""

    def __init__(
        self, output: OutputFile, codec: str, source: Path, early: Iterable[av.Packet[Any]] = ()
    ) -> None:
        """Start without streams.

        Args:
            output: not yet started.
            codec: of the picture, so that what is proposed instead can hold it too.
            source: the input's name, for messages.
            early: packets of the input that were read already; a cover picture is among them.
        """
        self._notes: list[str] = []
        self._output = output
        self._codec = codec
        self._source = source
        self._covers = {p.stream_index: p for p in reversed(list(early)) if p.size}
        self._kept: dict[int, Kept] = {}
        self._last_dts: dict[int, int] = {}
        self._may_coincide = bool(Flags(output.muxer.format.flags) & Flags.ts_nonstrict)

    @property
    def notes(self) -> list[str]:
        """What was converted with a loss or left out, one sentence each."""
        return self._notes + [
            f"subtitle stream {index} lost its lines' places on the screen"
            for index, kept in self._kept.items()
            if isinstance(kept.convert, TextConversion) and kept.convert.has_lost_positions
        ]

    def add(self, template: av.stream.Stream, video_tags: dict[str, str]) -> None:
        """Add a stream of the input, as far as the container allows.

        Args:
            template: of the input.
            video_tags: of the picture's stream; they may hold the time code.

        Raises:
            SinkError: it is sound, and the container cannot hold it.
        """
        container = self._output.container
        if template.disposition & av.stream.Disposition.attached_pic:
            self._add_cover(template)
        elif template.type == "data" and "timecode" in template.metadata:
            self._check_timecode(template.metadata["timecode"], video_tags)
        elif can_hold(container, template):
            self._copy(template)
        elif template.type == "audio":
            self._convert_sound(template)
        elif template.type == "subtitle" and container.text and codec_name(template) in TEXT_CODECS:
            text = container.text
            self._keep(template, TextConversion(self._output.muxer, template, text))
        else:
            self._leave_out(template)

    def attach(
        self, name: str, mimetype: str, data: bytes, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Add a file such as a font, or say that it is left out."""
        if self._output.container.holds_attachments:
            stream = self._output.muxer.add_attachment(name, mimetype, data)
            stream.metadata.update({**(metadata or {}), "filename": name, "mimetype": mimetype})
        else:
            self._notes.append(
                self._left_out(f"the attachment {name}", lambda other: other.holds_attachments)
            )

    def write(self, packet: av.Packet[Any]) -> None:
        """Write what becomes of a packet of the input.

        Raises:
            SinkError: the disk is full.
        """
        kept = self._kept.get(packet.stream_index)
        if kept is None:
            return
        index = packet.stream_index
        packets = [packet] if kept.convert is None else kept.convert(packet)
        for made in packets:
            self._keep_order(made, kept.stream, index)
            made.stream = kept.stream
            self._output.mux([made])

    @property
    def kept(self) -> frozenset[int]:
        """Indices of the input's streams that the output has."""
        return frozenset(self._kept)

    @property
    def converted(self) -> dict[int, str]:
        """Codec in the output of those that are not copied, by index of the input."""
        return {
            index: codec_name(kept.stream)
            for index, kept in self._kept.items()
            if kept.convert is not None
        }

    def _copy(self, template: av.stream.Stream) -> None:
        stream = self._output.muxer.add_stream_from_template(template, opaque=True)
        if isinstance(stream, AudioStream):
            _state_layout(stream)
        tags = self._output.container.tags or {}
        if template.type == "video" and codec_name(template) in tags:
            stream.codec_context.codec_tag = tags[codec_name(template)]
        self._describe(stream, template)
        self._kept[template.index] = Kept(stream)

    def _keep(self, template: av.stream.Stream, conversion: Conversion) -> None:
        self._describe(conversion.stream, template)
        self._kept[template.index] = Kept(conversion.stream, conversion)

    def _describe(self, stream: av.stream.Stream, template: av.stream.Stream) -> None:
        stream.metadata.update(template.metadata)
        stream.disposition = template.disposition

    def _convert_sound(self, template: av.stream.Stream) -> None:
        pcm = pcm_for(template)
        if pcm is None or not _holds_sound(self._output.container, pcm):
            raise self._cannot_hold(template)
        self._keep(template, PcmConversion(self._output.muxer, template, pcm))

    def _check_timecode(self, timecode: str, video_tags: dict[str, str]) -> None:
        """Leave the stream to the muxer, which makes one from the tag of the picture's stream."""
        if not (self._output.container.holds_timecode and "timecode" in video_tags):
            note = self._left_out(f"the time code {timecode}", lambda other: other.holds_timecode)
            if note not in self._notes:  # MP4 has one for the sound, too
                self._notes.append(note)

    def _add_cover(self, template: av.stream.Stream) -> None:
        """Put a cover picture where players look for it: a stream in MP4, a file in Matroska."""
        way = self._output.container.holds_covers
        packet = self._covers.get(template.index)
        extension, mimetype = _IMAGE_TYPES.get(codec_name(template), ("", ""))
        if way == "stream" and can_hold(self._output.container, template):
            self._copy(template)
        elif way == "attachment" and packet is not None and mimetype:
            name = template.metadata.get("filename", f"cover.{extension}")
            mimetype = template.metadata.get("mimetype", mimetype)
            self.attach(name, mimetype, bytes(packet), template.metadata)
        else:
            what = f"the cover picture ({codec_name(template)})"
            self._notes.append(self._left_out(what, lambda other: bool(other.holds_covers)))

    def _leave_out(self, template: av.stream.Stream) -> None:
        self._notes.append(
            self._left_out(describe(template), lambda other: _holds(other, template))
        )

    def _left_out(self, what: str, holds: Callable[[Container], bool]) -> str:
        other = self._other_name(holds)
        note = f"{what} is left out: a {self._output.container.extension} file cannot hold it"
        return f"{note}; write {other} to keep it" if other else note

    def _cannot_hold(self, template: av.stream.Stream) -> SinkError:
        other = self._other_name(lambda container: _holds(container, template))
        if other is not None:
            remedy = f"write {other} instead"
        else:
            index = template.index
            remedy = (
                f"leave it out with: ffmpeg -i {self._source} -map 0 -map -0:{index} -c copy ..."
            )
        extension = self._output.container.extension
        held = describe(template)
        return SinkError(f"{self._output.target}: a {extension} file cannot hold {held}; {remedy}")

    def _other_name(self, holds: Callable[[Container], bool]) -> str | None:
        """Name the output as it would be called in a container that can hold a stream."""
        for extension in (".mkv", ".mp4", ".mov", ".avi"):
            other = CONTAINERS[extension]
            if other != self._output.container and self._codec in other.codecs and holds(other):
                return self._output.target.with_suffix(extension).name
        return None

    def _keep_order(self, packet: av.Packet[Any], stream: av.stream.Stream, index: int) -> None:
        """Move a packet that lies before the one read last; muxers take it for an error.

        Only subtitles may lie at the same time as the one before, except in Matroska. Counted in
        the output's ticks: in the input's, which may be longer than a packet, each packet that is
        moved would move all that follow.
        """
        _count_in(packet, stream.time_base)
        if packet.dts is None:
            return
        least = self._last_dts.get(index, packet.dts - 1)
        if stream.type != "subtitle" and not self._may_coincide:
            least += 1
        if packet.dts < least:
            packet.dts = least
            packet.pts = least if packet.pts is None else max(packet.pts, least)
        self._last_dts[index] = packet.dts


def _count_in(packet: av.Packet[Any], ticks: Fraction | None) -> None:
    """Express a packet's times in another unit."""
    if not packet.time_base or not ticks:
        return
    ratio = packet.time_base / ticks
    packet.pts = None if packet.pts is None else round(packet.pts * ratio)
    packet.dts = None if packet.dts is None else round(packet.dts * ratio)
    packet.duration = round((packet.duration or 0) * ratio)
    packet.time_base = ticks


def _holds(container: Container, template: av.stream.Stream) -> bool:
    if can_hold(container, template):
        return True
    if template.type == "audio":
        pcm = pcm_for(template)
        return pcm is not None and _holds_sound(container, pcm)
    return bool(container.text) and codec_name(template) in TEXT_CODECS


def _holds_sound(container: Container, codec: str) -> bool:
    if container.side_codecs is not None:
        return codec in container.side_codecs
    with av.open(devnull, "w", format=container.muxer) as trial:
        return codec in trial.supported_codecs


def _state_layout(stream: AudioStream) -> None:
    """Take two unnamed channels (PCM in AVI) for stereo, and so on, as players do.

    MP4 cannot hold PCM without a layout, and says so only when the file is complete.
    """
    layout = stream.codec_context.layout
    if layout.nb_channels and layout.name == f"{layout.nb_channels} channels":
        stream.codec_context.layout = AudioLayout(f"{layout.nb_channels}c")
