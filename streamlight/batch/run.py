"""A run over many files, which goes on after a bad one."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from streamlight.batch.files import BatchJob
from streamlight.errors import BackendUnavailableError, ModelError, SinkError, UsageError

_FATAL = (UsageError, BackendUnavailableError, ModelError)
"""What would fail for the next file too."""

_LAST_WAIT_S = 5.0
"""For threads to end after a second Ctrl-C."""


class State(StrEnum):
    """What became of a file."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What a caller tells of a file that it enhanced.

    Attributes:
        output: what was written; None when it was stopped and nothing kept.
        frames: how many.
        is_stopped: whether it was stopped before its end.
        notes: what the user should know.
    """

    output: Path | None
    frames: int
    is_stopped: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobResult:
    """What became of a file.

    Attributes:
        job: the file.
        state: how it ended.
        frames: enhanced and written.
        wall_s: how long it took.
        output: what was written; None for nothing.
        notes: what the user should know.
        error: why it failed.
    """

    job: BatchJob
    state: State
    frames: int = 0
    wall_s: float = 0.0
    output: Path | None = None
    notes: tuple[str, ...] = ()
    error: BaseException | None = None

    @property
    def fps(self) -> float:
        """Frames per second, opening and closing the files included."""
        return self.frames / self.wall_s if self.wall_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of all files.

    Attributes:
        results: in the order of the batch.
        wall_s: how long it took in all.
        is_interrupted: whether a second Ctrl-C ended it.
        fatal: the failure that every further file would have met too; it ended the batch.
    """

    results: tuple[JobResult, ...]
    wall_s: float
    is_interrupted: bool = False
    fatal: BaseException | None = None

    def of_state(self, state: State) -> list[JobResult]:
        """Return the results that ended so."""
        return [result for result in self.results if result.state is state]

    @property
    def frames(self) -> int:
        """Frames written in all."""
        return sum(result.frames for result in self.results)


EnhanceOne = Callable[[BatchJob, int], JobFigures]
"""Enhances a file; the number is that of the worker, from 0, for what each has of its own."""


@dataclass(slots=True)
class _Run:
    """What the threads of a batch share."""

    jobs: Iterator[BatchJob]
    results: dict[int, JobResult] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    folders: list[Path] = field(default_factory=list)
    fatal: BaseException | None = None


def run_batch(
    jobs: Sequence[BatchJob],
    enhance_one: EnhanceOne,
    *,
    workers: int = 1,
    skip_existing: bool = False,
    stop: threading.Event | None = None,
    on_start: Callable[[BatchJob], None] = lambda job: None,
    on_end: Callable[[JobResult], None] = lambda result: None,
) -> BatchReport:
    """Enhance the files one after the other, or some at once; go on after one that fails.

    Args:
        jobs: from `plan_batch`.
        enhance_one: enhances a file; it is called from `workers` threads at once, from the
            calling thread when there is one worker.
        workers: files at once. The network uses all cores for one file already; two files at
            once hide what is not the network's work.
        skip_existing: leave out files whose output is there.
        stop: set it to start no more files; `enhance_one` has to heed it for those under way.
        on_start: called with each file before it is enhanced, in its thread.
        on_end: called with each result, one at a time.

    Returns:
        What became of each. Any exception of `enhance_one` is the result of its file. A
        UsageError, BackendUnavailableError or ModelError ends the batch, because the next file
        would meet the same.

    Raises:
        UsageError: `workers` is not positive.
    """
    if workers < 1:
        raise UsageError(f"--jobs {workers}: must be at least 1")
    stop = stop or threading.Event()
    started = time.perf_counter()
    run = _Run(iter(jobs))
    is_interrupted = False

    def work(worker: int) -> None:
        while not stop.is_set():
            with run.lock:
                job = next(run.jobs, None)
            if job is None:
                return
            result = _do(job, enhance_one, worker, skip_existing, on_start, run)
            with run.lock:
                run.results[job.number] = result
                if isinstance(result.error, _FATAL):
                    run.fatal = run.fatal or result.error
                    stop.set()
                on_end(result)

    try:
        if workers == 1:
            work(0)
        else:
            _work_in_threads(work, min(workers, len(jobs)))
    except KeyboardInterrupt:
        is_interrupted = True
        stop.set()
    with run.lock:
        results = tuple(
            run.results.get(job.number, JobResult(job, State.NOT_STARTED)) for job in jobs
        )
        _remove_empty(run.folders)
    return BatchReport(results, time.perf_counter() - started, is_interrupted, run.fatal)


def _work_in_threads(work: Callable[[int], None], count: int) -> None:
    """Run `work` in threads; daemons, so that a second Ctrl-C need not wait for them."""
    threads = [
        threading.Thread(target=work, args=(n,), name=f"streamlight-batch-{n}", daemon=True)
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)  # in steps: a join without end is deaf to Ctrl-C on Windows
    except KeyboardInterrupt:
        deadline = time.monotonic() + _LAST_WAIT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        raise


def _do(
    job: BatchJob,
    enhance_one: EnhanceOne,
    worker: int,
    skip_existing: bool,
    on_start: Callable[[BatchJob], None],
    run: _Run,
) -> JobResult:
    """Enhance one file; whatever goes wrong with it is its result."""
    if skip_existing and os.path.exists(job.target):
        return JobResult(job, State.SKIPPED, output=job.target)
    started = time.perf_counter()
    on_start(job)
    try:
        with run.lock:
            run.folders += _make_folders(job.target.parent)
        figures = enhance_one(job, worker)
    except Exception as error:
        return JobResult(job, State.FAILED, wall_s=time.perf_counter() - started, error=error)
    return JobResult(
        job,
        State.STOPPED if figures.is_stopped else State.DONE,
        figures.frames,
        time.perf_counter() - started,
        figures.output,
        tuple(figures.notes),
    )


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return what was made, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot be made ({error.strerror})") from error
    return missing


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for outputs that never came.

    At the end of the batch only: before, another worker may be about to write into one.
    """
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # it holds outputs
            folder.rmdir()
