"""A run of `streamlight file` over many files: what it says, how it is stopped, how it ends."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from streamlight.batch import BatchJob, BatchReport, JobFigures, JobResult, State, run_batch
from streamlight.cli.errors import FAILED, INTERNAL, INTERRUPTED, describe, exit_code
from streamlight.cli.json_file import write_json
from streamlight.cli.messages import one_line, say
from streamlight.cli.progress import ProgressBar
from streamlight.cli.signals import StopSignals
from streamlight.cli.table import print_table
from streamlight.cli.versions import versions
from streamlight.errors import SinkError, UsageError
from streamlight.pipeline import PipelineReport

SCHEMA = 1
"""Raised when a key of the report changes its meaning or goes away; new keys do not raise it."""

_NOTICE = "stopping after the frames under way; once more stops at once"


class BatchRun:
    """Watches over the files of a batch, and tells people and scripts of it.

    Attributes:
        stop: to be given to whatever enhances a file.
    """

    def __init__(
        self,
        jobs: Sequence[BatchJob],
        *,
        workers: int = 1,
        skip_existing: bool = False,
        report_path: Path | None = None,
        is_quiet: bool = False,
    ) -> None:
        """Prepare.

        Args:
            jobs: from `streamlight.batch.plan_batch`.
            workers: files at once.
            skip_existing: leave out files whose output is there.
            report_path: where to write the JSON report; None for nowhere.
            is_quiet: say nothing but errors and stops.

        Raises:
            UsageError: the report would replace an input or an output.
            SinkError: the report cannot be written there.
        """
        self.stop = threading.Event()
        self._jobs = jobs
        self._workers = workers
        self._skip_existing = skip_existing
        self._report_path = report_path
        self._is_quiet = is_quiet
        self._frame_count: int | None = None
        self._bar: ProgressBar | None = None
        if report_path is not None:
            _check_report_path(report_path, jobs)

    def carry_out(self, enhance_one: Callable[[BatchJob, int], JobFigures]) -> None:
        """Enhance all files, and say how it went.

        Args:
            enhance_one: enhances a file; the number is that of its worker. A failure is raised.

        Raises:
            typer.Exit: a file failed, or a signal stopped the batch; with the exit code of that.
        """
        signals = StopSignals(self.stop, notice="" if self._is_quiet else _NOTICE)
        with signals:
            report = run_batch(
                self._jobs,
                enhance_one,
                workers=self._workers,
                skip_existing=self._skip_existing,
                stop=self.stop,
                on_start=self._on_start,
                on_end=self._on_end,
            )
        self._end_bar()
        code = batch_exit_code(report, signals.exit_code if signals.received else None)
        if report.fatal is None or report.of_state(State.DONE):
            self._print_summary(report)
        if self._report_path is not None:
            write_json(self._report_path, report_dict(report, code))
        if code:
            raise typer.Exit(code)

    def on_open(self, frame_count: int | None) -> None:
        """Note how many frames the file under way has, for the bar."""
        self._frame_count = frame_count

    def on_progress(self, report: PipelineReport) -> None:
        """Show how far the file under way is; with several at once there is no bar."""
        if self._bar is not None:
            self._bar.update(report, self._frame_count)

    def _on_start(self, job: BatchJob) -> None:
        self._frame_count = None
        if self._workers == 1:
            self._bar = ProgressBar(is_wanted=not self._is_quiet)

    def _on_end(self, result: JobResult) -> None:
        self._end_bar()
        job = result.job
        head = f"{job.number}/{len(self._jobs)} {job.source}"
        if result.error is not None:
            say(f"{head}: {describe(result.error)}")
        elif not self._is_quiet:
            for note in result.notes:
                say(f"{job.source}: note: {note}")
            say(f"{head}: {describe_result(result)}")

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def _print_summary(self, report: BatchReport) -> None:
        if self._is_quiet:
            return
        rows = [
            (
                str(result.job.source),
                str(result.frames) if result.frames else "-",
                f"{result.fps:.1f}" if result.frames else "-",
                f"{result.wall_s:.1f}" if result.wall_s else "-",
                _outcome(result),
            )
            for result in report.results
        ]
        header = ("file", "frames", "fps", "seconds", "result")
        cells = [tuple(one_line(cell) for cell in row) for row in rows]
        print_table(header, cells, to_stderr=True)
        say(describe_batch(report))


def describe_result(result: JobResult) -> str:
    """Say in a line what became of a file that did not fail."""
    match result.state:
        case State.SKIPPED:
            return f"skipped: {result.output} is there"
        case State.STOPPED:
            kept = f"kept in {result.output}" if result.output else "nothing kept"
            return f"stopped: {result.frames} frames done, {kept}"
    return f"{result.output}, {result.frames} frames in {result.wall_s:.1f} s, {result.fps:.1f} fps"


def describe_batch(report: BatchReport) -> str:
    """Say in a line what became of all: "12 done, 1 failed; 4321 frames in 98.7 s"."""
    counts = [f"{n} {state}" for state in State if (n := len(report.of_state(state)))]
    return f"{', '.join(counts)}; {report.frames} frames in {report.wall_s:.1f} s"


def batch_exit_code(report: BatchReport, signal_code: int | None) -> int:
    """Choose the exit code: of what ended it, a failure or a signal; else the gravest failure's."""
    if report.fatal is not None:
        return exit_code(report.fatal)
    if report.is_interrupted or signal_code is not None:
        return signal_code or INTERRUPTED
    codes = [exit_code(r.error) for r in report.results if r.error is not None]
    for grave in (INTERNAL, FAILED):
        if grave in codes:
            return grave
    return codes[0] if codes else 0


def report_dict(report: BatchReport, code: int) -> dict[str, Any]:
    """Return everything as plain data for the JSON report, with the units in the names."""
    return {
        "schema": SCHEMA,
        "exit_code": code,
        "wall_s": report.wall_s,
        "frames": report.frames,
        "counts": {state.value: len(report.of_state(state)) for state in State},
        "files": [
            {
                "input": str(result.job.source),
                "output": str(result.output) if result.output else None,
                "outcome": result.state.value,
                "exit_code": exit_code(result.error) if result.error is not None else 0,
                "error": _error_text(result),
                "frames": result.frames,
                "wall_s": result.wall_s,
                "frames_per_s": result.fps,
                "notes": list(result.notes),
            }
            for result in report.results
        ],
        "versions": versions(),
    }


def _outcome(result: JobResult) -> str:
    if result.error is not None:
        return f"failed: {_error_text(result)}"
    if result.state is State.DONE and result.notes:
        count = len(result.notes)
        return f"done, {count} {'note' if count == 1 else 'notes'}"
    return result.state.value


def _error_text(result: JobResult) -> str | None:
    if result.error is None:
        return None
    return one_line(describe(result.error).removeprefix("error: "))


def _check_report_path(path: Path, jobs: Sequence[BatchJob]) -> None:
    for job in jobs:
        for file in (job.source, job.target):
            if path.absolute() == file.absolute():
                raise UsageError(f"--report {path}: is an input or output; choose another file")
    if path.is_dir():
        raise SinkError(f"--report {path}: is a folder; a file name was expected")
    if not path.parent.is_dir():
        raise SinkError(f"--report {path}: no such folder; create it with mkdir -p")
