"""What became of a live run, for scripts: the JSON file of `--report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlight.cameras.source import LiveInput
from streamlight.cli.backend_report import backend_dict
from streamlight.cli.errors import describe, exit_code
from streamlight.cli.json_file import write_json
from streamlight.cli.messages import one_line
from streamlight.cli.run_report import SCHEMA
from streamlight.cli.versions import versions
from streamlight.enhance import Enhancer
from streamlight.pipeline import BranchReport, PipelineReport
from streamlight.sources.live import LiveSource


@dataclass(slots=True)
class LiveReport:
    """Gathers the facts of a live run while it goes on, so that they are there when it fails.

    Attributes:
        source: where the pictures come from.
        enhancer: what runs the network; None before it is open.
        pipeline: the latest figures.
        sinks: figures of each output.
        streams: of each stream, by its name: frames sent, dropped, reconnects.
        files: recordings.
        notes: what the user should know.
        outcome: "end_of_stream", "stopped" or "failed".
        stopped_by: "signal", "duration" or "window"; None when not stopped.
        exit_code: of the process.
        error: what went wrong, in one line.
    """

    source: LiveInput
    enhancer: Enhancer | None = None
    pipeline: PipelineReport | None = None
    sinks: Sequence[BranchReport] = ()
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outcome: str | None = None
    stopped_by: str | None = None
    exit_code: int = 0
    error: str | None = None
    _overtaken_before: int = 0

    def begin(self) -> None:
        """Count what is dropped from now on: not while the network was prepared."""
        self._overtaken_before = self.source.frames_overtaken

    @property
    def reconnects(self) -> int:
        """How often a lost connection was made again."""
        return self.source.reconnects if isinstance(self.source, LiveSource) else 0

    @property
    def drops(self) -> dict[str, int]:
        """Frames of the run that were not shown, by reason."""
        dropped = {"overtaken": self.source.frames_overtaken - self._overtaken_before}
        if self.pipeline is not None:
            dropped |= {reason.value: count for reason, count in self.pipeline.drops.items()}
        return dropped

    def take_error(self, error: BaseException) -> None:
        """Note the end of a run that failed."""
        self.outcome = "failed"
        self.error = one_line(describe(error).removeprefix("error: "))
        self.exit_code = exit_code(error)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, with the units in the names."""
        enhancer = self.enhancer
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "stopped_by": self.stopped_by,
            "exit_code": self.exit_code,
            "error": self.error,
            "input": {
                "name": self.source.name,
                "reconnects": self.reconnects,
                "losses": self._losses(),
                **self._size(),
            },
            "model": enhancer.model.name if enhancer else None,
            "backend": (
                backend_dict(enhancer.info, enhancer.reason, enhancer.swaps) if enhancer else None
            ),
            "pipeline": self.pipeline.to_dict() if self.pipeline else None,
            "drops": self.drops,
            "sinks": [sink.to_dict() for sink in self.sinks],
            "streams": self.streams,
            "files": [str(path) for path in self.files],
            "notes": self.notes,
            "versions": versions(),
        }

    def write(self, path: Path) -> None:
        """Write the JSON.

        Raises:
            SinkError: it cannot be written.
        """
        write_json(path, self.to_dict())

    def _losses(self) -> dict[str, int]:
        if not isinstance(self.source, LiveSource):
            return {}
        return {cause.value: count for cause, count in self.source.losses.items()}

    def _size(self) -> dict[str, Any]:
        if self.pipeline is None:  # perhaps not connected
            return {}
        info = self.source.info
        rate = float(info.rate) if info.rate else None
        return {"width": info.width, "height": info.height, "frames_per_s": rate}
