"""Recording while watching: a file that can be played however the program ends."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame, StreamInfo
from streamlight.sinks.live_encoder import LiveEncoder, LiveEncoding, size_of
from streamlight.sinks.side_copies import MOST_WAITING, MPEGTS_SOUND, Side, SideCopies, time_s

_FRAGMENTS = {
    "movflags": "+frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "1000000",
}
"""A complete piece at least every second, each playable without what follows."""

_FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    ".mkv": ("matroska", {"cluster_time_limit": "1000"}),
    ".mp4": ("mp4", _FRAGMENTS),
    ".m4v": ("mp4", _FRAGMENTS),
    ".mov": ("mov", _FRAGMENTS),
    ".ts": ("mpegts", {}),
}
"""Muxer and options by extension: all write pieces that stand for themselves."""

_STAMP = "_%Y%m%d-%H%M%S"
_CLOSE_WAIT_S = 2.0


def check_target(target: Path) -> None:
    """Check that a recording can have this name.

    Raises:
        SinkError: there is no such kind of recording, or no folder that can be written to.
    """
    suffix, folder = target.suffix.lower(), target.parent
    if suffix not in _FORMATS:
        raise SinkError(
            f"{target}: a recording cannot be {suffix or 'without extension'}; "
            f"choose one of {', '.join(_FORMATS)}"
        )
    if not folder.is_dir():
        raise SinkError(f"{target}: no such folder; create it with mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise SinkError(f"{target}: the folder {folder} cannot be written to")
    name = datetime.now().strftime(target.name)
    if Path(name).name != name:
        raise SinkError(
            f"{target}: its name would be {name}, with a folder in it; choose other % codes"
        )


class RecordingSink:
    """Encodes H.264 into files that grow in playable pieces of a second or two.

    Unlike a `FileSink`, whose file appears when all is done, what is recorded stays: a killed
    process loses the last pieces, and `abort` completes the file. A picture of another size begins
    another file.

    Attributes:
        files: those begun so far, in order; without those of which nothing came onto a full disk.
        frames_written: how many frames `write` took.
        notes: what the user should know, such as sound that a file cannot hold.
    """

    def __init__(
        self,
        target: str | Path,
        info: StreamInfo,
        side: Side | None = None,
        *,
        segment_s: float | None = None,
        encoding: LiveEncoding | None = None,
        overwrite: bool = False,
        continues: bool = False,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Check where to record; the first file is begun with the first frame.

        Args:
            target: .mkv, .mp4, .m4v, .mov or .ts. A `%` in the name is for `strftime`; with
                `segment_s` and without one, `_%Y%m%d-%H%M%S` is put before the extension.
            info: gives rate and colour.
            side: gives the sound to copy.
            segment_s: begin another file after so many seconds.
            encoding: quality and speed.
            overwrite: replace existing files.
            continues: go on with what an earlier sink has recorded: beside it, never over it.
            now: the time for the names.

        Raises:
            SinkError: the output cannot be written there.
            UsageError: `segment_s` is not positive.
        """
        self._target = Path(target)
        check_target(self._target)
        if segment_s is not None and not (isfinite(segment_s) and segment_s > 0):
            raise UsageError(f"--segment {segment_s:g}: must be more than 0 s")
        self._muxer, self._muxer_options = _FORMATS[self._target.suffix.lower()]
        self._info, self._side = info, side
        self._segment_s = segment_s
        self._encoding = encoding or LiveEncoding()
        self._overwrite = overwrite and not continues
        self._continues = continues
        self._now = now
        self._sound: deque[av.Packet[Any]] = deque(maxlen=MOST_WAITING)
        self._segment: _Segment | None = None
        self._lock = threading.Lock()
        self._is_over = False
        self.files: list[Path] = []
        self.notes: list[str] = []
        self.frames_written = 0
        self._check_target()

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete what was recorded."""
        self.abort()

    def write(self, frame: Frame) -> None:
        """Encode a frame, and copy the sound up to it.

        Raises:
            SinkError: the disk is full, or a file cannot be written.
        """
        with self._lock:
            if self._is_over:
                raise SinkError(f"{self._target}: the recording is over")
            if self._side is not None:
                self._sound.extend(self._side.take())
            segment = self._segment
            if segment is not None and self._is_cut(segment, frame):
                with self._writing(segment.path):
                    segment.copy_sound(self._sound, frame.time_s)
                self._close(segment)
                segment = None
            if segment is None:
                segment = self._begin(size_of(frame.image))
            with self._writing(segment.path):
                segment.write(frame)
                segment.copy_sound(self._sound, frame.time_s)
            self.frames_written += 1

    def finish(self) -> None:
        """Complete the file.

        Raises:
            SinkError: the disk is full.
        """
        with self._lock:
            self._is_over = True
            if self._segment is not None:
                if self._side is not None:
                    self._sound.extend(self._side.take())
                with self._writing(self._segment.path):
                    self._segment.copy_sound(self._sound, float("inf"))
                self._close(self._segment)

    def abort(self) -> None:
        """Complete the file as far as that is possible; does nothing after `finish`."""
        # A write that never returns holds the lock; what it wrote before is playable.
        if not self._lock.acquire(timeout=_CLOSE_WAIT_S):
            return
        try:
            self._is_over = True
            if self._segment is not None:
                self._close(self._segment)
        except SinkError:
            pass  # what was written before can be played
        finally:
            self._lock.release()

    def _check_target(self) -> None:
        may_exist = self._is_stamped or self._overwrite or self._continues
        if not may_exist and self._target.exists():
            raise SinkError(f"{self._target}: exists already; give another name, or --overwrite")

    @property
    def _is_stamped(self) -> bool:
        return self._segment_s is not None or "%" in self._target.name

    def _is_cut(self, segment: _Segment, frame: Frame) -> bool:
        if segment.encoder.size != size_of(frame.image):
            return True
        start_s = segment.encoder.start_s
        if self._segment_s is None or start_s is None:
            return False
        return frame.time_s - start_s >= self._segment_s

    def _begin(self, size: tuple[int, int]) -> _Segment:
        path = self._next_path()
        with self._writing(path):
            container = av.open(
                os.path.abspath(path),  # a name with a colon would be one of a protocol
                "w",
                format=self._muxer,
                container_options={
                    **self._muxer_options,
                    "flush_packets": "1",
                    "max_interleave_delta": "1000000",
                },
            )
            segment = _Segment(path, container, self._info, size, self._encoding, self._side)
        if not self.files:
            names = ", ".join(segment.copies.left_out)
            if names:
                self.notes.append(f"{path.name} cannot hold {names}; it is left out")
        self.files.append(path)
        self._segment = segment
        return segment

    def _close(self, segment: _Segment) -> None:
        self._segment = None
        with self._writing(segment.path):
            segment.close()

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """Turn libav's errors into one that names the file and the remedy; leave no empty file."""
        try:
            yield
        except av.error.FFmpegError as error:
            with suppress(OSError):  # the error above is the one to report
                if path.is_file() and not path.stat().st_size:
                    path.unlink()
                    self.files = [file for file in self.files if file != path]
            if error.errno == errno.ENOSPC:
                kept = "what was recorded so far can be played" if self.files else "nothing is kept"
                raise SinkError(f"{path}: the disk is full; {kept}") from error
            raise SinkError(f"{path}: writing failed ({error.strerror})") from error

    def _next_path(self) -> Path:
        name = self._target.name
        if self._is_stamped:
            if "%" not in name:
                name = f"{self._target.stem}{_STAMP}{self._target.suffix}"
            name = self._now().strftime(name)
        path = self._target.with_name(name)
        is_free = path not in self.files and (self._overwrite or not path.exists())
        number = 2
        while not is_free:
            candidate = path.with_name(f"{Path(name).stem}_{number}{path.suffix}")
            is_free = candidate not in self.files and not candidate.exists()
            number += 1
            if is_free:
                path = candidate
        return path


