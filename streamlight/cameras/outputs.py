"""The sinks of live pictures: recordings, streams, a virtual camera, and what is added to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamlight.errors import UsageError
from streamlight.frame import StreamInfo
from streamlight.pipeline import Branch
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sinks.recording import RecordingSink, check_target
from streamlight.sinks.side_copies import Side, SideTee
from streamlight.sinks.stream import StreamSink
from streamlight.sinks.stream_target import StreamTarget, is_stream_target
from streamlight.sinks.virtual_camera import VirtualCameraSink
from streamlight.sources.reconnect import LiveState
from streamlight.urls import mask_url

RECORDING_CAPACITY = 16
"""Frames that may wait for a recording, so that it rides out a busy disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """Where live pictures go.

    Attributes:
        targets: files to record to, and URLs or HLS playlists to stream to.
        has_virtual_camera: whether to be a camera for other programs.
        segment_s: length of the parts of recordings; None for one file.
        overwrite: replace existing recordings.
        encoding: of recordings and streams.
    """

    targets: tuple[str, ...] = ()
    has_virtual_camera: bool = False
    segment_s: float | None = None
    overwrite: bool = False
    encoding: LiveEncoding = field(default_factory=LiveEncoding)

    def __post_init__(self) -> None:
        """Check what contradicts itself.

        Raises:
            UsageError: it does.
        """
        places = [place_of(target) for target in self.targets]
        for target, place in zip(self.targets, places, strict=True):
            if places.count(place) > 1:
                raise UsageError(f"-o {mask_url(target)}: is given twice")


def place_of(target: str) -> str:
    """Return what is the same for all ways to write one output."""
    return target if "://" in target else str(Path(target).resolve())


def check_outputs(spec: OutputSpec) -> None:
    """Find what cannot be written before any picture comes.

    Raises:
        SinkError: a file has no such extension or no such folder, or nothing can be sent to a URL.
    """
    for target in spec.targets:
        if is_stream_target(target):
            StreamTarget.parse(target)
        else:
            check_target(Path(target))


class LiveOutputs:
    """Opens the sinks that were asked for, and aborts those that no run took over.

    Attributes:
        branches: for a `FanOutSink`.
    """

    def __init__(self, spec: OutputSpec, *, continues: bool = False) -> None:
        """Prepare; nothing is opened yet.

        Args:
            spec: what to open.
            continues: whether an earlier run has recorded there: see `RecordingSink`.
        """
        self.branches: list[Branch] = []
        self._spec = spec
        self._continues = continues
        self._recordings: list[RecordingSink] = []
        self._streams: dict[str, StreamSink] = {}
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
        sinks: list[RecordingSink | StreamSink] = [*self._recordings, *self._streams.values()]
        return [note for sink in sinks for note in sink.notes]

    def stream_figures(self) -> dict[str, dict[str, Any]]:
        """Return what each stream has sent, by the name of its branch."""
        return {
            f"stream {name}": {
                "frames_sent": sink.frames_sent,
                "drops": sink.drops,
                "reconnects": sink.reconnects,
            }
            for name, sink in self._streams.items()
        }

    def open(
        self, info: StreamInfo, side: Side | None, on_state: Callable[[str, LiveState], None]
    ) -> None:
        """Open all that the specification names.

        Args:
            info: of the source.
            side: its sound.
            on_state: told the name of a stream and its new state, in the stream's thread.

        Raises:
            SinkError: an output cannot be written.
        """
        tee = SideTee(side) if side is not None else None
        for target in self._spec.targets:
            branch = tee.branch() if tee is not None else None
            if is_stream_target(target):
                self._open_stream(target, info, branch, on_state)
            else:
                self._open_recording(target, info, branch)
        if self._spec.has_virtual_camera:
            camera = self._open.enter_context(VirtualCameraSink(info))
            self.branches.append(Branch("virtual camera", camera))

    def add(self, branch: Branch) -> None:
        """Take over one more sink: it is aborted with the others."""
        self._open.callback(branch.sink.abort)
        self.branches.append(branch)

    def _open_recording(self, target: str, info: StreamInfo, side: Side | None) -> None:
        spec = self._spec
        sink = self._open.enter_context(
            RecordingSink(
                target,
                info,
                side,
                segment_s=spec.segment_s,
                encoding=spec.encoding,
                overwrite=spec.overwrite,
                continues=self._continues,
            )
        )
        self._recordings.append(sink)
        self.branches.append(Branch(f"recording {target}", sink, capacity=RECORDING_CAPACITY))

    def _open_stream(
        self,
        target: str,
        info: StreamInfo,
        side: Side | None,
        on_state: Callable[[str, LiveState], None],
    ) -> None:
        name = self._free_name(StreamTarget.parse(target).name)
        sink = StreamSink(
            target,
            info,
            side,
            encoding=self._spec.encoding,
            on_state=lambda state: on_state(name, state),
        )
        self._open.enter_context(sink)
        self._streams[name] = sink
        self.branches.append(Branch(f"stream {name}", sink))

    def _free_name(self, shown: str) -> str:
        """Tell streams apart whose names differ only in what is masked."""
        name, number = shown, 2
        while name in self._streams:
            name, number = f"{shown} ({number})", number + 1
        return name
