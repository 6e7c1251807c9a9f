"""A file that is open and being decoded, from its beginning or from a place in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.container
from av.video.stream import VideoStream

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.conforming import Conformer, PictureForm, timed
from streamlight.sources.damage import Damage
from streamlight.sources.decoding import decoded
from streamlight.sources.head import Head
from streamlight.sources.nvdec import HardwareDecoder
from streamlight.sources.opening import (
    choose_video,
    close_input,
    open_input,
    opened_input,
    packets_of,
)
from streamlight.sources.packets import PacketReader
from streamlight.sources.side_streams import SideStreams
from streamlight.sources.window import Window

_UNTRUSTED_START = {"mpegts", "mpeg", "dvd", "vob", "svcd"}
"""Formats whose clock starts anywhere: the output starts at 0 instead."""

_STATE_THEIR_END = {"mov", "mp4", "matroska", "webm"}
"""Formats whose header says when the video ends; of others, libavformat makes it of the packets."""


class LostPlaceError(Exception):
    """Reading from a place in the middle does not give the times that reading all of it gives."""


class Reading:
    """The packets of a file, and its pictures on the clock of the output.

    Attributes:
        container: of the file.
        video: the stream that is decoded.
        side: the other streams.
        damage: what is broken so far.
        unit: seconds per tick of the pictures' times.
        shift_s: taken from every time of the file; a whole number of ticks.
        length_s: how long the part is that is asked for; None for all.
        is_cut: whether something is cut away before the part.
        cut_s: how much.
        head: what the first decoded picture tells of all.
        form: what the pictures are brought to.
        has_skipped: whether decoding began in the middle.
        is_followed: whether pictures turned out to come after the part.
    """

    def __init__(
        self,
        path: Path,
        window: Window,
        *,
        strict: bool = False,
        copy_streams: bool = True,
        note: Callable[[str], None],
        after_s: Fraction | None = None,
        may_skip: bool = True,
        form: PictureForm | None = None,
        hardware: HardwareDecoder | None = None,
    ) -> None:
        """Open a file and decode its first picture.

        Args:
            path: of the file.
            window: the part that is asked for.
            strict: raise at the first damage.
            copy_streams: False to read nothing but the video.
            note: takes one sentence for the user.
            after_s: begin so far into the part; None for its start.
            may_skip: False to decode from the beginning of the file in any case.
            form: what to bring the pictures to; None for the form of the first.
            hardware: decodes; None for software.

        Raises:
            SourceError: the file is missing, unreadable, or not a video.
            UnsupportedSourceError: it holds no video, or an encrypted one.
            LostPlaceError: what was skipped is needed to tell the time.
        """
        self.path = path
        self.is_followed = False
        self.damage = Damage(path, strict=strict)
        self.container = hardware.open(path) if hardware else open_input(path)
        try:
            self.video = _video_of(self.container, path)
            if hardware is not None:
                self.video.codec_context.thread_count = 1  # more would only hold pictures
            if strict:  # else most decoders conceal the damage and report nothing
                self.video.codec_context.options = {"err_detect": "explode"}
            self.side = SideStreams(self.container, self.video.index, copy=copy_streams)
            self.unit = _unit_of(self.video, path)
            self._origin = _ticks_of_start(self.container, self.unit, path)
            first, end = window.in_ticks(self.unit)
            self._first = first
            shift = self._origin + first
            self.shift_s = shift * self.unit
            self.length_s = None if end is None else (end - first) * self.unit
            self.is_cut = first > 0
            self.cut_s = first * self.unit
            self.side.cut(self.shift_s, self.length_s, is_cut=self.is_cut, after=after_s)
            self._reader = PacketReader(self.container, self.video, self.side, self.damage, path)
            moment_s = None
            if may_skip and (first or after_s is not None):
                moment_s = self.shift_s + (after_s or 0)
            packets = self._reader.packets_for(moment_s)
            self._decoded = decoded(packets, self.video, self.damage)
            picture = next(self._decoded, None)
            if picture is None:
                raise SourceError(f"{path}: no picture could be decoded; the file is damaged")
            self.has_skipped = self._reader.has_skipped
            if picture.pts is None and self.has_skipped:
                raise LostPlaceError
            self.head = Head.of(
                picture,
                self.video.codec_context.codec.canonical_name,
                has_hidden_alpha=self.video.metadata.get("alpha_mode") == "1",
            )
            self.form = form or self.head.form
            self._conformer = Conformer(self.form, note, counts=not self.has_skipped)
            self._first_picture: av.VideoFrame | None = picture
            self._first_shape = self.video.codec_context.sample_aspect_ratio
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        close_input(self.container)

    @property
    def rate(self) -> Fraction | None:
        """Nominal frames per second; the average is nonsense in files of 1 ms time base."""
        return next(iter(self._rates), None)

    @property
    def sample_aspect_ratio(self) -> Fraction | None:
        """Width of a pixel by its height; None when the file does not say."""
        return self.video.sample_aspect_ratio or None

    @property
    def duration_s(self) -> float | None:
        """How long the whole file is, as far as it says."""
        duration = self.container.duration
        return duration / av.time_base if duration else None

    @property
    def end_s(self) -> Fraction | None:
        """When the video ends, on the clock of the output; None where no header says it."""
        if not _STATE_THEIR_END & set(self.container.format.name.split(",")):
            return None
        if self.video.duration:
            end_s = ((self.video.start_time or 0) + self.video.duration) * self.unit
        elif self.container.duration:
            start = self.container.start_time or 0
            end_s = Fraction(start + self.container.duration, av.time_base)
        else:
            return None
        return end_s - self.shift_s

    def pictures(self) -> Iterator[av.VideoFrame]:
        """Yield the decoded pictures, alike and on the clock of the output.

        Those before 0 are not part of the part that is asked for; they lead up to it.
        """
        steps = [max(1, round(1 / (rate * self.unit))) for rate in self._rates] or [1]
        shift = self._origin + self._first
        times = timed(
            self._all(), self.unit, shift, steps[0], first=-self._first, least_step=min(steps)
        )
        yield from self._conformer(times)

    def skim(self) -> Iterator[Fraction]:
        """Read the part without decoding, for `side`; yield how far, in seconds of the output."""
        for packet in self._reader.packets_for(None):
            time = packet.dts if packet.dts is not None else packet.pts
            if time is None:
                continue
            reached_s = time * packet.time_base - self.shift_s
            yield reached_s
            if self.length_s is not None and reached_s >= self.length_s:
                break
        self.finish()

    def finish(self) -> None:
        """Read what belongs to the part and comes after its last picture in the file."""
        if self.length_s is not None:
            self._reader.read_side_packets(self.shift_s + self.length_s)

    def closing_notes(self, *, is_whole: bool) -> list[str]:
        """What the user should know once all is read, one sentence each.

        Args:
            is_whole: whether it was read to its end, so that it shows where it is cut off.

        Raises:
            SourceError: strict, and it is cut off.
        """
        timeline = self._reader.timeline
        notes = timeline.notes + self.damage.notes(joints=len(timeline.jumps))
        if self.damage.has_late_streams:
            notes.append("streams that begin in the middle of the file are not copied")
        if self.video.codec_context.sample_aspect_ratio != self._first_shape:
            notes.append("the shape of the pixels changes; that of the first ones is kept")
        cut = self.damage.check_complete(self.container, self.video) if is_whole else None
        return [*notes, cut] if cut else notes

    @property
    def _rates(self) -> list[Fraction]:
        rates = (self.video.average_rate, self.video.guessed_rate)
        return [Fraction(rate) for rate in rates if rate and 0 < rate <= 480]

    def _all(self) -> Iterator[av.VideoFrame]:
        first, self._first_picture = self._first_picture, None
        if first is not None:
            yield first
        del first
        yield from self._decoded


def _video_of(container: av.container.InputContainer, path: Path) -> VideoStream:
    video = choose_video(container)
    if video is None:
        held = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UnsupportedSourceError(f"{path}: there is no video in it (it holds: {held})")
    if video.codec_context is None:
        raise UnsupportedSourceError(f"{path}: there is no decoder for its video")
    video.thread_type = "FRAME"  # 2.2 times as fast as PyAV's default, SLICE
    return video


def _unit_of(video: VideoStream, path: Path) -> Fraction:
    if video.time_base is None:
        raise SourceError(f"{path}: the video has no time base")
    return Fraction(video.time_base)


def _ticks_of_start(container: av.container.InputContainer, unit: Fraction, path: Path) -> int:
    """Say where the clock starts, in ticks of the video."""
    if container.format.name.split(",")[0] not in _UNTRUSTED_START:
        return 0
    if container.start_time is None and path.is_file():
        return round(_first_time_s(path) / unit)
    return round(Fraction(container.start_time or 0, av.time_base) / unit)


def _first_time_s(path: Path) -> Fraction:
    """Read when a file starts, of which libavformat does not know: one of a single picture."""
    with opened_input(path) as container:
        for packet in packets_of(container):
            if packet.pts is not None:
                return packet.pts * packet.time_base
    return Fraction(0)
