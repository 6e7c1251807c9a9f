"""A run of `streamlight file`: what it says, how it is stopped, what its report holds."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from streamlight.api import FileResult
from streamlight.backends import GPU_MODEL
from streamlight.cli.errors import describe
from streamlight.cli.messages import say
from streamlight.cli.progress import ProgressBar
from streamlight.cli.run_report import RunReport, check_path
from streamlight.cli.signals import StopSignals
from streamlight.cli.verify_report import print_verification, to_dict
from streamlight.enhance import Enhancer
from streamlight.errors import SourceError, StreamlightError
from streamlight.pipeline import Outcome, PipelineReport
from streamlight.sinks.journal import unfinished_job
from streamlight.verify import Verification

_NOTICE = "stopping after the frames under way; once more stops at once"


class FileRun:
    """Watches over one call of `streamlight.enhance_file`, and tells people and scripts of it.

    Attributes:
        target: the file to write.
        stop: to be given to `enhance_file`, like `on_open` and `on_progress`.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        model: str = "auto",
        backend: str = "auto",
        report_path: Path | None = None,
        is_quiet: bool = False,
    ) -> None:
        """Prepare.

        Args:
            source: the input.
            target: the output.
            model: what was asked for: what "auto" made of it is said with its reason.
            backend: likewise.
            report_path: where to write the JSON report; None for nowhere.
            is_quiet: say nothing but errors and stops.
        """
        self.target = target
        self.stop = threading.Event()
        self._source = source
        self._asked = (model, backend)
        self._report_path = report_path
        self._is_quiet = is_quiet
        self._facts = RunReport(source)
        self._frame_count: int | None = None
        self._hwaccel_note = ""
        self._bar = ProgressBar(is_wanted=not is_quiet)

    def carry_out(
        self,
        enhance: Callable[[], FileResult],
        check: Callable[[FileResult], Verification | None] = lambda result: None,
    ) -> None:
        """Call `enhance`, and `check` with its result; say how it ended, write the report.

        Raises:
            VerificationError: the check found differences.
            typer.Exit: it was stopped by a signal; with the exit code of that.
            Exception: whatever `enhance` raises.
            SinkError: the report cannot be written.
        """
        if self._report_path is not None:
            check_path(self._report_path, self._source, self.target)
        signals = StopSignals(self.stop, notice="" if self._is_quiet else _NOTICE)
        before = _identity(self.target)
        try:
            with signals, self._bar:
                result = enhance()
        except KeyboardInterrupt:
            kept = self.target if _identity(self.target) != before else None
            self._end_stopped(kept, signals.exit_code)
        except Exception as error:
            if _identity(self.target) != before:
                self._facts.output = self.target
                say(f"{self.target}: kept, with what was done before the failure")
            self._facts.take_error(error)
            self._write_report_of_failure()
            raise
        else:
            self._facts.pipeline = result.report
            self._facts.notes = result.notes
            if result.report.outcome is Outcome.STOPPED:
                self._end_stopped(result.output, signals.exit_code)
            self._end_done(result, check)

    def on_open(self, source: Any, enhancer: Enhancer) -> None:
        """Say what is going to happen."""
        self._frame_count = source.info.frame_count
        self._facts.take_open(source, enhancer)
        self._say(f"{_describe_network(enhancer, *self._asked)}; {_describe_input(source)}")
        self._hwaccel_note = getattr(source, "hwaccel_note", "")
        if self._hwaccel_note:
            self._say(f"note: {self._hwaccel_note}")
        if enhancer.tiles is not None:
            self._say(f"in {enhancer.tiles}, to fit into memory")

    def on_progress(self, report: PipelineReport) -> None:
        """Show how far it is."""
        self._facts.pipeline = report
        self._bar.update(report, self._frame_count)

    def _end_done(
        self, result: FileResult, check: Callable[[FileResult], Verification | None]
    ) -> None:
        report = result.report
        self._facts.outcome = Outcome.END_OF_STREAM
        self._facts.output = result.output
        for note in result.notes:
            if note != self._hwaccel_note:  # said before the first frame
                self._say(f"note: {note}")
        self._say(
            f"{result.output}: {report.frames_out} frames in {report.wall_s:.1f} s, "
            f"{report.fps:.1f} fps; bottleneck: {report.bottleneck_text}"
        )
        try:
            found = check(result)
            if found is not None:
                self._facts.verification = to_dict(found)
                if found.differences or not self._is_quiet:
                    print_verification(self.target, found)
                found.check(self.target)
            if result.is_cut_off:
                raise SourceError(
                    f"{self._source}: is cut off; {result.output} holds what was there"
                )
        except StreamlightError as error:
            self._facts.take_error(error)
            self._write_report_of_failure()
            raise
        self._write_report()

    def _end_stopped(self, kept: Path | None, exit_code: int) -> None:
        self._facts.outcome = Outcome.STOPPED
        self._facts.output = kept
        self._facts.exit_code = exit_code
        done = self._facts.pipeline.frames_out if self._facts.pipeline else 0
        of = f" of {self._frame_count}" if self._frame_count else ""
        where = f"kept in {kept}" if kept else "nothing kept"
        if unfinished_job(self.target) is not None:
            where = "the same command with --resume goes on from there"
        say(f"stopped: {done}{of} frames done, {where}")
        self._write_report()
        raise typer.Exit(exit_code)

    def _write_report(self) -> None:
        if self._report_path is not None:
            self._facts.write(self._report_path)

    def _write_report_of_failure(self) -> None:
        try:
            self._write_report()
        except StreamlightError as error:
            say(describe(error))  # the failure of the run is what is raised

    def _say(self, text: str) -> None:
        if not self._is_quiet:
            say(text)


def _describe_network(enhancer: Enhancer, model: str, backend: str) -> str:
    """Say what runs; and why, where `model` or `backend` was "auto"."""
    text = f"{enhancer.model.name} with {enhancer.info}"
    if backend == "auto":
        return f"{text} (auto: {enhancer.reason})"
    if model == "auto":
        kind = "GPU" if enhancer.model.name == GPU_MODEL else "CPU"
        return f"{text} (auto: the model for a {kind})"
    return text


def _describe_input(source: Any) -> str:
    """Say "1280x720, 149 frames, 29.97 fps"."""
    info = source.info
    parts = [f"{info.width}x{info.height}"]
    if info.frame_count is not None:
        parts.append(f"{info.frame_count} frames")
    if info.rate is not None:
        parts.append(f"{float(info.rate):.4g} fps")
    return ", ".join(parts)


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file from another that takes its name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
