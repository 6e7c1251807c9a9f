"""The progress bar: how far, how fast, how long still, and what holds the run up."""

import sys
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streamlight.pipeline.rate import Rate

if TYPE_CHECKING:
    from rich.progress import Progress

    from streamlight.pipeline import PipelineReport


class ProgressBar:
    """A bar on stderr; nothing at all when stderr is no terminal, or when it is not wanted.

    It redraws itself only in `update`, so it needs no thread, and it vanishes at its end.
    """

    def __init__(self, *, is_wanted: bool = True) -> None:
        """Decide whether there will be a bar."""
        self._progress = _rich_progress() if is_wanted and sys.stderr.isatty() else None
        self._rate = Rate()

    def __enter__(self) -> Self:
        """Return the bar; it appears with the first `update`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        if self._progress is not None:
            with suppress(OSError):  # the terminal was closed
                self._progress.stop()

    def update(self, report: "PipelineReport", frame_count: int | None) -> None:
        """Show the figures of a run; `frame_count` may be an estimate, or unknown."""
        if self._progress is None:
            return
        if frame_count is not None:
            frame_count = max(frame_count, report.frames_out)
        text = describe(report, frame_count, self._rate.update(report))
        with suppress(OSError):
            if not self._progress.tasks:
                self._progress.add_task("", total=frame_count, text=text)
                self._progress.start()
            task = self._progress.tasks[0].id
            self._progress.update(
                task, total=frame_count, completed=report.frames_out, text=text, refresh=True
            )


def describe(report: "PipelineReport", frame_count: int | None, rate: float) -> str:
    """Say how a run goes: "34/149 frames, 46.6 fps, ETA 0:03, reconstruct (96 % busy)"."""
    of = f"/{frame_count}" if frame_count is not None else ""
    parts = [f"{report.frames_out}{of} frames", f"{rate:.1f} fps"]
    if frame_count is not None:
        left_s = (frame_count - report.frames_out) / rate if rate else None
        parts.append(f"ETA {format_duration(left_s)}")
    if report.bottleneck is not None:
        parts.append(report.bottleneck_text)
    return ", ".join(parts)


def format_duration(seconds: float | None) -> str:
    """Write a duration as "0:03" or "1:02:03"; None as "-:--"."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rich_progress() -> "Progress | None":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    return Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True)),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
    )
