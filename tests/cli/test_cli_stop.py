"""Ctrl-C and SIGTERM, sent to real processes in the middle of a long run."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import (
    FAST,
    Run,
    dark_clip,
    finish,
    frames_of,
    long_clip,
    read_json,
    start,
    wait_for_output,
)

from streamlight.api import enhance_file

SLOW_RUN = ("--model", "gladnet", "--sampling", "nearest", *FAST, "--crf", "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the long clip and the compiled network, for all tests here."""
    folder = tmp_path_factory.mktemp("long")
    long_clip(folder / "long.mp4")
    return folder


class LongRun:
    """A run in the middle of the long clip."""

    def __init__(self, folder: Path, out: Path, *arguments: str | Path) -> None:
        self.target, self.report = out / "out.mp4", out / "report.json"
        self.process: subprocess.Popen[str] = start(
            folder / "cache", "file", folder / "long.mp4", "-o", self.target, "--report",
            self.report, *SLOW_RUN, *arguments,
        )  # fmt: skip
        try:
            wait_for_output(out)
        except TimeoutError:
            self.kill()
            raise

    def end(self, *signals: signal.Signals) -> Run:
        for number in signals:
            self.process.send_signal(number)
        return finish(self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def no_process_left() -> Iterator[list[LongRun]]:
    runs: list[LongRun] = []
    yield runs
    for run in runs:
        run.kill()


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGINT,), 130),
        ((signal.SIGTERM,), 143),
        ((signal.SIGHUP,), 129),
        ((signal.SIGINT, signal.SIGINT), 130),
    ],
    ids=lambda value: "+".join(s.name for s in value) if isinstance(value, tuple) else str(value),
)
def test_a_signal_leaves_nothing_behind(
    folder: Path,
    tmp_path: Path,
    no_process_left: list[LongRun],
    signals: tuple[signal.Signals, ...],
    code: int,
) -> None:
    run = LongRun(folder, tmp_path)
    no_process_left.append(run)
    stopped = run.end(*signals)
    assert (stopped.code, stopped.out) == (code, ""), stopped.lines
    assert stopped.lines[-1].startswith("stopped: ")
    assert stopped.lines[-1].endswith(" of 600 frames done, nothing kept")
    assert len(stopped.lines) == 3, "the opening line, the notice, and what became of it"
    assert {path.name for path in tmp_path.iterdir()} == {"report.json"}
    report = read_json(run.report)
    assert (report["outcome"], report["exit_code"]) == ("stopped", code)
    assert (report["output"], report["error"]) == (None, None)
    assert 0 < report["pipeline"]["frames_out"] < 600


def test_keep_partial_keeps_a_playable_file(
    folder: Path, tmp_path: Path, no_process_left: list[LongRun]
) -> None:
    run = LongRun(folder, tmp_path, "--keep-partial", "-q")
    no_process_left.append(run)
    stopped = run.end(signal.SIGINT)
    assert stopped.code == 130
    report = read_json(run.report)
    frames = report["pipeline"]["frames_out"]
    assert stopped.lines == [f"stopped: {frames} of 600 frames done, kept in {run.target}"]
    assert frames_of(run.target) == frames > 0
    assert report["output"] == str(run.target)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "out.mp4"}


def test_an_existing_output_survives_a_stop(
    folder: Path, tmp_path: Path, no_process_left: list[LongRun]
) -> None:
    (tmp_path / "out.mp4").write_bytes(b"precious")
    run = LongRun(folder, tmp_path, "-y")
    no_process_left.append(run)
    assert run.end(signal.SIGTERM).code == 143
    assert run.target.read_bytes() == b"precious"


def test_no_file_is_kept_when_no_frame_was_done(tmp_path: Path) -> None:
    clip, target, stop = dark_clip(tmp_path / "night.mp4"), tmp_path / "out.mp4", threading.Event()
    stop.set()
    result = enhance_file(clip, target, backend="openvino", stop=stop, keep_partial=True)
    assert (result.output, result.report.frames_out) == (None, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"night.mp4"}


_STUCK = """
import sys, threading
from pathlib import Path
from streamlight.cli.signals import StopSignals
from streamlight.sinks.partial import PartialFile

with StopSignals(threading.Event()):
    PartialFile(Path(sys.argv[1]), overwrite=False)
    print("begun", flush=True)
    try:
        threading.Event().wait()
    finally:
        threading.Event().wait()  # as a codec that never returns
"""


def test_what_does_not_hear_the_second_signal_is_left_without_its_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STUCK, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
