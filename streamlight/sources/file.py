"""Frames from a file, or from anything else that libavformat opens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.container
import av.error
import av.stream
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.stream import VideoStream

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.denoise import check_denoise, denoised
from streamlight.sources.rgb import RgbConverter, color_of
from streamlight.sources.side_streams import SideStreams

_UNTRUSTED_START = {"mpegts", "mpeg", "dvd", "vob", "svcd"}
"""Formats whose clock starts anywhere: the output starts at 0 instead."""


class FileSource:
    """The first video stream of a file, decoded; its other streams are kept beside it.

    Attributes:
        info: what the stream is; known before the first frame is yielded.
        side: the streams to copy, and their packets.
        metadata: of the container and of the video stream, as (container, stream).
        chapters: of the container, as av describes them.
        damaged_packets: packets that could not be decoded and were skipped so far.
        notes: what the user should know of the input, one sentence each.
    """

    def __init__(self, path: str | Path, *, strict: bool = False, denoise: str = "off") -> None:
        """Open a file and decode its first frame.

        Args:
            path: of the file.
            strict: raise at the first damaged packet instead of skipping it.
            denoise: "off", "light" or "strong"; see `streamlight.sources.denoise`.

        Raises:
            SourceError: the file is missing, unreadable, or not a video.
            UnsupportedSourceError: it holds no video, or an encrypted one.
        """
        self.path = Path(path)
        self.damaged_packets = 0
        self.notes: list[str] = []
        check_denoise(denoise)
        self._strict = strict
        self._denoise = denoise
        self._packets_read = 0
        self._clocks_s: dict[int, float] = {}
        self._to_rgb = RgbConverter()
        self._container = _open(self.path)
        try:
            self._video = _video_stream(self._container, self.path)
            if strict:  # else most decoders conceal the damage and report nothing
                self._video.codec_context.options = {"err_detect": "explode"}
            self.side = SideStreams(self._container, self._video.index)
            self._pictures = self._decode()
            first = next(self._pictures, None)
        except BaseException:
            self._container.close()
            raise
        if first is None:
            self._container.close()
            raise SourceError(f"{self.path}: no picture could be decoded; the file is damaged")
        self._first: av.VideoFrame | None = first
        self.shift_s = self._start_shift()
        self.info = self._describe(first)
        self.display_matrix = _display_matrix(first)
        self.pixel_format = first.format
        self.sample_aspect_ratio: Fraction | None = self._video.codec_context.sample_aspect_ratio
        self.metadata = (dict(self._container.metadata), dict(self._video.metadata))
        self.chapters = self._container.chapters()
        self.notes += [f"{name} is not copied" for name in self.side.dropped]

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; frames already yielded stay valid."""
        self._first = None
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame once, with strictly increasing `pts`.

        Raises:
            SourceError: the file is cut off, or (strict) damaged.
        """
        last_pts: int | None = None
        rate = self.info.rate
        duration = step = max(1, round(1 / (rate * self.info.time_base))) if rate else 1
        shift = round(self.shift_s / self.info.time_base)
        pictures = denoised(self._all_pictures(), self._denoise)
        for index, picture in enumerate(pictures):
            pts = picture.pts
            if pts is None:
                pts = 0 if last_pts is None else last_pts + duration
            else:
                pts -= shift
            if last_pts is not None and pts <= last_pts:
                pts = last_pts + 1
            last_pts = pts
            duration = picture.duration if picture.duration * 2 > step else step
            image = self._to_rgb(picture, self.info.color)
            yield Frame(image, pts, self.info.time_base, index, duration)

    def _all_pictures(self) -> Iterator[av.VideoFrame]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        del first
        size = self.info.width, self.info.height
        for index, picture in enumerate(self._pictures, start=1):
            if (picture.width, picture.height) != size:
                raise SourceError(
                    f"{self.path}: the picture changes from {size[0]}x{size[1]} "
                    f"to {picture.width}x{picture.height} at frame {index}; "
                    "cut the file there and enhance the parts"
                )
            yield picture
            del picture  # or it lives until the next one is decoded

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Demux all streams; yield pictures, put the packets of the others aside."""
        reached_s = 0.0
        for packet in self._demux():
            stream = packet.stream
            if packet.pts is not None and packet.time_base:
                end = packet.pts + (packet.duration or 0)
                reached_s = max(reached_s, float(end * packet.time_base))
            self._check_clock(packet)
            if stream.index != self._video.index:
                if packet.size:
                    self.side.put(packet)
                continue
            if packet.has_sidedata("encryption_info") or packet.has_sidedata(
                "encryption_init_info"
            ):
                raise UnsupportedSourceError(
                    f"{self.path}: the video is encrypted (DRM); it can only be enhanced decrypted"
                )
            self._packets_read += packet.dts is not None or packet.size > 0
            try:
                pictures = packet.decode()
            except av.error.FFmpegError as error:
                self._skip_damaged(error)
                continue
            yield from pictures
            del pictures  # or the last picture lives until the next packet
        self._check_complete(reached_s)

    def _demux(self) -> Iterator[av.Packet[Any]]:
        try:
            yield from self._container.demux(self._video, *self.side.streams)
        except av.error.FFmpegError as error:
            raise SourceError(f"{self.path}: reading failed: {error.strerror}") from error

    def _skip_damaged(self, error: av.error.FFmpegError) -> None:
        if self._strict:
            raise SourceError(
                f"{self.path}: the video is damaged near its packet {self._packets_read} "
                f"({error.strerror})"
            ) from error
        self.damaged_packets += 1

    def _check_clock(self, packet: av.Packet[Any]) -> None:
        """Raise where time runs backwards: small steps can be mended, these are two recordings."""
        if packet.dts is None or not packet.time_base or packet.stream.type == "subtitle":
            return
        time_s = float(packet.dts * packet.time_base)
        if time_s < self._clocks_s.get(packet.stream_index, time_s) - 1:
            raise SourceError(
                f"{self.path}: the clock jumps back to {time_s:.1f} s, as where recordings were "
                "joined byte by byte; join them with: ffmpeg -f concat"
            )
        self._clocks_s[packet.stream_index] = time_s

    def _check_complete(self, reached_s: float) -> None:
        """Raise when the container declares more than could be read: the file is cut off."""
        declared = 0
        duration = self._container.duration
        cut = False
        if "mp4" in self._container.format.name:
            # not `frames`: an edit list (a clip trimmed on a phone) leaves some of them out
            declared = len(self._video.index_entries)
            cut = self._packets_read < declared
        elif "matroska" in self._container.format.name and duration:
            cut = duration / av.time_base - reached_s > 1.0
        if cut:
            of = f" of {declared}" if declared else ""
            raise SourceError(
                f"{self.path}: the file is cut off after {self._packets_read}{of} frames; "
                "--keep-partial keeps what is there"
            )

    def _start_shift(self) -> Fraction:
        """Seconds to take from every timestamp."""
        start = self._container.start_time
        if self._container.format.name.split(",")[0] not in _UNTRUSTED_START or start is None:
            return Fraction(0)
        return Fraction(start, av.time_base)

    def _describe(self, first: av.VideoFrame) -> StreamInfo:
        time_base = first.time_base or self._video.time_base
        if time_base is None:
            raise SourceError(f"{self.path}: the video has no time base")
        color = color_of(first)
        if first.format.components[0].bits > 8:
            self.notes.append(
                f"the picture has {first.format.components[0].bits} bits a channel; "
                "the output has 8"
            )
        return StreamInfo(
            width=first.width,
            height=first.height,
            rate=_rate(self._video),
            time_base=Fraction(time_base),
            color=color,
            rotation=180 if first.rotation == -180 else first.rotation,
            frame_count=self._video.frames or self._estimated_count(),
        )

    def _estimated_count(self) -> int | None:
        rate, duration = _rate(self._video), self._container.duration
        return round(duration / av.time_base * rate) if rate and duration else None