class _Segment:
    """One file of a recording.

    Attributes:
        path: where it is.
        encoder: of its pictures.
        copies: of its sound.
    """

    def __init__(
        self,
        path: Path,
        container: av.container.OutputContainer,
        info: StreamInfo,
        size: tuple[int, int],
        encoding: LiveEncoding,
        side: Side | None,
    ) -> None:
        self.path = path
        self._container = container
        try:
            self.encoder = LiveEncoder(container, info, size, encoding)
            if info.rotation:
                self.encoder.stream.set_display_rotation(info.rotation)
            codecs = MPEGTS_SOUND if container.format.name == "mpegts" else None
            self.copies = SideCopies(container, side, codecs)
            container.start_encoding()
        except BaseException:
            self._close_container()
            raise

    def write(self, frame: Frame) -> None:
        self._container.mux(self.encoder.encode(frame))

    def copy_sound(self, sound: deque[av.Packet[Any]], until_s: float) -> None:
        """Write the sound up to a time; what is later may belong to the next file."""
        start_s = self.encoder.start_s
        while sound and start_s is not None:
            heard_s = time_s(sound[0])
            if heard_s is not None and heard_s >= until_s:
                return
            packet = self.copies.placed(sound.popleft(), start_s)
            if packet is not None:
                self._container.mux(packet)

    def close(self) -> None:
        try:
            self._container.mux(self.encoder.flush())
        finally:
            self._container.close()

    def _close_container(self) -> None:
        # Whatever it says: the first error is the one to report.
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()
