"""A run of several cameras: what it says, how it is stopped, what becomes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from streamlight.cameras.camera import Camera
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.spec import CameraSpec
from streamlight.cameras.status import CameraStatus
from streamlight.cli.backend_report import backend_dict
from streamlight.cli.json_file import write_json
from streamlight.cli.live_log import live_log
from streamlight.cli.progress import format_duration
from streamlight.cli.run_report import SCHEMA, check_path
from streamlight.cli.service_manager import notify
from streamlight.cli.signals import StopSignals
from streamlight.cli.status_line import StatusLine
from streamlight.cli.versions import versions
from streamlight.errors import SourceError, UsageError
from streamlight.sources.reconnect import LivePhase, LiveState
from streamlight.web.settings import WebSettings

_NOTICE = "stopping; once more stops at once"
_STATUS_S = 0.5
_WATCH_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """What is done with the cameras.

    Attributes:
        network: keyword arguments of `CameraGroup`.
        web: how the live page is served; None for no page.
        duration_s: stop after so long; None to go on.
        report_path: where to write the JSON report; None for nowhere.
        is_quiet: say nothing but errors and stops.
        debug: show the whole log.
    """

    network: Mapping[str, Any]
    web: WebSettings | None = None
    duration_s: float | None = None
    report_path: Path | None = None
    is_quiet: bool = False
    debug: bool = False


class GroupRun:
    """Runs cameras until they have all ended, or until it is stopped."""

    def __init__(self, specs: Sequence[CameraSpec], settings: GroupSettings) -> None:
        """Prepare.

        Raises:
            UsageError: there is nothing to do with the pictures.
        """
        self.stop = threading.Event()
        self._specs = specs
        self._settings = settings
        self._line = StatusLine(is_wanted=not settings.is_quiet)
        self._signals = StopSignals(self.stop, notice="" if settings.is_quiet else _NOTICE)
        self._told: dict[str, LiveState] = {}
        self._swaps_told = 0
        self._began = time.monotonic()
        if settings.web is None:
            for spec in specs:
                if not (spec.outputs.targets or spec.outputs.has_virtual_camera):
                    raise UsageError(
                        f"camera {spec.name}: has no output; give it one, or a page for all: "
                        "[web] in the file"
                    )

    def carry_out(self) -> None:
        """Run; say how it ended, write the report.

        Raises:
            SourceError: a camera has failed.
            StreamlightError: whatever else went wrong.
            typer.Exit: it was stopped by a signal; with the exit code of that.
        """
        settings = self._settings
        if settings.report_path is not None:
            check_path(settings.report_path, Path(), Path())
        group = CameraGroup(
            self._specs,
            **settings.network,
            on_state=self._take_state,
            on_message=lambda camera, text: self._say(f"{camera.name}: {text}"),
        )
        with live_log(self._line, debug=settings.debug), self._signals, ExitStack() as stack:
            stack.enter_context(group)
            stack.callback(self._line.clear)
            if settings.web is not None:
                self._serve(group, settings.web, stack)
            self._say(f"{count_of(self._specs)}; {group.model.name} with {group.info}")
            group.start()
            notify("READY=1")
            self._watch(group)
            notify("STOPPING=1")
        statuses = [camera.status() for camera in group.cameras.values()]
        self._tell_swaps(group)
        for status in statuses:
            self._say(_describe(status))
        self._end(group, statuses)

    def _serve(self, group: CameraGroup, web: WebSettings, stack: ExitStack) -> None:
        from streamlight.web.server import WebServer

        server = stack.enter_context(WebServer(group, web))
        self._line.say(f"the live page: {server.url}")

    def _watch(self, group: CameraGroup) -> None:
        shown_at = 0.0
        limit_s = self._settings.duration_s
        while not self.stop.is_set():
            if group.wait(_WATCH_S):
                return
            elapsed_s = time.monotonic() - self._began
            if limit_s is not None and elapsed_s >= limit_s:
                return
            if elapsed_s - shown_at >= _STATUS_S:
                shown_at = elapsed_s
                self._tell_swaps(group)
                statuses = [camera.status() for camera in group.cameras.values()]
                now = ", ".join(map(_describe_now, statuses))
                self._line.show(f"{now}; {format_duration(elapsed_s)}")

    def _tell_swaps(self, group: CameraGroup) -> None:
        for swap in group.swaps[self._swaps_told :]:
            self._say(str(swap))
            self._swaps_told += 1

    def _take_state(self, camera: Camera, state: LiveState) -> None:
        """Say what a camera does, where it is new; in that camera's thread."""
        before = self._told.get(camera.name)
        self._told[camera.name] = state
        if before and (before.phase, before.reason) == (state.phase, state.reason):
            return
        match state.phase:
            case LivePhase.CONNECTING | LivePhase.RECONNECTING if state.reason:
                self._say(f"{camera.name}: {state.reason}; {state.phase.value}")
            case LivePhase.CONNECTED:
                was_lost = before is not None and before.phase is LivePhase.RECONNECTING
                self._say(f"{camera.name}: connected{' again' if was_lost else ''}")
            case LivePhase.ENDED:
                self._say(f"{camera.name}: the stream has ended")
            case LivePhase.FAILED:
                self._line.say(f"{camera.name}: failed: {state.reason}")

    def _end(self, group: CameraGroup, statuses: Sequence[CameraStatus]) -> None:
        failed = [
            status.name
            for status in statuses
            if status.phase is LivePhase.FAILED
            or any(output.failure is not None for output in status.outputs)
        ]
        stopped_by = "signal" if self._signals.received else None
        code = self._signals.exit_code if stopped_by else int(bool(failed))
        self._write_report(group, statuses, code, stopped_by)
        if stopped_by:
            self._line.say(f"stopped after {format_duration(time.monotonic() - self._began)}")
            raise typer.Exit(code)
        if failed:
            raise SourceError(f"{', '.join(failed)}: failed; see above")

    def _write_report(
        self,
        group: CameraGroup,
        statuses: Sequence[CameraStatus],
        code: int,
        stopped_by: str | None,
    ) -> None:
        path = self._settings.report_path
        if path is None:
            return
        write_json(
            path,
            {
                "schema": SCHEMA,
                "exit_code": code,
                "stopped_by": stopped_by,
                "wall_s": time.monotonic() - self._began,
                "model": group.model.name,
                "backend": backend_dict(group.info, group.reason, group.swaps),
                "cameras": [status.to_dict() for status in statuses],
                "versions": versions(),
            },
        )

    def _say(self, text: str) -> None:
        if not self._settings.is_quiet:
            self._line.say(text)


def count_of(specs: Sequence[CameraSpec]) -> str:
    """Say "1 camera" or "3 cameras"."""
    return "1 camera" if len(specs) == 1 else f"{len(specs)} cameras"


def _describe_now(status: CameraStatus) -> str:
    """Say "door 25.0 fps", or "yard reconnecting"."""
    if status.phase is not LivePhase.CONNECTED:
        return f"{status.name} {status.phase.value}"
    return f"{status.name} {status.fps:.1f} fps"


def _describe(status: CameraStatus) -> str:
    """Say in a line what became of a camera."""
    lost = [f"{count} {why.replace('_', ' ')}" for why, count in status.drops.items() if count]
    drops = ", ".join(lost) or "none"
    latency = ""
    if status.latency is not None:
        total = status.latency.total
        latency = f"; latency p50 {total.p50_ms:.0f}, p95 {total.p95_ms:.0f} ms"
    files = f"; kept in {', '.join(str(path) for path in status.files)}" if status.files else ""
    return (
        f"{status.name}: {status.frames_out} frames{latency}; dropped: {drops}; "
        f"reconnects: {status.reconnects}{files}"
    )
