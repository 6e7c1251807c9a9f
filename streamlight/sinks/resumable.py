"""Frames to a video file, in steps that survive a kill or a power cut."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamlight.errors import SinkError, StreamlightError
from streamlight.frame import Frame
from streamlight.sinks.containers import Container
from streamlight.sinks.decoding_times import decoding_times
from streamlight.sinks.file import FileSink
from streamlight.sinks.journal import Journal, Segment
from streamlight.sinks.memoryless import check_memoryless
from streamlight.sinks.options import EncoderOptions
from streamlight.sinks.output_file import OutputFile
from streamlight.sinks.partial import PartialFile
from streamlight.sources.file import FileSource

SEGMENT_S = 10.0
"""Video in a segment. x264 makes a key frame every 10 s of 25 fps anyway."""

_PATIENCE_S = 60.0
"""Work in a segment, where pictures take long ..."""

_SHORTEST_S = 1.0
"""... but at least so much video: each segment costs a key frame."""

_ABORT_S = 2.0
"""How long `abort` waits for a `write`, which may be blocked for ever."""


class _SegmentFile(OutputFile):
    """The place of an encoder: it has the container's ways, but its packets go to the journal."""

    def __init__(self, journal: Journal, container: Container) -> None:
        super().__init__(Path(os.devnull), container, target=journal.target)
        self._journal = journal

    def mux(self, packets: Iterable[av.Packet[Any]]) -> None:
        self._journal.add(packets)


@dataclass(slots=True)
class _OpenSegment:
    file: _SegmentFile
    first_pts: int
    started_s: float
    last_pts: int = 0
    last_index: int = 0
    last_s: float = 0.0


