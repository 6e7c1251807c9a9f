"""Runs of the real command in a process of its own, as a user or a script starts it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import Picture, Sound, make_clip
from typer.testing import CliRunner

import streamlight
from streamlight.cli import app
from streamlight.pipeline import Outcome, PipelineReport, Stage
from streamlight.pipeline.report import QueueWait

OPENVINO = ("--backend", "openvino")  # auto would import torch first, which takes seconds
FAST = (*OPENVINO, "--preset", "ultrafast")
TIMEOUT_S = 90

DONE = PipelineReport(
    frames_in=12,
    frames_out=12,
    frames_dropped=0,
    wall_s=2.0,
    parallel=1,
    busy_s=dict.fromkeys(Stage, 0.2) | {Stage.RECONSTRUCT: 1.8},
    decoded_wait=QueueWait(),
    enhanced_wait=QueueWait(),
    outcome=Outcome.END_OF_STREAM,
)
"""A run that went well."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished process left.

    Attributes:
        code: exit code.
        out: stdout.
        err: stderr.
    """

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of stderr."""
        return self.err.splitlines()


def environment(cache: Path) -> dict[str, str]:
    """Return what a run needs to find streamlight and to leave the user's files alone."""
    unwanted = {"FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    root = str(Path(streamlight.__file__).parents[1])
    return kept | {"PYTHONPATH": root, "XDG_CACHE_HOME": str(cache), "TERM": "xterm"}


def start(cache: Path, *arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "streamlight", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(cache), **(pipes | options))


def finish(process: "subprocess.Popen[str]") -> Run:
    out, err = process.communicate(timeout=TIMEOUT_S)
    return Run(process.returncode, out, err)


def run(cache: Path, *arguments: str | Path, **options: Any) -> Run:
    return finish(start(cache, *arguments, **options))


def run_here(*arguments: str | Path) -> Run:
    """Run a command in this process, which saves its start: for what needs no signal or pipe."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return Run(result.exit_code, result.stdout, result.stderr)


def dark_clip(path: Path, frames: int = 12) -> Path:
    """Write a dark clip of 64x48 with sound."""
    return make_clip(path, frames=frames, picture=_dark, sound=[Sound(duration_s=0.4)])


def long_clip(path: Path) -> Path:
    """Write a clip that takes gladnet a minute on one core, and whose noise fills the output."""
    return make_clip(
        path, frames=600, size=(96, 72), picture=_noise, options={"preset": "ultrafast"}
    )


def frames_of(path: Path) -> int:
    """Count the pictures of a file, by decoding them."""
    with av.open(str(path)) as clip:
        return sum(1 for _ in clip.decode(video=0))


def has_sound(path: Path) -> bool:
    with av.open(str(path)) as clip:
        return bool(clip.streams.audio)


def wait_for_output(folder: Path, size: int = 100_000) -> None:
    """Wait until a partial file of that many bytes lies in a folder."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if any(path.stat().st_size >= size for path in folder.glob(".*.partial*")):
            return
        time.sleep(0.02)
    raise TimeoutError(f"no partial file of {size} bytes in {folder}")


def read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _dark(index: int, width: int, height: int) -> Picture:
    return np.full((height, width, 3), 10 + index, np.uint8)


def _noise(index: int, width: int, height: int) -> Picture:
    random = np.random.default_rng(index)
    return random.integers(0, 80, (height, width, 3), dtype=np.uint8)
