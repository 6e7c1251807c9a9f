"""What a batch says, and how it ends for the shell and for scripts."""

from pathlib import Path

import pytest
import typer
from cli_runs import DONE, read_json

from streamlight.batch import BatchJob, JobFigures
from streamlight.cli.batch_run import BatchRun
from streamlight.errors import BackendUnavailableError, SinkError, SourceError, UsageError


def jobs_in(folder: Path, count: int = 3) -> list[BatchJob]:
    return [
        BatchJob(folder / f"{n}.mp4", folder / f"{n}.bright.mp4", n) for n in range(1, count + 1)
    ]


def write(job: BatchJob, worker: int) -> JobFigures:
    job.target.write_text("video")
    return JobFigures(job.target, 12, notes=["a data stream is not copied"])


def second_fails(job: BatchJob, worker: int) -> JobFigures:
    if job.number == 2:
        raise SourceError(f"{job.source}: the file is empty")
    return write(job, worker)


def test_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    BatchRun(jobs_in(tmp_path), report_path=report).carry_out(write)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{tmp_path}/1.mp4: note: a data stream is not copied"
    assert lines[1].startswith(f"1/3 {tmp_path}/1.mp4: {tmp_path}/1.bright.mp4, 12 frames in ")
    assert lines[6].split() == ["file", "frames", "fps", "seconds", "result"]
    assert lines[7].rstrip().endswith("done, 1 note")
    assert lines[-1].startswith("3 done; 36 frames in ")
    written = read_json(report)
    assert written["exit_code"] == 0
    assert written["counts"]["done"] == 3
    assert written["files"][0]["output"] == str(tmp_path / "1.bright.mp4")
    assert written["files"][0]["notes"] == ["a data stream is not copied"]


def test_a_file_that_failed_makes_the_exit_code_and_its_reason_is_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    with pytest.raises(typer.Exit) as ended:
        BatchRun(jobs_in(tmp_path), report_path=report).carry_out(second_fails)
    assert ended.value.exit_code == 1
    lines = capsys.readouterr().err.splitlines()
    reason = f"{tmp_path}/2.mp4: the file is empty"
    assert f"2/3 {tmp_path}/2.mp4: error: {reason}" in lines
    assert any(line.rstrip().endswith(f"failed: {reason}") for line in lines)
    assert lines[-1].startswith("2 done, 1 failed; 24 frames")
    written = read_json(report)
    assert [file["outcome"] for file in written["files"]] == ["done", "failed", "done"]
    assert written["files"][1]["error"] == reason
    assert (written["exit_code"], written["files"][1]["exit_code"]) == (1, 1)


def test_quietly_only_errors_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        BatchRun(jobs_in(tmp_path), is_quiet=True).carry_out(second_fails)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"2/3 {tmp_path}/2.mp4: error: {tmp_path}/2.mp4: the file is empty\n"


def test_a_bug_is_graver_than_a_failure(tmp_path: Path) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 3:
            raise ZeroDivisionError
        return second_fails(job, worker)

    with pytest.raises(typer.Exit) as ended:
        BatchRun(jobs_in(tmp_path)).carry_out(enhance)
    assert ended.value.exit_code == 70


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("--model x"), 2), (BackendUnavailableError("no GPU"), 1)]
)
def test_what_every_file_would_meet_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        raise error

    with pytest.raises(typer.Exit) as ended:
        BatchRun(jobs_in(tmp_path)).carry_out(enhance)
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"1/3 {tmp_path}/1.mp4: error: {error}\n"


def test_an_interrupt_is_told_with_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 2:
            raise KeyboardInterrupt
        return write(job, worker)

    with pytest.raises(typer.Exit) as ended:
        BatchRun(jobs_in(tmp_path)).carry_out(enhance)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("1 done, 2 not started; 12 frames")


def test_progress_without_a_terminal_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = BatchRun(jobs_in(tmp_path, 1), is_quiet=True)

    def enhance(job: BatchJob, worker: int) -> JobFigures:
        run.on_open(12)
        run.on_progress(DONE)
        return write(job, worker)

    run.carry_out(enhance)
    assert capsys.readouterr().err == ""


def test_a_report_in_the_way_is_refused_before_anything_starts(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path)
    for path in (jobs[1].source, jobs[1].target):
        with pytest.raises(UsageError, match="is an input or output"):
            BatchRun(jobs, report_path=path)
    with pytest.raises(SinkError, match="is a folder"):
        BatchRun(jobs, report_path=tmp_path)
    with pytest.raises(SinkError, match="no such folder"):
        BatchRun(jobs, report_path=tmp_path / "gone" / "report.json")
