"""Streams that change their coding on the way, and nothing else: text and uncompressed sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast

import av
import av.error
import av.stream
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.codec import Codec
from av.container import OutputContainer
from av.subtitles.codeccontext import SubtitleCodecContext

TEXT_CODECS = frozenset({"subrip", "srt", "webvtt", "mov_text", "text"})
"""Subtitles of plain text, with at most bold, italics, underline and colour."""

_LOSSLESS_SOUND = frozenset({"flac", "alac", "tta", "wavpack", "ape"})

_ADPCM = frozenset({"adpcm_ms", "adpcm_ima_wav"})
"""What cameras write into AVI and hardly another container holds; PCM loses none of it."""

_PCM = {
    "u8": "pcm_s16le",
    "s16": "pcm_s16le",
    "s32": "pcm_s32le",
    "s64": "pcm_s64le",
    "flt": "pcm_f32le",
    "dbl": "pcm_f64le",
}
"""The PCM that holds each sample format of libavutil, without loss."""


class Conversion(Protocol):
    """Turns the packets of one stream into those of another."""

    stream: av.stream.Stream

    def __call__(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """Yield the packets that come of one; none for one that cannot be read."""


class TextConversion:
    """One coding of text subtitles to another, by way of libavcodec's dialogue lines.

    Attributes:
        stream: of the output.
        has_lost_positions: whether a line had a place on the screen, which other codings lack.
    """

    def __init__(self, container: OutputContainer, template: av.stream.Stream, codec: str) -> None:
        """Add a stream of `codec` to a container, in place of a copy of `template`."""
        source = template.codec_context
        self._decoder = cast(SubtitleCodecContext, av.CodecContext.create(source.name, "r"))
        if source.extradata:
            self._decoder.extradata = source.extradata
        self._decoder.open()
        self.stream: av.stream.Stream = container.add_stream(codec)
        self._encoder = cast(SubtitleCodecContext, self.stream.codec_context)
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = template.time_base or self._encoder.time_base
        self.stream.time_base = template.time_base
        self.has_lost_positions = False

    def __call__(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """Yield the same line at the same time."""
        self.has_lost_positions |= packet.has_sidedata("webvtt_settings")
        try:
            lines = self._decoder.decode2(packet)
            if lines is None or not len(lines):
                return  # MP4 fills the time between two lines with empty ones
            converted = self._encoder.encode_subtitle(lines)
        except av.error.FFmpegError:
            return
        converted.pts, converted.dts = packet.pts, packet.dts
        converted.duration, converted.time_base = packet.duration, packet.time_base
        yield converted


class PcmConversion:
    """Uncompressed, losslessly compressed or ADPCM sound to little-endian PCM, sample for sample.

    Attributes:
        stream: of the output.
    """

    def __init__(self, container: OutputContainer, template: av.stream.Stream, codec: str) -> None:
        """Add a stream of `codec` to a container, in place of a copy of `template`."""
        # the input's own: PyAV cannot tell a new one how long the blocks of ADPCM are
        self._decoder = source = cast(AudioStream, template).codec_context
        self.stream: av.stream.Stream = container.add_stream(codec, source.sample_rate)
        self._encoder = cast(AudioCodecContext, self.stream.codec_context)
        self._encoder.layout = source.layout
        self._resampler = av.AudioResampler(self._encoder.format, source.layout, source.sample_rate)

    def __call__(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """Yield the same samples at the same time."""
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError:
            return
        for frame in frames:
            if frame.pts is None:
                frame.pts, frame.time_base = packet.pts, packet.time_base
            for piece in self._resampler.resample(frame):
                yield from self._encoder.encode(piece)


def pcm_for(template: av.stream.Stream) -> str | None:
    """Choose the PCM that holds a stream's samples without loss; None if that is far too large."""
    context = template.codec_context
    if not isinstance(context, AudioCodecContext):
        return None
    if not (context.name.startswith("pcm_") or context.name in _LOSSLESS_SOUND | _ADPCM):
        return None
    if context.name.startswith("pcm_") and "24" in context.name:
        return "pcm_s24le"
    return _PCM.get(context.format.name.removesuffix("p"))


def codec_name(stream: av.stream.Stream) -> str:
    """Name a stream's codec, not the decoder of it."""
    context = getattr(stream, "codec_context", None)
    if context is None:
        return str(getattr(stream, "name", None) or "unknown")
    return str(cast(Codec, context.codec).canonical_name)
