"""Frames from a file, or from anything else that libavformat opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av

from streamlight.color import ColorSpec, is_hdr, sdr_of
from streamlight.errors import SourceError, StreamlightError, UnsupportedSourceError, UsageError
from streamlight.frame import Frame, Planes, StreamInfo
from streamlight.sources.coding import coding_of
from streamlight.sources.conforming import PictureForm
from streamlight.sources.deinterlace import Deinterlacing
from streamlight.sources.nvdec import HardwareDecoder, planes_of
from streamlight.sources.reading import LostPlaceError, Reading
from streamlight.sources.rgb import RgbConverter, color_of, is_deep
from streamlight.sources.side_streams import SideStreams
from streamlight.sources.steps import PictureSteps
from streamlight.sources.timecode import advance
from streamlight.sources.tonemap import ToneMapper
from streamlight.sources.window import Window, cut_chapters

Hdr = Literal["tonemap", "keep"]


class FileSource:
    """The first video stream of a file, decoded; its other streams are kept beside it.

    Attributes:
        info: what the stream is; known before the first frame is yielded.
        side: the streams to copy, and their packets, on the clock of the frames.
        metadata: of the container and of the video stream, as (container, stream).
        chapters: of the part that is asked for, as av describes them.
        notes: what the user should know of the input, one sentence each; complete when all
            frames were yielded.
        shift_s: what was taken from every time of the file: where its clock starts, if that
            means nothing, and what is cut away before.
        display_matrix: the nine numbers by which a player turns the picture; None for none.
        pixel_format: of the pictures before they became RGB.
        sample_aspect_ratio: width of a pixel by its height; None when the file does not say.
        hdr: what the file says of its brightness; None when it says nothing.
        coding: how the video is coded.
        disposition: of the video stream.
        hardware: what decodes; None for software.
        hwaccel_note: what became of `--hwaccel cuda`, in one sentence; empty where not asked for.
    """

    info: StreamInfo
    side: SideStreams
    _reading: Reading
    _pictures: Iterator[av.VideoFrame]
    _first: av.VideoFrame | None
    _coded_color: ColorSpec
    _tone_mapper: ToneMapper | None
    _to_rgb: RgbConverter

    def __init__(
        self,
        path: str | Path,
        *,
        strict: bool = False,
        denoise: str = "off",
        filters: str | None = None,
        deinterlace: Deinterlacing = "auto",
        hdr: Hdr = "tonemap",
        start_s: float | None = None,
        end_s: float | None = None,
        duration_s: float | None = None,
        copy_streams: bool = True,
        resume_after_pts: int | None = None,
        resume_index: int = 0,
    ) -> None:
        """Open a file and decode its first frame.

        Args:
            path: of the file.
            strict: raise at the first damaged packet instead of skipping it, and where the file
                is cut off.
            denoise: "off", "light" or "strong"; see `streamlight.sources.denoise`.
            filters: a chain of libavfilter, as ffmpeg's -vf takes it; None for none.
            deinterlace: "auto" for what says that it is interlaced, "on" for all, "off".
            hdr: "tonemap" to yield PQ and HLG as BT.709 SDR, "keep" to yield them as they are.
            start_s: leave out what is shown before; frames, sound and subtitles begin at 0 there.
            end_s: leave out what is shown from then on, in seconds of the file.
            duration_s: likewise, in seconds from the start.
            copy_streams: False to read no other streams; else someone has to take their packets,
                or they are held in memory.
            resume_after_pts: yield only what an earlier run yielded after the frame of this
                `pts`. The frames are the same, as long as no filter looks further back than
                `streamlight.sources.packets.WARM_UP` frames.
            resume_index: of the first frame then.

        Raises:
            SourceError: the file is missing, unreadable, or not a video; it ends before the start;
                or it has no frame to resume after.
            UnsupportedSourceError: it holds no video, or an encrypted one.
            UsageError: an option has no such choice, or libavfilter refuses the chain.
        """
        self.path = Path(path)
        self.notes: list[str] = []
        # No method of this object: no cycle keeps its decoders and their threads.
        self._note = partial(_add_new, self.notes)
        self._steps = PictureSteps(deinterlace, denoise, filters, self._note)
        if hdr not in ("tonemap", "keep"):
            raise UsageError(f"--hdr {hdr}: choose one of tonemap, keep")
        self._keeps_hdr = hdr == "keep"
        self._window = Window.of(start_s, end_s, duration_s)
        self._strict = strict
        self._copy_streams = copy_streams
        self._index = 0
        self.hardware: HardwareDecoder | None = None
        self.hwaccel_note = ""
        self._take: Callable[[Planes], Any] | None = None
        self._begin()
        try:
            self._describe()
            if resume_after_pts is not None:
                self._reading.close()
                self._index = resume_index
                self._begin(resume_after_pts, self._reading.form)
        except BaseException:
            self.close()
            raise

    @property
    def first_picture(self) -> av.VideoFrame | None:
        """The first picture as it was decoded; None once it is yielded."""
        return self._first

    def decode_on(self, hardware: HardwareDecoder, take: Callable[[Planes], Any]) -> None:
        """Decode on a device from now on; to be called before anything else is done.

        Frames are then yielded with what `take` makes of their planes as `image`.

        Args:
            hardware: decodes.
            take: gets the planes of each picture, in the thread that iterates.

        Raises:
            UnsupportedSourceError: it cannot; the source goes on as it was.
        """
        before = self._reading, self._pictures, self._first, self.side
        self.hardware = hardware
        try:
            self._begin()
            if self._first is None:
                raise UnsupportedSourceError("it decodes no picture")
            hardware.check(self._first)
            size = self._first.width, self._first.height
            if size != (self.info.width, self.info.height):  # cropped otherwise than in software
                raise UnsupportedSourceError(f"it gives pictures of {size[0]}x{size[1]}")
        except StreamlightError as error:
            if self._reading is not before[0]:
                self._reading.close()
            self._reading, self._pictures, self._first, self.side = before
            self.hardware = None
            raise UnsupportedSourceError(str(error)) from error
        before[0].close()
        self._take = take

    @property
    def damaged_packets(self) -> int:
        """Packets that could not be decoded and were skipped so far."""
        return self._reading.damage.packets

    @property
    def is_cut_off(self) -> bool:
        """Whether the file turned out to end before its end."""
        return self._reading.damage.is_cut_off

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
        self._reading.close()

    def reread(self) -> Reading:
        """Open the same part of the file once more, from its beginning, for other streams.

        Raises:
            SourceError: the file is gone.
        """

        def open_part(may_skip: bool) -> Reading:
            return Reading(
                self.path,
                self._window,
                strict=self._strict,
                copy_streams=self._copy_streams,
                note=lambda note: None,  # said already
                may_skip=may_skip,
            )

        try:
            return open_part(may_skip=True)
        except LostPlaceError:
            return open_part(may_skip=False)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame once, with strictly increasing `pts`.

        Raises:
            SourceError: reading fails, or (strict) the file is damaged or cut off.
        """
        unit, index = self.info.time_base, self._index
        pictures = self._rest()
        picture = next(pictures, None)
        while picture is not None:
            image, pts, stated = self._image_of(picture), picture.pts or 0, picture.duration
            del picture  # or it lives until the next one is decoded
            failure: SourceError | None = None
            try:
                picture = next(pictures, None)
            except SourceError as error:  # raised after the frame before it, which is whole
                picture, failure = None, error
            if picture is not None:
                duration = (picture.pts or 0) - pts
            else:
                duration = self._last_duration(pts, stated)
            yield Frame(image, pts, unit, index, duration)
            del image
            if failure is not None:
                raise failure
            index += 1

    def _last_duration(self, pts: int, stated: int) -> int:
        """Say how long the last frame is shown.

        What MP4 states for it belongs to another picture where they are reordered; but it is not
        shown any longer than the video or the part lasts.
        """
        reading, unit, rate = self._reading, self.info.time_base, self.info.rate
        step = max(1, round(1 / (rate * unit))) if rate else 1
        duration = stated or step
        if reading.end_s is not None and self._steps.chain is None:
            left = round(reading.end_s / unit) - pts
            duration = min(duration, left if left > 0 else step)
        if reading.length_s is not None:
            left = max(1, round(reading.length_s / unit) - pts)
            duration = left if reading.is_followed else min(duration, left)
        return duration

    def _image_of(self, picture: av.VideoFrame) -> Any:
        if self._take is not None:
            return self._take(planes_of(picture))
        image = self._to_rgb(picture, self._coded_color)
        return image if self._tone_mapper is None else self._tone_mapper(image)

    def _rest(self) -> Iterator[av.VideoFrame]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        del first
        yield from self._pictures

    def _begin(self, after: int | None = None, form: PictureForm | None = None) -> None:
        """Open the file and make its first picture; read all of it where skipping fails."""
        for may_skip in (True, False):
            try:
                self._reading = Reading(
                    self.path,
                    self._window,
                    strict=self._strict,
                    copy_streams=self._copy_streams,
                    note=self._note,
                    after_s=None if after is None else after * self.info.time_base,
                    may_skip=may_skip,
                    form=form,
                    hardware=self.hardware,
                )
                try:
                    self._pictures = self._steps.run(self._reading, after)
                    self._first = next(self._pictures, None)
                except BaseException:
                    self._reading.close()
                    raise
            except LostPlaceError:
                continue
            break
        self.side = self._reading.side

    def _describe(self) -> None:
        """Fill in what is known before the first frame is yielded."""
        reading, first, chain = self._reading, self._first, self._steps.chain
        head, video = reading.head, reading.video
        if first is None:
            raise SourceError(f"{self.path}: {self._why_empty()}")
        self.shift_s = reading.shift_s
        self.display_matrix = head.display_matrix
        self.hdr = head.hdr
        self.coding = coding_of(video)
        self.disposition = video.disposition
        self.metadata = (
            self._in_part(reading.container.metadata),
            self._in_part(video.metadata),
        )
        self.chapters = cut_chapters(
            reading.container.chapters(), reading.shift_s, reading.length_s
        )
        self.pixel_format = first.format
        self.sample_aspect_ratio = (
            chain.sample_aspect_ratio if chain is not None else reading.sample_aspect_ratio
        )
        self._coded_color = color_of(first)
        is_mapped = is_hdr(self._coded_color) and not self._keeps_hdr
        self._tone_mapper = ToneMapper(self._coded_color, self.hdr) if is_mapped else None
        is_wide = is_mapped or is_deep(first.format)
        self._to_rgb = RgbConverter(deep=is_wide)
        rate = chain.rate if chain is not None else reading.rate
        self.info = StreamInfo(
            width=first.width,
            height=first.height,
            rate=rate,
            time_base=self._steps.unit_of(reading),
            color=sdr_of(self._coded_color) if is_mapped else self._coded_color,
            rotation=head.rotation,
            frame_count=self._count(rate),
            bits=_bits_of(first.format, is_mapped),
        )
        for note in head.notes:
            self._note(note)
        if self._tone_mapper is not None:
            self._note(self._tone_mapper.note)
        for name in reading.side.dropped:
            self._note(f"{name} is not copied")

    def _in_part(self, metadata: dict[str, str]) -> dict[str, str]:
        """Copy tags; a time code becomes that of the first moment of the part."""
        reading = self._reading
        if not reading.is_cut or reading.rate is None:
            return dict(metadata)
        frames = round(reading.cut_s * reading.rate)
        return {
            key: advance(value, frames, reading.rate) if key.lower() == "timecode" else value
            for key, value in metadata.items()
        }

    def _count(self, rate: Fraction | None) -> int | None:
        """Estimate the number of frames that will be yielded."""
        reading, duration_s = self._reading, self._reading.duration_s
        is_whole = not reading.is_cut and reading.length_s is None and rate == reading.rate
        if is_whole and reading.video.frames:
            return reading.video.frames
        if duration_s is None or rate is None:
            return None
        start_s = float(self._window.start_s or 0)
        left_s = duration_s - start_s
        if reading.length_s is not None:
            left_s = min(left_s, float(reading.length_s))
        return max(1, round(left_s * rate))

    def _why_empty(self) -> str:
        start_s, duration_s = self._window.start_s, self._reading.duration_s
        if start_s is None or (duration_s is not None and start_s < duration_s):
            return "there is no picture in the part that is asked for"
        ends = f"; it lasts {duration_s:.3f} s" if duration_s is not None else ""
        return f"--start {float(start_s):g} is behind the end of the video{ends}"


def _bits_of(format_: av.VideoFormat, is_mapped: bool) -> int:
    """Say how many bits a channel has; tone mapping needs more than 8 to show no steps."""
    bits = min(16, max(component.bits for component in format_.components))
    return max(10, bits) if is_mapped else bits


def _add_new(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)
