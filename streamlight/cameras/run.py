"""One run of a camera, from its connection to the end: the parts, and what is counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from streamlight.adaptive import AdaptiveEnhancer, ScaledEnhancer
from streamlight.backends import CPU_MODEL
from streamlight.cameras.controls import Controls
from streamlight.cameras.outputs import LiveOutputs
from streamlight.cameras.source import LiveInput
from streamlight.enhance import Enhancer
from streamlight.errors import StreamlightError
from streamlight.frame import StreamInfo
from streamlight.pipeline import FanOutSink, Outcome, Pipeline, PipelineReport, Rate
from streamlight.sources.live import LiveSource

USUAL_RATE = 25.0
"""Where a source does not say how many pictures it has a second."""

_WATCH_S = 0.2
_RATE_WINDOW_S = 2.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What adds up over the runs of a camera; see `CameraStatus`."""

    frames_in: int = 0
    frames_out: int = 0
    reconnects: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of two runs together."""
        return Counts(
            self.frames_in + other.frames_in,
            self.frames_out + other.frames_out,
            self.reconnects + other.reconnects,
            Counter(self.drops) + Counter(other.drops),
            self.files + other.files,
        )


class CameraRun:
    """A connected source, its enhancer and its open outputs."""

    def __init__(
        self,
        source: LiveInput,
        enhancer: Enhancer,
        outputs: LiveOutputs,
        *,
        process_size: tuple[int, int] | None = None,
        is_adaptive: bool = False,
        target_fps: float | None = None,
    ) -> None:
        """Take the parts, which stay their owner's to close.

        Args:
            source: connected.
            enhancer: of this run alone.
            outputs: open.
            process_size: most width and height for the network.
            is_adaptive: whether to make that smaller by itself.
            target_fps: that `is_adaptive` keeps up; None for the source's.
        """
        self._source = source
        self._enhancer = enhancer
        self._outputs = outputs
        if is_adaptive:
            target_fps = target_fps or float(source.info.rate or USUAL_RATE)
            self._scaled: ScaledEnhancer = AdaptiveEnhancer(enhancer, target_fps, process_size)
        else:
            self._scaled = ScaledEnhancer(enhancer, process_size)
        self._report: PipelineReport | None = None
        self._sinks: FanOutSink | None = None
        self._rate = Rate(_RATE_WINDOW_S)
        self._fps = 0.0
        self._overtaken_before = 0
        self._told_notes = 0
        self._is_advised = False

    @property
    def fps(self) -> float:
        """Frames per second of the last seconds."""
        return self._fps

    @property
    def rotation(self) -> int:
        """Of the source's pictures, see `StreamInfo`."""
        return self._source.info.rotation

    @property
    def notes(self) -> list[str]:
        """What the user should know of the outputs and of the network."""
        return [*self._outputs.notes, *self._enhancer.notes]

    def apply(self, controls: Controls) -> None:
        """Change how the pictures look, from the next frame on; any thread may call it."""
        self._enhancer.smoothing_s = controls.smoothing_s
        self._scaled.look = replace(
            self._scaled.look, strength=controls.strength, exposure_ev=controls.exposure_ev
        )

    def carry_out(
        self,
        stop: threading.Event,
        *,
        strict: bool,
        on_failure: Callable[[str, BaseException], None],
        on_message: Callable[[str], None],
    ) -> None:
        """Take pictures to the outputs until the stream ends or `stop` is set.

        What was recorded is complete, also when this raises.

        Args:
            stop: set by anyone.
            strict: let the first failure of any output end the run.
            on_failure: told the name of an output and its error, in a thread of its own.
            on_message: told notes and advice, once each, in this thread.

        Raises:
            StreamlightError: of whatever failed first.
        """
        warm_up(self._scaled, self._source.info)
        self._overtaken_before = self._source.frames_overtaken  # by the preparations
        sinks = FanOutSink(self._outputs.branches, strict=strict, on_failure=on_failure)
        self._sinks = sinks

        def watch(report: PipelineReport) -> None:
            self._report = report
            self._fps = self._rate.update(report)
            if report.advice is not None and not self._is_advised:
                self._is_advised = True
                on_message(fitting(report.advice, self._enhancer))
            for note in self.notes[self._told_notes :]:
                self._told_notes += 1
                on_message(note)

        try:
            try:
                report = Pipeline(self._source, self._scaled, sinks).run(
                    stop, watch, progress_interval_s=_WATCH_S
                )
            except StreamlightError:
                with suppress(StreamlightError):  # the failure of the run is what is raised
                    sinks.finish()
                raise
            if report.outcome is Outcome.STOPPED:
                sinks.finish()
        finally:
            sinks.abort()

    def counts(self) -> Counts:
        """Return what was counted so far; any thread may call it."""
        report, source = self._report, self._source
        drops = {"overtaken": source.frames_overtaken - self._overtaken_before}
        if report is not None:
            drops |= {reason.value: count for reason, count in report.drops.items()}
        return Counts(
            frames_in=report.frames_in if report else 0,
            frames_out=report.frames_out if report else 0,
            reconnects=source.reconnects if isinstance(source, LiveSource) else 0,
            drops=drops,
            files=tuple(self._outputs.files),
        )

    def facts(self) -> dict[str, Any]:
        """Return what `CameraStatus` has of the present run only; any thread may call it."""
        info, report = self._source.info, self._report
        return {
            "source_fps": float(info.rate) if info.rate else None,
            "latency": report.latency if report else None,
            "process_factor": self._scaled.factor,
            "advice": fitting(report.advice, self._enhancer) if report and report.advice else None,
            "outputs": tuple(self._sinks.reports()) if self._sinks else (),
            "notes": tuple(self.notes),
        }


def fitting(advice: str, enhancer: Enhancer | None) -> str:
    """Leave out of an advice what is done already."""
    is_fast = enhancer is not None and enhancer.model.name == CPU_MODEL
    return advice.replace(f"--model {CPU_MODEL} or ", "") if is_fast else advice


def warm_up(enhancer: ScaledEnhancer, info: StreamInfo) -> None:
    """Let the first picture be as fast as the others."""
    picture = np.zeros((info.height, info.width, 3), np.uint16 if info.bits > 8 else np.uint8)
    enhancer.reconstruct(picture, enhancer.estimate(picture, 0.0))
    enhancer.reset()
