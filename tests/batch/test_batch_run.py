"""A batch goes on after a bad file, stops when asked, and tells what became of each."""

import threading
import time
from pathlib import Path

import pytest

from streamlight.batch import BatchJob, JobFigures, JobResult, State, run_batch
from streamlight.errors import BackendUnavailableError, SinkError, SourceError, UsageError


def jobs_in(folder: Path, count: int = 4) -> list[BatchJob]:
    return [BatchJob(folder / f"{n}.mp4", folder / "out" / f"{n}.mp4", n) for n in range(count)]


def write(job: BatchJob, worker: int = 0) -> JobFigures:
    job.target.write_text("video")
    return JobFigures(job.target, 10, notes=[f"worker {worker}"])


def states(results: tuple[JobResult, ...]) -> list[State]:
    return [result.state for result in results]


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_a_bad_file_does_not_keep_the_others(
    tmp_path: Path, workers: int, no_thread_left: None
) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 1:
            raise SourceError("1.mp4: damaged")
        if job.number == 2:
            raise ZeroDivisionError("a bug")
        return write(job, worker)

    ended: list[JobResult] = []
    report = run_batch(jobs_in(tmp_path), enhance, workers=workers, on_end=ended.append)
    assert states(report.results) == [State.DONE, State.FAILED, State.FAILED, State.DONE]
    assert [result.job.number for result in report.results] == [0, 1, 2, 3]
    assert isinstance(report.results[2].error, ZeroDivisionError)
    assert sorted(result.job.number for result in ended) == [0, 1, 2, 3]
    assert report.frames == 20
    assert report.results[0].output == tmp_path / "out" / "0.mp4"
    assert not report.is_interrupted


def test_files_run_at_once_each_with_its_worker(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=10)
    seen: set[int] = set()

    def enhance(job: BatchJob, worker: int) -> JobFigures:
        meeting.wait()
        seen.add(worker)
        return write(job)

    report = run_batch(jobs_in(tmp_path), enhance, workers=2)
    assert states(report.results) == [State.DONE] * 4
    assert seen == {0, 1}


def test_one_worker_runs_in_the_calling_thread(tmp_path: Path) -> None:
    threads: set[threading.Thread] = set()

    def enhance(job: BatchJob, worker: int) -> JobFigures:
        threads.add(threading.current_thread())
        return write(job)

    run_batch(jobs_in(tmp_path), enhance)
    assert threads == {threading.current_thread()}


def test_outputs_that_are_there_are_skipped_on_request(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path)
    jobs[2].target.parent.mkdir()
    jobs[2].target.write_text("old")
    report = run_batch(jobs, write, skip_existing=True)
    assert states(report.results) == [State.DONE, State.DONE, State.SKIPPED, State.DONE]
    assert jobs[2].target.read_text() == "old"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_ends_the_file_under_way_and_starts_no_more(tmp_path: Path, workers: int) -> None:
    stop = threading.Event()

    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 1:
            stop.set()
        if job.number == 0:
            return write(job)
        stop.wait(10)
        return JobFigures(None, 3, is_stopped=True)

    report = run_batch(jobs_in(tmp_path, 5), enhance, workers=workers, stop=stop)
    found = states(report.results)
    assert found[:2] == [State.DONE, State.STOPPED]
    assert found[3:] == [State.NOT_STARTED] * 2
    assert (tmp_path / "out" / "0.mp4").exists(), "what was finished is kept"


@pytest.mark.parametrize("error", [UsageError("--model x"), BackendUnavailableError("no GPU")])
def test_what_every_file_would_meet_ends_the_batch(tmp_path: Path, error: Exception) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 1:
            raise error
        return write(job)

    report = run_batch(jobs_in(tmp_path), enhance)
    assert report.fatal is error
    assert states(report.results) == [
        State.DONE,
        State.FAILED,
        State.NOT_STARTED,
        State.NOT_STARTED,
    ]


def test_an_interrupt_ends_the_batch_and_keeps_what_is_done(tmp_path: Path) -> None:
    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 1:
            raise KeyboardInterrupt
        return write(job)

    report = run_batch(jobs_in(tmp_path), enhance)
    assert report.is_interrupted
    assert states(report.results) == [State.DONE, *[State.NOT_STARTED] * 3]


def test_folders_are_made_when_needed_and_removed_when_empty(tmp_path: Path) -> None:
    def fail(job: BatchJob, worker: int) -> JobFigures:
        assert job.target.parent.is_dir()
        raise SourceError("damaged")

    job = BatchJob(tmp_path / "a.mp4", tmp_path / "out" / "deep" / "a.mp4", 1)
    run_batch([job], fail)
    assert list(tmp_path.iterdir()) == []
    run_batch([job], write)
    assert job.target.exists()


def test_a_failure_does_not_take_the_folder_from_a_file_under_way(tmp_path: Path) -> None:
    has_made, is_under_way, has_failed = (threading.Event() for _ in range(3))

    def start(job: BatchJob) -> None:
        if job.number == 1:
            has_made.wait(10)

    def enhance(job: BatchJob, worker: int) -> JobFigures:
        if job.number == 0:
            has_made.set()
            is_under_way.wait(10)
            raise SourceError("damaged")
        is_under_way.set()
        has_failed.wait(10)
        return write(job)

    def end(result: JobResult) -> None:
        has_failed.set()

    report = run_batch(jobs_in(tmp_path, 2), enhance, workers=2, on_start=start, on_end=end)
    assert states(report.results) == [State.FAILED, State.DONE]


def test_a_folder_that_cannot_be_made_is_the_files_failure(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    (result,) = run_batch(jobs_in(tmp_path, 1), write).results
    assert isinstance(result.error, SinkError)
    assert "out: cannot be made" in str(result.error)


def test_figures_are_of_the_whole_file(tmp_path: Path) -> None:
    def slow(job: BatchJob, worker: int) -> JobFigures:
        time.sleep(0.05)
        return write(job)

    (result,) = run_batch(jobs_in(tmp_path, 1), slow).results
    assert result.wall_s >= 0.05
    assert result.fps == pytest.approx(10 / result.wall_s)
    assert result.notes == ("worker 0",)


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--jobs 0: must be at least 1"):
        run_batch(jobs_in(tmp_path), write, workers=0)
