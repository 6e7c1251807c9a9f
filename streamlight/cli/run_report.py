"""What became of a run, for scripts: the JSON file of `--report`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlight.cli.backend_report import backend_dict
from streamlight.cli.errors import describe, exit_code
from streamlight.cli.json_file import write_json
from streamlight.cli.messages import one_line
from streamlight.cli.versions import versions
from streamlight.errors import SinkError, UsageError

if TYPE_CHECKING:
    from streamlight.enhance import Enhancer
    from streamlight.pipeline import PipelineReport

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""


@dataclass(slots=True)
class RunReport:
    """Gathers the facts of a run while it goes on, so that they are there when it fails.

    Attributes:
        source: the input.
        output: the file that was written; None when there is none.
        exit_code: of the process.
        error: what went wrong, in one line.
        outcome: "end_of_stream", "stopped" or "failed".
        pipeline: the latest figures.
        notes: what the user should know.
        verification: what `--verify` found; None where it was not asked for.
        opened: what is known since input and network are open.
        enhancer: what runs the network; None before it is open.
    """

    source: Path
    output: Path | None = None
    exit_code: int = 0
    error: str | None = None
    outcome: str | None = None
    pipeline: "PipelineReport | None" = None
    notes: list[str] = field(default_factory=list)
    verification: dict[str, Any] | None = None
    opened: dict[str, Any] = field(default_factory=dict)
    enhancer: "Enhancer | None" = None

    def take_open(self, source: Any, enhancer: "Enhancer") -> None:
        """Note the input and what enhances it."""
        info, color = source.info, source.info.color
        self.enhancer = enhancer
        self.notes = list(source.notes)
        self.opened = {
            "input": {
                "path": str(self.source),
                "width": info.width,
                "height": info.height,
                "frames_per_s": float(info.rate) if info.rate else None,
                "rate": str(info.rate) if info.rate else None,
                "frame_count": info.frame_count,
                "rotation_degrees": info.rotation,
                "color": {
                    "matrix": int(color.matrix),
                    "range": int(color.range),
                    "primaries": int(color.primaries),
                    "transfer": int(color.transfer),
                },
            },
            "hwaccel": {
                "used": "cuda" if getattr(source, "hardware", None) else "none",
                "note": getattr(source, "hwaccel_note", "") or None,
            },
            "model": enhancer.model.name,
        }

    def take_error(self, error: BaseException) -> None:
        """Note the end of a run that failed."""
        self.outcome = "failed"
        self.error = one_line(describe(error).removeprefix("error: "))
        self.exit_code = exit_code(error)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, with the units in the names."""
        blank = {"input": {"path": str(self.source)}, "hwaccel": None, "model": None}
        enhancer, backend = self.enhancer, None
        if enhancer is not None:
            backend = backend_dict(enhancer.info, enhancer.reason, enhancer.swaps)
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "error": self.error,
            "output": str(self.output) if self.output else None,
            **(self.opened or blank),
            "backend": backend,
            "pipeline": self.pipeline.to_dict() if self.pipeline else None,
            "notes": self.notes,
            "verification": self.verification,
            "versions": versions(),
        }

    def write(self, path: Path) -> None:
        """Write the JSON; the file is replaced in one step, so a reader never sees half of it.

        Raises:
            SinkError: it cannot be written.
        """
        write_json(path, self.to_dict())


def check_path(path: Path, source: Path, target: Path) -> None:
    """Check, before hours of work, that a report can be written there.

    Raises:
        UsageError: it is the input or the output.
        SinkError: it is a folder, or its folder is missing.
    """
    if path.absolute() == target.absolute():
        raise UsageError(f"--report {path}: is the output; choose another file")
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"--report {path}: is the input; choose another file")
    if path.is_dir():
        raise SinkError(f"--report {path}: is a folder; a file name was expected")
    if not path.parent.is_dir():
        raise SinkError(f"--report {path}: no such folder; create it with mkdir -p")