class ResumableSink(FileSink):
    """A `FileSink` that a later run can go on with.

    The pictures are encoded in segments, each by an encoder of its own, and kept in a journal.
    `finish` joins them without encoding anything again, and copies what travels beside the
    picture from the source, which is read once more for that. Leaving the `with` block earlier
    keeps what was written so far.
    """

    def __init__(
        self,
        journal: Journal,
        source: FileSource,
        options: EncoderOptions | None = None,
        *,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
        post_filter: str | None = None,
        segment_s: float = SEGMENT_S,
    ) -> None:
        """Go on with a job, or begin it.

        Args:
            journal: of the job; it stays the caller's to close, after this.
            source: the rest of the input, from the journal's `after_pts` on.
            options: of the encoder.
            size: width and height of the frames to come, when not the source's.
            overwrite: replace an existing file.
            post_filter: a chain of libavfilter between the network and the encoder; only of
                filters that take each picture by itself.
            segment_s: seconds of video in a segment. What is not in a closed segment is lost when
                the process is killed.

        Raises:
            SinkError: the output cannot be written there, or cannot hold the sound.
            UsageError: the encoder's options, the container and the picture do not fit together,
                or the encoder is another than that of the kept work.
        """
        if post_filter:
            check_memoryless(post_filter)
        self._journal = journal
        self._input = source
        self._overwrite = overwrite
        self._segment_s = segment_s
        self._asked = {"encoder": options or EncoderOptions(), "--post-filter": post_filter}
        self._lock = threading.Lock()
        self._segment: _OpenSegment | None = None
        super().__init__(
            journal.target,
            source,
            options,
            size=size,
            overwrite=overwrite,
            post_filter=post_filter,
        )
        # Whatever can be refused has been. The file is made anew when all segments are there.
        self._container = self._output.container
        self._discard()
        self._check_encoder()
        if self._video.clock is not None and journal.segments:
            start = journal.segments[0].first_pts * source.info.time_base
            self._video.clock.go_on(start, max(pts for _, pts, _ in journal.times()))

    @property
    def kept_s(self) -> float | None:
        """Time of the last frame that is kept, whatever happens now; None when there is none."""
        done = self._journal.segments
        return done[-1].end_s if done else None

    def write(self, frame: Frame) -> None:
        """Encode a frame, and close the segment when it is long enough.

        Raises:
            SinkError: the disk is full, or the encoder refuses the frame.
        """
        with self._lock, self._guarded():
            for _ in self._input.side.take():  # `finish` reads them again
                pass
            segment = self._segment or self._begin_segment(frame)
            self._video.write(frame)
            segment.last_pts, segment.last_index = frame.pts, frame.index
            segment.last_s = frame.time_s
            self.frames_written += 1
            length_s = float((frame.pts + frame.duration - segment.first_pts) * frame.time_base)
            has_lasted = time.monotonic() - segment.started_s >= _PATIENCE_S
            if length_s >= self._segment_s or (has_lasted and length_s >= _SHORTEST_S):
                self._close_segment(segment)

    def finish(self) -> None:
        """Close the last segment, join all, and give the file its name.

        Raises:
            SinkError: the disk is full; what is done is kept.
            SourceError: the input cannot be read again.
        """
        with self._lock, self._guarded():
            if self._segment is not None:
                self._close_segment(self._segment)
            partial = self._reserve(self._overwrite)
            with closing(self._input.reread()) as reading:
                self._open(self._container, partial, reading.side)
                try:
                    self._check_encoder()
                    self._join(reading.skim())
                    self._output.close()
                    _write_through(partial.path)
                    partial.commit()
                except BaseException:
                    self._discard()
                    raise
                finally:
                    self._side = self._input.side  # the other one's streams end with `reading`
            self._finished = True
            _write_through(partial.file.parent)
            self._journal.remove()

    def abort(self) -> None:
        """Keep what was written so far; does nothing after `finish`."""
        if self._finished or not self._lock.acquire(timeout=_ABORT_S):
            return
        try:
            self._finished = True
            if self._segment is not None:
                with suppress(StreamlightError):
                    self._close_segment(self._segment)
        finally:
            self._lock.release()

    def _reserve(self, overwrite: bool) -> PartialFile:
        """Write in the journal's folder, so that what a kill leaves goes with it."""
        path = self._journal.folder / f"joined{self.target.suffix}"
        return PartialFile(self.target, overwrite=overwrite, path=path)

    def _discard(self) -> None:
        self._output.close_quietly()
        self._partial.discard()

    def _check_encoder(self) -> None:
        """Make sure that the segments are encoded alike, and one header fits them all."""
        context = self._video.stream.codec_context
        self._journal.agree(
            "encoder",
            {
                **self._asked,
                "the encoder": self.encoder,
                "the pixel format": self.pixel_format,
                "the size": self.size,
                "the unit of time": context.time_base,
                "the encoder's header": hashlib.sha256(context.extradata or b"").hexdigest(),
            },
        )

    def _begin_segment(self, frame: Frame) -> _OpenSegment:
        file = _SegmentFile(self._journal, self._container)
        self._video.add_to(file)
        self._segment = _OpenSegment(file, frame.pts, time.monotonic())
        return self._segment

    def _close_segment(self, segment: _OpenSegment) -> None:
        self._segment = None
        self._video.flush()
        segment.file.close_quietly()
        self._journal.close_segment(
            Segment(segment.first_pts, segment.last_pts, segment.last_index, segment.last_s)
        )

    def _join(self, reached: Iterator[Fraction]) -> None:
        """Write the packets of the picture, and those beside it as the source is read past them."""
        packets = self._packets()
        waiting = next(packets, None)
        for reached_s in reached:
            while waiting is not None and waiting[0] <= reached_s:
                self._output.mux([waiting[1]])
                waiting = next(packets, None)
            self._write_side_packets()
        while waiting is not None:
            self._output.mux([waiting[1]])
            waiting = next(packets, None)
        self._write_side_packets()

    def _packets(self) -> Iterator[tuple[Fraction, av.Packet[Any]]]:
        """Yield what is kept, each with the second that it is decoded at."""
        stream = self._video.stream
        unit = Fraction(stream.codec_context.time_base)
        times = decoding_times(self._journal.times())
        for stored, dts in zip(self._journal.packets(), times, strict=True):
            packet: av.Packet[Any] = av.Packet(stored.data)
            packet.stream, packet.time_base = stream, unit
            packet.pts, packet.dts, packet.duration = stored.pts, dts, stored.duration
            packet.is_keyframe = bool(stored.is_keyframe)
            yield dts * unit, packet

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Forget a segment in which something failed; say what is kept."""
        try:
            yield
        except BaseException as error:
            self._segment = None
            self._journal.drop_segment()
            if isinstance(error, SinkError) and self.kept_s is not None:
                raise SinkError(
                    f"{error}. What was done until {_clock_time(self.kept_s)} is kept: the same "
                    "command with --resume goes on from there"
                ) from error
            raise


def _write_through(path: Path) -> None:
    """Wait until a file or folder would survive a power cut, where the system can tell."""
    with suppress(OSError):  # Windows cannot open folders
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _clock_time(time_s: float) -> str:
    minutes, seconds = divmod(time_s, 60)
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{seconds:06.3f}"
