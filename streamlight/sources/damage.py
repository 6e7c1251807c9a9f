"""What is broken in a file: counted and told, or (strict) refused."""

from __future__ import annotations

from pathlib import Path

import av
import av.container
import av.error
from av.video.stream import VideoStream

from streamlight.errors import SourceError

_MISSING_S = 1.0
"""Less than this at the end is not taken for a cut: streams seldom end together."""

_STATES_DURATION = {"matroska", "webm", "avi", "flv"}
"""Formats whose header says how long they are, so that a cut can be seen."""


class Damage:
    """Counts what could not be read or decoded.

    Attributes:
        packets: of the video, that could not be decoded and were skipped.
        pictures: that the decoder repaired, so that parts of them are made up.
        holes: packets of the video that a transport stream marks as damaged or incomplete.
        side_packets: of the other streams, that the file itself marks as damaged.
        packets_read: of the video.
        reached_s: end of the last packet of any stream, on the file's own clock.
        has_sought: whether packets were left out by seeking.
        has_late_streams: whether streams began in the middle of the file, which PyAV cannot read.
        is_cut_off: whether the file ends before its end; known when it was read.
    """

    def __init__(self, path: Path, *, strict: bool) -> None:
        """Start with nothing broken.

        Args:
            path: of the file, for messages.
            strict: raise at the first damage.
        """
        self.packets = 0
        self.pictures = 0
        self.holes = 0
        self.side_packets = 0
        self.packets_read = 0
        self.reached_s = 0.0
        self.has_sought = False
        self.has_late_streams = False
        self.is_cut_off = False
        self._path = path
        self._strict = strict

    def skip_packet(self, error: av.error.FFmpegError | None = None) -> None:
        """Count a packet that could not be read or decoded.

        Raises:
            SourceError: strict.
        """
        self._refuse(error)
        self.packets += 1

    def take_repaired(self) -> None:
        """Count a picture that the decoder repaired.

        Raises:
            SourceError: strict.
        """
        self._refuse(None)
        self.pictures += 1

    def take_hole(self) -> None:
        """Count a packet of the video that the file itself marks as damaged; it is decoded.

        Raises:
            SourceError: strict.
        """
        self._refuse(None)
        self.holes += 1

    def take_side_packet(self, kind: str) -> None:
        """Count a damaged packet beside the picture; it is copied as it is.

        Raises:
            SourceError: strict.
        """
        if self._strict:
            raise SourceError(
                f"{self._path}: the {kind} is damaged near packet {self.packets_read} of the video"
            )
        self.side_packets += 1

    def check_complete(
        self, container: av.container.InputContainer, video: VideoStream
    ) -> str | None:
        """Say where the file is cut off, when it was read to its end; None if it is whole.

        Raises:
            SourceError: strict, and it is cut off.
        """
        cut = self._cut(container, video)
        self.is_cut_off = cut is not None
        if cut and self._strict:
            raise SourceError(f"{self._path}: {cut}")
        return cut

    def notes(self, joints: int = 0) -> list[str]:
        """Say what the user should know beside the number of packets, one sentence each.

        Args:
            joints: places where recordings were joined; streams mark them as damaged, too.
        """
        notes = []
        if self.pictures:
            were = "picture was" if self.pictures == 1 else "pictures were"
            notes.append(f"{self.pictures} damaged {were} repaired by the decoder")
        if self.holes > joints:
            are = "place" if self.holes - joints == 1 else "places"
            notes.append(f"parts of the video are missing at {self.holes - joints} {are}")
        if self.side_packets:
            were = "packet" if self.side_packets == 1 else "packets"
            notes.append(f"{self.side_packets} damaged {were} of the sound copied as found")
        return notes

    def _refuse(self, error: av.error.FFmpegError | None) -> None:
        if self._strict:
            why = f" ({error.strerror})" if error is not None else ""
            raise SourceError(
                f"{self._path}: the video is damaged near its packet {self.packets_read}{why}"
            ) from error

    def _cut(self, container: av.container.InputContainer, video: VideoStream) -> str | None:
        """Compare what the container declares with what could be read."""
        formats = set(container.format.name.split(","))
        if "mp4" in formats:
            # not `frames`: an edit list (a clip trimmed on a phone) leaves some of them out
            declared = len(video.index_entries)
            there = declared if self.has_sought else self.packets_read
            if self.has_sought:
                size = container.size
                there = sum(entry.pos + entry.size <= size for entry in video.index_entries)
            if there < declared:
                return f"the file is cut off after {there} of {declared} frames"
        elif formats & _STATES_DURATION and container.duration:
            missing_s = container.duration / av.time_base - self.reached_s
            if missing_s > _MISSING_S:
                where = f"{self.packets_read} frames"
                if self.has_sought:
                    where = f"{self.reached_s:.1f} s"
                return f"the file is cut off after {where}; {missing_s:.1f} s are missing"
        return None
