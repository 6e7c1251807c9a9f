"""What `streamlight file` says and reports, with a call in place of the real work."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from cli_runs import DONE, read_json

from streamlight.api import FileResult
from streamlight.cli import errors
from streamlight.cli.file_run import FileRun
from streamlight.errors import SinkError, SourceError, UsageError
from streamlight.pipeline import Outcome

STOPPED = replace(DONE, frames_out=5, outcome=Outcome.STOPPED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def make_run(folder: Path, *, is_quiet: bool = False) -> FileRun:
    return FileRun(
        folder / "in.mp4", folder / "out.mp4", report_path=folder / "r.json", is_quiet=is_quiet
    )


def raising(error: BaseException) -> Callable[[], FileResult]:
    def enhance() -> FileResult:
        raise error

    return enhance


def test_notes_are_one_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = ["data stream 2 is not copied", "3 damaged packets of the video were skipped"]
    target = folder / "out.mp4"
    make_run(folder).carry_out(lambda: FileResult(target, DONE, notes))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "note: data stream 2 is not copied",
        "note: 3 damaged packets of the video were skipped",
        f"{target}: 12 frames in 2.0 s, 6.0 fps; bottleneck: reconstruct (90 % busy)",
    ]
    assert read_json(folder / "r.json")["notes"] == notes


def test_quiet_says_nothing_of_success(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(folder, is_quiet=True).carry_out(lambda: FileResult(None, DONE, ["a note"]))
    assert capsys.readouterr() == ("", "")


def test_the_first_signal_asks_to_stop_and_the_second_interrupts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(folder)
    seen = []

    def enhance() -> FileResult:
        run.on_progress(STOPPED)
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(run.stop.is_set())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(2)
        raise AssertionError("the second signal did not interrupt")

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(typer.Exit) as ended:
        run.carry_out(enhance)
    assert seen == [True]
    assert ended.value.exit_code == 143, "the first signal says why"
    assert capsys.readouterr().err.splitlines()[-1] == "stopped: 5 frames done, nothing kept"
    assert signal.getsignal(signal.SIGINT) is handler
    assert read_json(folder / "r.json")["outcome"] == "stopped"


def test_what_an_interrupted_run_kept_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder / "out.mp4"

    def enhance() -> FileResult:
        target.write_bytes(b"partial")
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        make_run(folder).carry_out(enhance)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == f"stopped: 0 frames done, kept in {target}\n"
    assert read_json(folder / "r.json")["output"] == str(target)


def test_a_signal_that_is_ignored_stays_ignored(folder: Path) -> None:
    run = make_run(folder)

    def enhance() -> FileResult:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not run.stop.is_set()
        return FileResult(None, DONE)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run.carry_out(enhance)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (SourceError("bad\nvideo"), 1, "error: bad; video"),
        (UsageError("no"), 2, "error: no"),
        (MemoryError(), 1, "error: out of memory"),
        (KeyError("x"), 70, "internal error: KeyError: 'x' (while decoding frame 12); run with"),
    ],
)
def test_failures_reach_the_report_and_the_exit_code(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    text: str,
) -> None:
    error.add_note("while decoding frame 12")
    with pytest.raises(typer.Exit) as ended, errors.one_line_errors():
        make_run(folder).carry_out(raising(error))
    said = capsys.readouterr().err
    assert ended.value.exit_code == code
    assert said.startswith(text)
    assert said.count("\n") == 1
    report = read_json(folder / "r.json")
    assert (report["outcome"], report["exit_code"]) == ("failed", code)
    assert report["error"].startswith(text.removeprefix("error: "))
    assert report["input"] == {"path": str(folder / "in.mp4")}


def test_the_reports_own_failure_fails_a_run_that_went_well(folder: Path) -> None:
    run = FileRun(folder / "in.mp4", folder / "out.mp4", report_path=Path("/dev/full"))
    with pytest.raises(SinkError, match="/dev/full: the report cannot be written"):
        run.carry_out(lambda: FileResult(None, DONE))


def test_the_reports_own_failure_does_not_hide_the_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = FileRun(folder / "in.mp4", folder / "out.mp4", report_path=Path("/dev/full"))
    with pytest.raises(SourceError, match="the real reason"):
        run.carry_out(raising(SourceError("the real reason")))
    assert "the report cannot be written" in capsys.readouterr().err


def test_a_report_is_replaced_in_one_step(folder: Path) -> None:
    (folder / "r.json").write_text("old")
    link = folder / "link.json"
    link.hardlink_to(folder / "r.json")
    make_run(folder).carry_out(lambda: FileResult(None, DONE))
    assert read_json(folder / "r.json")["outcome"] == "end_of_stream"
    assert link.read_text() == "old", "the old file was written over instead of replaced"
    assert not list(folder.glob(".*"))
