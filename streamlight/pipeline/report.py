"""How fast a pipeline runs, and which of its stages holds it up."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streamlight.pipeline.advice import Advisor
from streamlight.pipeline.channel import Channel
from streamlight.pipeline.latency import FrameClock, LatencyRecorder, LatencyReport


class Stage(StrEnum):
    """Work on a frame whose time is measured."""

    DECODE = "decode"
    ESTIMATE = "estimate"
    RECONSTRUCT = "reconstruct"
    ENCODE = "encode"


class Outcome(StrEnum):
    """How a run ended that did not fail. A lost connection is a failure, a `SourceError`."""

    END_OF_STREAM = "end_of_stream"
    """Every frame was written and the sink was finished."""

    STOPPED = "stopped"
    """The caller asked for it in mid-stream; the sink was not finished."""


class DropReason(StrEnum):
    """Why a frame of a live source was thrown away."""

    NETWORK_BUSY = "network_busy"
    """A newer frame came while the network still worked on an older one."""

    SINK_BUSY = "sink_busy"
    """A newer frame came while finished results waited for the sink."""


@dataclass(frozen=True, slots=True)
class QueueWait:
    """Seconds that the two sides of a queue have waited for each other.

    Attributes:
        put_s: waited to hand on, because the stages behind are slower.
        get_s: waited to receive, because the stages in front are slower.
    """

    put_s: float = 0.0
    get_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """Figures of a run, at its end or at one moment of it.

    Attributes:
        frames_in: frames that the source yielded.
        frames_out: frames that the sink took.
        frames_dropped: frames thrown away before they were enhanced, to keep up with a live
            source. After END_OF_STREAM, `frames_in == frames_out + frames_dropped`.
        wall_s: seconds since the start of the run.
        parallel: number of reconstruct workers.
        busy_s: seconds that each stage has worked, its waits for other stages not included;
            `reconstruct` is the sum over its workers. `decode` includes the wait for a live
            source, whose next frame does not exist yet.
        decoded_wait: waits at the queue from decode to estimate.
        enhanced_wait: waits between estimate and encode, for the reconstruct workers too.
        outcome: how the run ended; None while it runs.
        drops: `frames_dropped` by reason.
        latency: from capture to display; None when the source does not say when it captured.
        advice: what would mend it when frames are lost for seconds; said once, then it stays.
    """

    frames_in: int
    frames_out: int
    frames_dropped: int
    wall_s: float
    parallel: int
    busy_s: Mapping[Stage, float]
    decoded_wait: QueueWait
    enhanced_wait: QueueWait
    outcome: Outcome | None = None
    drops: Mapping[DropReason, int] = field(default_factory=lambda: dict.fromkeys(DropReason, 0))
    latency: LatencyReport | None = None
    advice: str | None = None

    @property
    def fps(self) -> float:
        """Frames per second that reached the sink, on average since the start."""
        return self.frames_out / self.wall_s if self.wall_s > 0 else 0.0

    def stage_utilisation(self) -> dict[Stage, float]:
        """Return the busy share of each stage, in [0, 1]: busy / (wall * workers)."""
        workers = {stage: 1 for stage in Stage} | {Stage.RECONSTRUCT: self.parallel}
        return {
            stage: self.busy_s[stage] / (self.wall_s * workers[stage]) if self.wall_s > 0 else 0.0
            for stage in Stage
        }

    @property
    def bottleneck(self) -> Stage | None:
        """The stage with the greatest utilisation; None before any has worked.

        `decode` at the top of a live run means that everything else keeps up.
        """
        utilisation = self.stage_utilisation()
        busiest = max(Stage, key=utilisation.__getitem__)
        return busiest if utilisation[busiest] > 0 else None

    @property
    def bottleneck_text(self) -> str:
        """The bottleneck for people, such as "reconstruct (96 % busy)"."""
        stage = self.bottleneck
        if stage is None:
            return "none"
        return f"{stage} ({100 * self.stage_utilisation()[stage]:.0f} % busy)"

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data for JSON, with the units in the names."""
        return {
            "outcome": self.outcome.value if self.outcome else None,
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "frames_dropped": self.frames_dropped,
            "drops": {reason.value: count for reason, count in self.drops.items()},
            "wall_s": self.wall_s,
            "frames_per_s": self.fps,
            "parallel": self.parallel,
            "busy_s": {stage.value: self.busy_s[stage] for stage in Stage},
            "utilisation_percent": {
                stage.value: 100 * share for stage, share in self.stage_utilisation().items()
            },
            "queue_wait_s": {
                "decoded_put": self.decoded_wait.put_s,
                "decoded_get": self.decoded_wait.get_s,
                "enhanced_put": self.enhanced_wait.put_s,
                "enhanced_get": self.enhanced_wait.get_s,
            },
            "bottleneck": self.bottleneck.value if self.bottleneck else None,
            "latency": self.latency.to_dict() if self.latency else None,
            "advice": self.advice,
        }


