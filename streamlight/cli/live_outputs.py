"""The sinks of a live run: recordings, streams, a virtual camera, a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamlight.cli.live_settings import LiveSettings
from streamlight.frame import StreamInfo
from streamlight.pipeline import Branch
from streamlight.sinks.preview import PreviewSink
from streamlight.sinks.recording import RecordingSink
from streamlight.sinks.side_copies import Side, SideTee
from streamlight.sinks.stream import StreamSink
from streamlight.sinks.stream_target import is_stream_target
from streamlight.sinks.virtual_camera import VirtualCameraSink
from streamlight.sources.reconnect import LiveState

RECORDING_CAPACITY = 16
"""Frames that may wait for a recording, so that it rides out a busy disk."""


def has_display() -> bool:
    """Whether a window can be expected to open here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class LiveOutputs:
    """Opens the sinks that were asked for, and aborts those that no run took over.

    Attributes:
        branches: for a `FanOutSink`.
        preview: the window; None without.
    """

    def __init__(self, settings: LiveSettings) -> None:
        """Prepare; nothing is opened yet."""
        self.branches: list[Branch] = []
        self.preview: PreviewSink | None = None
        self._settings = settings
        self._recordings: list[RecordingSink] = []
        self._streams: list[StreamSink] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Return the outputs themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abort every sink; does nothing to those that are finished."""
        self._open.close()

    @property
    def files(self) -> list[Path]:
        """The recordings begun so far."""
        return [path for sink in self._recordings for path in sink.files]

    @property
    def notes(self) -> list[str]:
        """What the user should know, such as sound that cannot be sent."""
        sinks: list[RecordingSink | StreamSink] = [*self._recordings, *self._streams]
        return [note for sink in sinks for note in sink.notes]

    def stream_figures(self) -> dict[str, dict[str, Any]]:
        """Return what each stream has sent, by the name of its branch."""
        return {
            f"stream {sink.target.name}": {
                "frames_sent": sink.frames_sent,
                "drops": sink.drops,
                "reconnects": sink.reconnects,
            }
            for sink in self._streams
        }

    def open(
        self, info: StreamInfo, side: Side | None, on_state: Callable[[str, LiveState], None]
    ) -> None:
        """Open all but the window, which has to be drawn from then on.

        Args:
            info: of the source.
            side: its sound.
            on_state: told the name of a stream and its new state, in the stream's thread.

        Raises:
            SinkError: an output cannot be written.
        """
        tee = SideTee(side) if side is not None else None
        for output in self._settings.outputs:
            branch = tee.branch() if tee is not None else None
            if is_stream_target(output):
                self._open_stream(output, info, branch, on_state)
            else:
                self._open_recording(output, info, branch)
        if self._settings.has_virtual_camera:
            camera = self._open.enter_context(VirtualCameraSink(info))
            self.branches.append(Branch("virtual camera", camera))

    def open_preview(
        self,
        info: StreamInfo,
        title: str,
        on_strength: Callable[[float], None],
        on_stop: Callable[[], None],
    ) -> None:
        """Open the window if one was asked for; in the main thread.

        Raises:
            SinkError: pygame-ce is not installed, or there is no display.
        """
        if self._settings.has_preview:
            self.preview = self._open.enter_context(
                PreviewSink(
                    info,
                    title=title,
                    strength=self._settings.look.strength,
                    is_split=self._settings.look.compare == "none",
                    on_strength=on_strength,
                    on_stop=on_stop,
                )
            )
            self.branches.append(Branch("preview", self.preview))

    def _open_recording(self, output: str, info: StreamInfo, side: Side | None) -> None:
        settings = self._settings
        sink = self._open.enter_context(
            RecordingSink(
                output,
                info,
                side,
                segment_s=settings.segment_s,
                encoding=settings.encoding,
                overwrite=settings.overwrite,
            )
        )
        self._recordings.append(sink)
        self.branches.append(Branch(f"recording {output}", sink, capacity=RECORDING_CAPACITY))

    def _open_stream(
        self,
        output: str,
        info: StreamInfo,
        side: Side | None,
        on_state: Callable[[str, LiveState], None],
    ) -> None:
        sink = StreamSink(
            output,
            info,
            side,
            encoding=self._settings.encoding,
            on_state=lambda state: on_state(sink.target.name, state),
        )
        self._open.enter_context(sink)
        self._streams.append(sink)
        self.branches.append(Branch(f"stream {sink.target.name}", sink))