def _open(path: Path) -> av.container.InputContainer:
    try:
        if not path.exists():
            raise SourceError(f"{path}: no such file")
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; a video file was expected")
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return av.open(str(path), metadata_errors="replace")
    except av.error.PermissionError as error:
        raise SourceError(f"{path}: no permission to read it") from error
    except av.error.FFmpegError as error:
        raise SourceError(
            f"{path}: not a video, or damaged beyond reading ({error.strerror})"
        ) from error


def _video_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    """Choose the video stream: the default one if marked, never a cover picture."""
    attached = av.stream.Disposition.attached_pic
    videos = [s for s in container.streams.video if not s.disposition & attached]
    if not videos:
        held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UnsupportedSourceError(f"{path}: there is no video in it (it holds: {held})")
    video = max(videos, key=lambda s: bool(s.disposition & av.stream.Disposition.default))
    if video.codec_context is None:
        raise UnsupportedSourceError(f"{path}: there is no decoder for its video")
    video.thread_type = "FRAME"  # 2.2 times as fast as PyAV's default, SLICE
    return video


def _rate(video: VideoStream) -> Fraction | None:
    """Nominal frames per second; the average is nonsense in files of 1 ms time base."""
    for rate in (video.average_rate, video.guessed_rate):
        if rate and 0 < rate <= 480:
            return Fraction(rate)
    return None


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Read the nine numbers by which a player turns or mirrors the picture."""
    for data in cast(Sequence[SideData], frame.side_data):
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(memoryview(data).cast("B").cast("i"))
    return None
