"""A run of `streamlight webcam` or `rtsp`: its parts, what it says, how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import typer

from streamlight.adaptive import AdaptiveEnhancer, ScaledEnhancer
from streamlight.cameras.outputs import LiveOutputs
from streamlight.cameras.run import fitting, warm_up
from streamlight.cameras.source import LiveInput, StateCallback, side_of
from streamlight.cli.errors import describe
from streamlight.cli.live_log import live_log
from streamlight.cli.live_messages import (
    describe_figures,
    describe_now,
    describe_source,
)
from streamlight.cli.live_preview import open_preview
from streamlight.cli.live_report import LiveReport
from streamlight.cli.live_settings import LiveSettings
from streamlight.cli.run_report import check_path
from streamlight.cli.signals import StopSignals
from streamlight.cli.status_line import StatusLine
from streamlight.enhance import Enhancer
from streamlight.errors import SinkError, StreamlightError
from streamlight.frame import StreamInfo
from streamlight.pipeline import Branch, FanOutSink, Outcome, Pipeline, PipelineReport, Rate
from streamlight.sinks.preview import PreviewSink
from streamlight.sources.reconnect import LivePhase, LiveState

_NOTICE = "stopping; once more stops at once"
_USUAL_RATE = 25.0
_STATUS_S = 0.25
_WATCH_S = 0.1
_DRAW_S = 1 / 60


class LiveRun:
    """Takes live pictures through the network to the outputs, and tells people and scripts of it.

    Attributes:
        stop: ends the run when set.
    """

    def __init__(
        self,
        open_source: Callable[[StateCallback], LiveInput],
        settings: LiveSettings,
        *,
        debug: bool = False,
    ) -> None:
        """Prepare.

        Args:
            open_source: makes the source, which tells its states to what it is given.
            settings: what to do.
            debug: show the whole log.
        """
        self.stop = threading.Event()
        self._settings = settings
        self._debug = debug
        self._line = StatusLine(is_wanted=not settings.is_quiet)
        self._source = open_source(self._take_source_state)
        self._facts = LiveReport(self._source)
        self._outputs = LiveOutputs(settings.outputs)
        self._preview: PreviewSink | None = None
        self._sinks: FanOutSink | None = None
        self._signals = StopSignals(self.stop, notice="" if settings.is_quiet else _NOTICE)
        self._told: dict[str, LiveState] = {}
        self._is_connecting = False
        self._is_advised = False
        self._notes_told = 0
        self._swaps_told = 0
        self._rate = Rate()
        self._status_at_s = 0.0

    def carry_out(self) -> None:
        """Run to the end of the stream, or until stopped; say how it ended, write the report.

        Raises:
            SourceError: the source cannot be reached, or was given up.
            SinkError: no output is left, or one has failed and the others were completed.
            StreamlightError: whatever else went wrong.
            typer.Exit: it was stopped by a signal; with the exit code of that.
        """
        report_path = self._settings.report_path
        if report_path is not None:
            for target in self._settings.outputs.targets or (self._source.name,):
                check_path(report_path, Path(self._source.name), Path(target))
        try:
            with live_log(self._line, debug=self._debug), self._signals:
                try:
                    self._run()
                finally:
                    self._line.clear()
                    self._note_figures()
        except (Exception, KeyboardInterrupt) as error:
            is_interrupted = isinstance(error, KeyboardInterrupt) or (
                self._signals.received and self._is_connecting
            )
            if not is_interrupted:
                self._facts.take_error(error)
                self._say_figures()
                self._write_report_of_failure()
                raise
            self._facts.outcome, self._facts.stopped_by = Outcome.STOPPED, "signal"
        self._say_figures()
        if self._facts.stopped_by == "signal":
            self._end_stopped()
        self._end_done()

    def _run(self) -> None:
        with closing(self._source), self._outputs:
            self._is_connecting = True
            self._connect()
            self._is_connecting = False
            info = self._source.info
            self._outputs.open(info, side_of(self._source), self._take_state)
            look = replace(self._settings.look, rotation=info.rotation)
            with Enhancer.open(**self._settings.network, look=look, parallel=1) as enhancer:
                self._facts.enhancer = enhancer
                scaled = self._scaled(enhancer)
                warm_up(scaled, info)
                self._open_preview(info, scaled)
                self._say(
                    f"{describe_source(self._source)}; {enhancer.model.name} with {enhancer.info}"
                )
                with self._fanned_out() as sinks:
                    self._flow(scaled, sinks)

    def _flow(self, enhancer: ScaledEnhancer, sinks: FanOutSink) -> None:
        self._facts.begin()
        interval_s = _DRAW_S if self._preview else _WATCH_S
        try:
            report = Pipeline(self._source, enhancer, sinks).run(
                self.stop, self._watch, progress_interval_s=interval_s
            )
        except StreamlightError:
            with suppress(StreamlightError):  # the failure of the run is what is raised
                sinks.finish()  # what was recorded until then is complete
            raise
        self._facts.pipeline = report
        if report.outcome is Outcome.STOPPED:
            self._note_stop("signal" if self._signals.received else "duration")
            self._line.clear()
            sinks.finish()
        else:
            self._facts.outcome = Outcome.END_OF_STREAM

    def _open_preview(self, info: StreamInfo, enhancer: ScaledEnhancer) -> None:
        title = f"streamlight: {self._source.name}"
        change = _strength_of(enhancer)
        self._preview = open_preview(self._settings, info, title, change, self._on_window)
        if self._preview is not None:
            self._outputs.add(Branch("preview", self._preview))

    def _connect(self) -> None:
        """Connect in another thread, so that a signal is heard while a server does not answer.

        Raises:
            SourceError: it cannot be reached, or the run was stopped.
        """
        failures: list[BaseException] = []

        def connect() -> None:
            try:
                self._source.connect()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=connect, name="streamlight-connect", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.05)
            if self.stop.is_set():
                self._source.interrupt()
        if failures:
            raise failures[0]

    def _scaled(self, enhancer: Enhancer) -> ScaledEnhancer:
        settings = self._settings
        if not settings.is_adaptive:
            return ScaledEnhancer(enhancer, settings.process_size)
        rate = self._source.info.rate
        target_fps = settings.target_fps or (float(rate) if rate else _USUAL_RATE)
        return AdaptiveEnhancer(
            enhancer, target_fps, settings.process_size, on_change=self._say_factor
        )

    @contextmanager
    def _fanned_out(self) -> Iterator[FanOutSink]:
        sinks = FanOutSink(
            self._outputs.branches, strict=self._settings.is_strict, on_failure=self._lose_sink
        )
        self._sinks = sinks
        try:
            yield sinks
        finally:
            sinks.abort()

    # While it runs

    def _watch(self, report: PipelineReport) -> None:
        """Draw the window, look at the clock, and tell what is new."""
        self._facts.pipeline = report
        if self._preview is not None:
            self._preview.pump()
        limit_s = self._settings.duration_s
        if limit_s is not None and report.wall_s >= limit_s and not self.stop.is_set():
            self._note_stop("duration")
            self.stop.set()
        if report.wall_s - self._status_at_s < _STATUS_S:
            return
        self._status_at_s = report.wall_s
        self._tell_notes()
        if report.advice is not None and not self._is_advised:
            self._is_advised = True
            self._say(f"note: {fitting(report.advice, self._facts.enhancer)}")
        self._line.show(describe_now(self._facts, report, self._rate.update(report)))

    def _take_source_state(self, state: LiveState) -> None:
        self._take_state(self._source.name, state)

    def _take_state(self, name: str, state: LiveState) -> None:
        """Say what a connection does, where it is new; in that connection's thread."""
        before = self._told.get(name)
        self._told[name] = state
        if before and (before.phase, before.reason) == (state.phase, state.reason):
            return
        was_lost = before is not None and before.phase is LivePhase.RECONNECTING
        match state.phase:
            case LivePhase.CONNECTING | LivePhase.RECONNECTING if state.reason:
                self._say(f"{name}: {state.reason}; {state.phase.value}")
            case LivePhase.CONNECTED if was_lost or name != self._source.name:
                self._say(f"{name}: connected{' again' if was_lost else ''}")
            case LivePhase.ENDED:
                self._say(f"{name}: the stream has ended")

    def _say_factor(self, factor: int) -> None:
        sides = "full size" if factor == 1 else f"1/{factor} of the sides"
        self._say(f"the network now sees pictures of {sides}")

    def _lose_sink(self, name: str, error: BaseException) -> None:
        """Say which output failed; where it was the last one, the run's error says it."""
        reports = self._sinks.reports() if self._sinks is not None else []
        is_last = all(report.failure is not None for report in reports)
        if not (self._settings.is_strict or is_last):
            self._line.say(f"{name}: {describe(error)}; the other outputs go on")

    def _on_window(self) -> None:
        self._note_stop("window")
        self.stop.set()

    def _note_stop(self, by: str) -> None:
        self._facts.outcome = Outcome.STOPPED
        self._facts.stopped_by = self._facts.stopped_by or by

    # At its end

    def _note_figures(self) -> None:
        self._facts.files = self._outputs.files
        self._facts.notes = self._outputs.notes
        if self._sinks is not None:
            self._facts.sinks = self._sinks.reports()
            self._facts.streams = self._outputs.stream_figures()

    def _say_figures(self) -> None:
        if self._facts.pipeline is not None:
            self._tell_notes()
            for line in describe_figures(self._facts, self._facts.pipeline):
                self._say(line)

    def _end_stopped(self) -> None:
        code = self._facts.exit_code = self._signals.exit_code
        kept = ", ".join(str(path) for path in self._facts.files)
        done = self._facts.pipeline.frames_out if self._facts.pipeline else 0
        self._line.say(f"stopped: {done} frames done" + (f", kept in {kept}" if kept else ""))
        self._write_report()
        raise typer.Exit(code)

    def _end_done(self) -> None:
        failed = [sink.name for sink in self._facts.sinks if sink.failure is not None]
        if failed:
            error = SinkError(f"{', '.join(failed)}: failed; the other outputs are complete")
            self._facts.take_error(error)
            self._write_report_of_failure()
            raise error
        self._write_report()

    def _write_report(self) -> None:
        if self._settings.report_path is not None:
            self._facts.write(self._settings.report_path)

    def _write_report_of_failure(self) -> None:
        try:
            self._write_report()
        except StreamlightError as error:
            self._line.say(describe(error))  # the failure of the run is what is raised

    def _tell_notes(self) -> None:
        notes = self._outputs.notes
        for note in notes[self._notes_told :]:
            self._say(f"note: {note}")
        self._notes_told = len(notes)
        swaps = self._facts.enhancer.swaps if self._facts.enhancer else ()
        for swap in swaps[self._swaps_told :]:
            self._say(str(swap))
        self._swaps_told = len(swaps)

    def _say(self, text: str) -> None:
        if not self._settings.is_quiet:
            self._line.say(text)


def _strength_of(enhancer: ScaledEnhancer) -> Callable[[float], None]:
    def change(strength: float) -> None:
        enhancer.look = replace(enhancer.look, strength=strength)

    return change