class Recorder:
    """Counts while the stages run; any thread may write, and take a `snapshot`."""

    def __init__(self, parallel: int) -> None:
        """Start the clock of a run with `parallel` reconstruct workers."""
        self._parallel = parallel
        self._started = time.perf_counter()
        self._lock = threading.Lock()
        self._frames_in = 0
        self._frames_out = 0
        self._result_wait_s = 0.0
        self._busy_s = dict.fromkeys(Stage, 0.0)
        self._drops = dict.fromkeys(DropReason, 0)
        self._latency = LatencyRecorder()
        self._advisor = Advisor()

    @contextmanager
    def busy(self, stage: Stage) -> Iterator[None]:
        """Add the time of the `with` block to the stage's work."""
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed_s = time.perf_counter() - started
            with self._lock:
                self._busy_s[stage] += elapsed_s

    @contextmanager
    def waiting_for_result(self) -> Iterator[None]:
        """Add the time of the `with` block to encode's wait for an enhanced frame."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._result_wait_s += time.perf_counter() - started

    def frame_in(self) -> None:
        """Count a frame of the source."""
        self._frames_in += 1

    def frame_out(self, clock: FrameClock | None = None) -> None:
        """Count a frame that the sink took, and its latency when its capture is known."""
        self._frames_out += 1
        if clock is not None:
            self._latency.add(clock)

    def frames_dropped(self, count: int, reason: DropReason) -> None:
        """Count frames that were thrown away; called at least at every frame of the source."""
        with self._lock:
            self._drops[reason] += count
            self._advisor.update(
                time.monotonic(),
                self._frames_in,
                self._frames_out,
                self._drops[DropReason.NETWORK_BUSY],
                self._drops[DropReason.SINK_BUSY],
            )

    def snapshot(
        self,
        decoded: Channel[Any],
        enhanced: Channel[Any],
        free_workers: Channel[Any],
        outcome: Outcome | None = None,
    ) -> PipelineReport:
        """Return the figures of this moment, together with what the run's channels counted."""
        with self._lock:
            busy_s = dict(self._busy_s)
        frames_out = self._frames_out  # read before frames_in, so that it is never the greater
        return PipelineReport(
            frames_in=self._frames_in,
            frames_out=frames_out,
            frames_dropped=sum(self._drops.values()),
            wall_s=time.perf_counter() - self._started,
            parallel=self._parallel,
            busy_s=busy_s,
            decoded_wait=QueueWait(put_s=decoded.put_wait_s, get_s=decoded.get_wait_s),
            enhanced_wait=QueueWait(
                put_s=enhanced.put_wait_s + free_workers.get_wait_s,
                get_s=enhanced.get_wait_s + self._result_wait_s,
            ),
            outcome=outcome,
            drops=dict(self._drops),
            latency=self._latency.report(),
            advice=self._advisor.advice,
        )
