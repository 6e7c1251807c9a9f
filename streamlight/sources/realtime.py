"""A file played at its own pace, as if it were live: for tests and demonstrations."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from streamlight.frame import Frame, StreamInfo
from streamlight.sources.file import FileSource
from streamlight.sources.side_streams import SideStreams


class Recording(Protocol):
    """What can be played: a source with an end, such as a `FileSource`."""

    @property
    def info(self) -> StreamInfo:
        """What is known of the stream before its first frame."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class RealtimeSource:
    """Yields the frames of a recording when they are due, and marks them as live.

        with RealtimeSource(FileSource("night.mp4")) as source:
            ...

    A taker that is late gets the next frame at once; frames are never left out here, that is the
    business of who takes them. The recording belongs to this source, which closes it.

    Attributes:
        name: for people.
        side: its sound; None without.
        frames_overtaken: 0; in the form of `LiveSource`.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        name: str = "recording",
        side: SideStreams | None = None,
        reopen: Callable[[], Recording] | None = None,
    ) -> None:
        """Play a recording.

        Args:
            recording: to play.
            name: for people.
            side: its sound, where somebody takes that.
            reopen: to loop, opens it anew after each end; the time goes on. None to end with it.
        """
        self.name = name
        self.side = side
        self.frames_overtaken = 0
        self._recording = recording
        self._reopen = reopen
        self._stop = threading.Event()

    @property
    def info(self) -> StreamInfo:
        """What the recording is, as live."""
        return replace(self._recording.info, is_live=True, frame_count=None)

    @property
    def recording(self) -> Recording:
        """What is being played; another one after each loop."""
        return self._recording

    def connect(self) -> StreamInfo:
        """Return `info`: a recording is open from the start."""
        return self.info

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the recording."""
        self.close()

    def close(self) -> None:
        """Close the recording; frames already yielded stay valid."""
        self.interrupt()
        self._recording.close()

    def interrupt(self) -> None:
        """End the iteration at once; any thread may call it, at any time."""
        self._stop.set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame when it is due; `captured_at` is the time at which it was due.

        The first one is due at once. What a late taker missed is not made up for by speed: the
        frames keep the distance that they have in the recording.

        Raises:
            SourceError: the recording is damaged.
        """
        index, shift, start, segment = 0, 0, 0.0, 0
        while True:
            end = None
            for frame in self._recording:
                played = replace(frame, pts=frame.pts + shift, index=index, segment=segment)
                now = time.monotonic()
                due = start + played.time_s if index else now
                if now > due:
                    due = now
                start = due - played.time_s
                if self._stop.wait(max(0.0, due - now)):
                    return
                index += 1
                end = played.pts + max(played.duration, 1)
                del frame
                yield replace(played, captured_at=due)
                del played
            if self._reopen is None or end is None or self._stop.is_set():
                return
            self._recording.close()
            self._recording = self._reopen()
            shift = end
            segment += 1


def play_file(
    path: str | Path,
    *,
    loop: bool = False,
    with_sound: bool = False,
    start_s: float | None = None,
    duration_s: float | None = None,
) -> RealtimeSource:
    """Open a video file as if it were a camera.

    Args:
        path: of the file.
        loop: begin anew at its end, for ever; without sound.
        with_sound: read the sound, which somebody has to take then: see `FileSource`.
        start_s: leave out what is shown before.
        duration_s: end after so many seconds of it.

    Raises:
        SourceError: the file is missing, unreadable, or not a video.
    """

    def open_file() -> FileSource:
        return FileSource(
            path,
            start_s=start_s,
            duration_s=duration_s,
            copy_streams=with_sound and not loop,
        )

    file = open_file()
    side = file.side if with_sound and not loop else None
    return RealtimeSource(file, name=str(path), side=side, reopen=open_file if loop else None)
