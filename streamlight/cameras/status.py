"""What a camera does just now, for people, pages and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlight.cameras.controls import Controls
from streamlight.pipeline import BranchReport, LatencyReport
from streamlight.sources.reconnect import LivePhase

MOST_FILES = 10
"""Of a camera that records in parts, `to_dict` names the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """Figures of a camera at one moment; counts are of its whole life.

    Attributes:
        name: of the camera.
        source: where the pictures come from, without secrets.
        phase: what it is doing.
        reason: why, in one phrase; "" where there is nothing to say.
        since: when the phase began, in seconds as of `time.time()`.
        width: of the newest picture as it is to be shown, turned upright; None before the first.
        height: likewise.
        source_fps: frames per second that the source says it has; None where it does not.
        fps: enhanced frames per second over the last seconds.
        latency: from capture to the end of the outputs' `write`, since the last start; None
            before the first frame.
        frames_in: frames that came.
        frames_out: frames that were enhanced and shown.
        drops: frames that were not, by reason: "overtaken", "network_busy", "sink_busy".
        reconnects: how often a lost connection was made again.
        restarts: how often the camera began anew after a failure of another kind.
        process_factor: the sides of the pictures are divided by this for the network.
        advice: what would help a network that is too slow; None while it is fast enough.
        outputs: figures of each output since the last start.
        files: recordings.
        notes: what the user should know.
        viewers: how many watch.
        controls: how the pictures look.
    """

    name: str
    source: str
    phase: LivePhase
    reason: str
    since: float
    width: int | None = None
    height: int | None = None
    source_fps: float | None = None
    fps: float = 0.0
    latency: LatencyReport | None = None
    frames_in: int = 0
    frames_out: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    reconnects: int = 0
    restarts: int = 0
    process_factor: int = 1
    advice: str | None = None
    outputs: Sequence[BranchReport] = ()
    files: Sequence[Path] = ()
    notes: Sequence[str] = ()
    viewers: int = 0
    controls: Controls = field(default_factory=Controls)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON, with the units in the names."""
        return {
            "name": self.name,
            "source": self.source,
            "phase": self.phase.value,
            "reason": self.reason,
            "since": self.since,
            "width": self.width,
            "height": self.height,
            "source_fps": self.source_fps,
            "fps": self.fps,
            "latency": self.latency.to_dict() if self.latency else None,
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "drops": dict(self.drops),
            "reconnects": self.reconnects,
            "restarts": self.restarts,
            "process_factor": self.process_factor,
            "advice": self.advice,
            "outputs": [output.to_dict() for output in self.outputs],
            "files": [str(path) for path in self.files[-MOST_FILES:]],
            "files_count": len(self.files),
            "notes": list(self.notes),
            "viewers": self.viewers,
            "controls": self.controls.to_dict(),
        }
