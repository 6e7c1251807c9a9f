"""Reads the facts of a video file, without enhancing it: what `streamlight info` shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from math import atan2, degrees
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.color_names import color_name, is_stated
from streamlight.facts import ChapterFacts, FileFacts, Origin, StreamFacts, Tag, VideoFacts
from streamlight.frame import Image
from streamlight.sources.chroma import chroma_location_of
from streamlight.sources.hdr import hdr_of
from streamlight.sources.luma import judge_brightness
from streamlight.sources.opening import choose_video, opened_input, packets_of
from streamlight.sources.sampling import first_frame, sample_frames, view_of
from streamlight.sources.side_data import display_matrix_of
from streamlight.sources.timing import timing_of

SAMPLES = 5
"""Frames, spread over the file, that brightness and interlacing are judged by."""

PACKETS = 600
"""Packets of the video that are read for its timing, when it is not read whole."""

_FIELD_ORDERS = {
    1: "progressive",
    2: "top first",
    3: "bottom first",
    4: "top first",
    5: "bottom first",
}
"""By AVFieldOrder: which field is shown first."""


@dataclass(slots=True)
class _Findings:
    """What reading and decoding a stream brought.

    Attributes:
        times_s: of the packets that have one.
        missing: packets that have none.
        is_complete: whether all packets were read.
        counted: pictures decoded.
        damaged: packets that could not be decoded.
        is_encrypted: whether a packet says so.
        broke_off: why reading ended early; empty when it did not.
        frames: a few pictures.
        views: small pictures of them.
    """

    times_s: list[float] = field(default_factory=list)
    missing: int = 0
    is_complete: bool = False
    counted: int = 0
    damaged: int = 0
    is_encrypted: bool = False
    broke_off: str = ""
    frames: list[av.VideoFrame] = field(default_factory=list)
    views: list[Image] = field(default_factory=list)


def probe_video(path: str | Path, *, deep: bool = False) -> FileFacts:
    """Read the facts of a file that libav opens.

    Args:
        path: of the file.
        deep: read and decode all of it, to count the frames, find damage and see every
            timestamp; else only some packets and a handful of frames are looked at.

    Raises:
        SourceError: it cannot be opened.
    """
    path = Path(path)
    with opened_input(path) as container:
        video = choose_video(container)
        findings = _Findings()
        problems = []
        if video is None:
            held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
            problems.append(f"there is no video in it (it holds: {held})")
        elif video.codec_context is None:
            problems.append("there is no decoder for its video")
        else:
            findings = _decode_all(container, video) if deep else _read_some(container, video)
            problems += _problems(container, video, findings)
        is_readable = video is not None and bool(findings.frames)
        return FileFacts(
            path=str(path),
            kind="video",
            size_bytes=path.stat().st_size,
            container=container.format.name,
            container_name=container.format.long_name,
            duration_s=_seconds(container.duration, Fraction(1, av.time_base)),
            start_s=_seconds(container.start_time, Fraction(1, av.time_base)),
            bit_rate=container.bit_rate or None,
            metadata=dict(container.metadata),
            streams=tuple(_describe_stream(stream) for stream in container.streams),
            chapters=tuple(describe_chapter(chapter) for chapter in container.chapters()),
            video=_describe_video(container, video, findings) if video and is_readable else None,
            brightness=judge_brightness(findings.views),
            problems=tuple(problems),
        )


def _read_some(container: av.container.InputContainer, video: VideoStream) -> _Findings:
    findings = _Findings()
    try:
        for packet in packets_of(container, video):
            _take_packet(packet, findings)
            if len(findings.times_s) + findings.missing >= PACKETS:
                break
        else:
            findings.is_complete = True
    except av.error.FFmpegError as error:
        findings.broke_off = error.strerror or str(error)
    if not findings.is_encrypted:
        with suppress(av.error.FFmpegError):
            container.seek(container.start_time or 0)
        findings.frames = list(sample_frames(container, video, SAMPLES))
        if not findings.frames:
            findings.frames = _first_of(container)
        findings.views = [view_of(frame) for frame in findings.frames]
    return findings


def _first_of(container: av.container.InputContainer) -> list[av.VideoFrame]:
    """Decode the first picture of a file that cannot be sought in."""
    with opened_input(Path(container.name)) as again:
        video = choose_video(again)
        frame = first_frame(again, video) if video is not None else None
        return [] if frame is None else [frame]


def _decode_all(container: av.container.InputContainer, video: VideoStream) -> _Findings:
    """Decode every picture; keep the first, and a view of about a hundred."""
    findings = _Findings()
    video.thread_type = "FRAME"
    every = max(1, video.frames // 100)
    try:
        for packet in packets_of(container, video):
            _take_packet(packet, findings)
            if findings.is_encrypted:
                break
            for frame in _decoded(packet, findings):
                if findings.counted % every == 0:
                    findings.views.append(view_of(frame))
                if not findings.frames or (frame.interlaced_frame and len(findings.frames) == 1):
                    findings.frames.append(frame)
                findings.counted += 1
        findings.is_complete = True
    except av.error.FFmpegError as error:
        findings.broke_off = error.strerror or str(error)
    return findings


def _take_packet(packet: av.Packet[Any], findings: _Findings) -> None:
    if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
        findings.is_encrypted = True
    if not packet.size or packet.is_discard:
        return
    if packet.pts is None or not packet.time_base:
        findings.missing += 1
    else:
        findings.times_s.append(float(packet.pts * packet.time_base))


def _decoded(packet: av.Packet[Any], findings: _Findings) -> Iterator[av.VideoFrame]:
    try:
        yield from packet.decode()
    except av.error.FFmpegError:
        findings.damaged += 1


def _problems(
    container: av.container.InputContainer, video: VideoStream, findings: _Findings
) -> Iterator[str]:
    if findings.is_encrypted:
        yield "the video is encrypted (DRM); it can only be enhanced decrypted"
    elif not findings.frames:
        yield "no picture could be decoded; the file is damaged"
    if findings.broke_off:
        yield f"reading failed: {findings.broke_off}"
    if findings.damaged:
        were = "packet was" if findings.damaged == 1 else "packets were"
        yield f"{findings.damaged} damaged {were} skipped"
    read = len(findings.times_s) + findings.missing
    if "mp4" in container.format.name and findings.is_complete:
        declared = sum(not entry.is_discard for entry in video.index_entries)
        if read < declared:
            yield f"the file is cut off: {read} of {declared} frames are there"
    elif "mp4" in container.format.name and not _last_byte_is_there(container, video):
        yield "the file is cut off: its index names frames beyond its end"


def _last_byte_is_there(container: av.container.InputContainer, video: VideoStream) -> bool:
    last = max((entry.pos + entry.size for entry in video.index_entries), default=0)
    return last <= container.size


def _describe_video(
    container: av.container.InputContainer, video: VideoStream, findings: _Findings
) -> VideoFacts:
    frame = findings.frames[0]
    context = video.codec_context
    layout = frame.format
    matrix = display_matrix_of(frame)
    rotation, is_mirrored = turn_of(matrix)
    aspect = Fraction(context.sample_aspect_ratio or 1)
    width, height = max(1, round(frame.width * aspect)), frame.height
    is_turned = rotation % 180 != 0
    color = _tags(frame)
    field_order = _FIELD_ORDERS.get(context.field_order, "unknown")
    is_interlaced = any(f.interlaced_frame for f in findings.frames)
    start = _seconds(video.start_time, video.time_base)
    hidden = video.frames - sum(not entry.is_discard for entry in video.index_entries)
    return VideoFacts(
        stream=video.index,
        width=frame.width,
        height=frame.height,
        sample_aspect_ratio=aspect,
        display_width=height if is_turned else width,
        display_height=width if is_turned else height,
        rotation_degrees=rotation,
        is_mirrored=is_mirrored,
        average_rate=_sensible(video.average_rate),
        nominal_rate=_sensible(video.guessed_rate or video.base_rate),
        frame_count=video.frames or None,
        frames_counted=findings.counted or None,
        frames_hidden=max(0, hidden) if "mp4" in container.format.name else 0,
        pixel_format=layout.name,
        bits=layout.components[0].bits,
        chroma=chroma_of(layout),
        chroma_location=chroma_location_of(frame),
        has_alpha=any(component.is_alpha for component in layout.components),
        field_order=field_order,
        is_interlaced=is_interlaced or field_order.endswith("first"),
        matrix=color[0],
        range=color[1],
        primaries=color[2],
        transfer=color[3],
        hdr=hdr_of(frame, context.codec.canonical_name),
        timing=timing_of(
            findings.times_s,
            float(video.time_base or 0),
            is_complete=findings.is_complete,
            missing=findings.missing,
        ),
        start_s=start,
        audio_offset_s=_audio_offset(container, start),
    )


def _sensible(rate: Fraction | None) -> Fraction | None:
    """Drop what libav makes of a time base of 1 ms: 1000 frames per second."""
    return rate if rate and 0 < rate <= 480 else None


def turn_of(matrix: tuple[int, ...] | None) -> tuple[int, bool]:
    """Tell degrees counter-clockwise, and whether it mirrors, of a display matrix.

    Args:
        matrix: nine numbers row by row, as in ISO 14496-12 (tkhd); None for none.
    """
    if matrix is None:
        return 0, False
    a, b, _, c, d = matrix[:5]
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        a = -a  # left for right, after the turn
    angle = -round(degrees(atan2(b, a)))  # of the matrix: clockwise, since y points down
    return (180 if angle == -180 else angle), is_mirrored


def chroma_of(layout: av.VideoFormat) -> str:
    """Name the chroma sampling of a pixel format: "4:2:0", "RGB", "grey"."""
    if layout.is_rgb:
        return "RGB"
    if len(layout.components) < 3:
        return "grey"
    across = -(-1024 // max(1, layout.chroma_width(1024)))
    down = -(-1024 // max(1, layout.chroma_height(1024)))
    named = {
        (1, 1): "4:4:4",
        (2, 1): "4:2:2",
        (2, 2): "4:2:0",
        (4, 1): "4:1:1",
        (4, 4): "4:1:0",
        (1, 2): "4:4:0",
    }
    return named.get((across, down), f"1/{across} x 1/{down}")


def _tags(frame: av.VideoFrame) -> tuple[Tag, Tag, Tag, Tag]:
    """Tell matrix, range, primaries and transfer of a decoded picture."""
    is_rgb = frame.format.is_rgb
    is_full = is_rgb or frame.format.name.startswith("yuvj")
    stated = ColorSpec(
        Matrix.RGB if is_rgb else frame.colorspace,
        Range.FULL if is_full else frame.color_range,
        frame.color_primaries,
        frame.color_trc,
    )
    used = stated.resolved(frame.width, frame.height)
    matrix, range_, primaries, transfer = (
        _tag(field, getattr(stated, field), getattr(used, field))
        for field in ("matrix", "range", "primaries", "transfer")
    )
    return matrix, range_, primaries, transfer


def _tag(field: str, stated: int, used: int) -> Tag:
    origin: Origin = "unknown"
    if is_stated(field, stated):
        origin = "stated"
    elif is_stated(field, used):
        origin = "guessed"
    return Tag(int(used), color_name(field, used), origin)


def _describe_stream(stream: av.stream.Stream) -> StreamFacts:
    context = stream.codec_context
    detail = ""
    if isinstance(stream, AudioStream) and context is not None:
        detail = f"{stream.codec_context.sample_rate} Hz, {stream.codec_context.layout.name}"
    elif isinstance(stream, VideoStream) and context is not None:
        detail = f"{stream.codec_context.width}x{stream.codec_context.height}"
    elif stream.type == "attachment":
        detail = stream.metadata.get("filename", "")
    bit_rate = getattr(context, "bit_rate", None)
    return StreamFacts(
        index=stream.index,
        type=stream.type,
        codec=context.codec.canonical_name if context is not None else None,
        profile=stream.profile if context is not None else None,
        language=stream.language if stream.language != "und" else None,
        title=next((v for k, v in stream.metadata.items() if k.lower() == "title"), None),
        dispositions=tuple(
            item.name
            for item in av.stream.Disposition
            if item.name and stream.disposition & item.value
        ),
        bit_rate=bit_rate or None,
        start_s=_seconds(stream.start_time, stream.time_base),
        duration_s=_seconds(stream.duration, stream.time_base),
        detail=detail,
    )


def describe_chapter(chapter: av.container.core.Chapter) -> ChapterFacts:
    """Take over a chapter as av describes it, in seconds."""
    unit = chapter["time_base"] or Fraction(1)
    title = next((v for k, v in chapter["metadata"].items() if k.lower() == "title"), "")
    return ChapterFacts(title, float(chapter["start"] * unit), float(chapter["end"] * unit))


def _audio_offset(container: av.container.InputContainer, start_s: float | None) -> float | None:
    for stream in container.streams.audio:
        audio_s = _seconds(stream.start_time, stream.time_base)
        if audio_s is not None and start_s is not None:
            return round(audio_s - start_s, 6)
    return None


def _seconds(ticks: int | None, unit: Fraction | None) -> float | None:
    return None if ticks is None or unit is None else float(ticks * unit)
