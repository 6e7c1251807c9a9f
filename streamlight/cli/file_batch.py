"""Which files `streamlight file` takes, and the run over one or many of them."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from streamlight.api import FileResult
from streamlight.batch import (
    DEFAULT_PATTERN,
    BatchJob,
    FoundFile,
    JobFigures,
    expand_inputs,
    name_output,
    plan_batch,
)
from streamlight.cli.batch_run import BatchRun
from streamlight.cli.file_job import FileJob
from streamlight.cli.file_run import FileRun
from streamlight.enhance import Enhancer
from streamlight.errors import SourceError, UsageError
from streamlight.pipeline import Outcome
from streamlight.sources.picture_names import is_sequence


class FileBatch:
    """The inputs of one call, and where their outputs go."""

    def __init__(
        self,
        sources: Sequence[Path],
        output: str | None,
        *,
        pattern: str = DEFAULT_PATTERN,
        recursive: bool = False,
        skip_existing: bool = False,
        workers: int = 1,
    ) -> None:
        """Take the arguments as they are typed.

        Args:
            sources: files, folders, or one numbered sequence.
            output: a file, or a folder (there already, or ending in a slash); None for beside
                each input.
            pattern: names in a folder.
            recursive: folders within folders too.
            skip_existing: leave out inputs whose output is there.
            workers: files at once.
        """
        self._sources = list(sources)
        self._output = output
        self._pattern = pattern
        self._recursive = recursive
        self._skip_existing = skip_existing
        self._workers = workers

    @property
    def is_single(self) -> bool:
        """Whether it is one file, with an output of its own name."""
        return (
            len(self._sources) == 1
            and not self._sources[0].is_dir()
            and not self._is_folder()
            and not self._skip_existing
            and self._pattern == DEFAULT_PATTERN
        )

    def carry_out(self, job: FileJob, *, report_path: Path | None, is_quiet: bool) -> None:
        """Enhance the file, or all files, and say how it went.

        Raises:
            UsageError: inputs and output do not fit together.
            VerificationError: the one output differs from its input.
            typer.Exit: some of many files failed, or a signal stopped the run.
        """
        if self.is_single:
            self._enhance_one(job, report_path, is_quiet)
        else:
            self._enhance_many(job, report_path, is_quiet)

    def _is_folder(self) -> bool:
        output = self._output
        return output is not None and (output.endswith(("/", "\\")) or Path(output).is_dir())

    def _enhance_one(self, job: FileJob, report_path: Path | None, is_quiet: bool) -> None:
        source = self._sources[0]
        if self._output is None and is_sequence(source):
            raise UsageError(f"{source}: a sequence needs an output: -o out.mp4, -o out_%05d.png")
        target = Path(self._output) if self._output else name_output(FoundFile(source))
        run = FileRun(
            source,
            target,
            model=job.network["model"],
            backend=job.network["backend"],
            report_path=report_path,
            is_quiet=is_quiet,
        )
        run.carry_out(
            lambda: job.enhance(
                source, target, stop=run.stop, on_open=run.on_open, on_progress=run.on_progress
            ),
            lambda result: job.check(source, result),
        )

    def _enhance_many(self, job: FileJob, report_path: Path | None, is_quiet: bool) -> None:
        if self._output is not None and not self._is_folder():
            raise UsageError(
                f"-o {self._output}: several inputs need a folder; write {self._output}/ to make it"
            )
        folder = None if self._output is None else Path(self._output)
        found = expand_inputs(self._sources, recursive=self._recursive, leave_out=folder)
        plan = plan_batch(
            found,
            folder,
            self._pattern,
            overwrite=job.overwrite,
            skip_existing=self._skip_existing,
        )
        run = BatchRun(
            plan,
            workers=self._workers,
            skip_existing=self._skip_existing,
            report_path=report_path,
            is_quiet=is_quiet,
        )
        with ExitStack() as stack:
            networks = _Networks(job, stack)

            def enhance_one(file: BatchJob, worker: int) -> JobFigures:
                result = job.enhance(
                    file.source,
                    file.target,
                    enhancer=networks.of(worker),
                    stop=run.stop,
                    on_open=lambda source, _: run.on_open(source.info.frame_count),
                    on_progress=run.on_progress,
                )
                return _figures(file, job, result)

            run.carry_out(enhance_one)


class _Networks:
    """An open network for each worker, opened when it is first wanted."""

    def __init__(self, job: FileJob, stack: ExitStack) -> None:
        self._job = job
        self._stack = stack
        self._lock = threading.Lock()
        self._open: dict[int, Enhancer] = {}

    def of(self, worker: int) -> Enhancer:
        with self._lock:
            if worker not in self._open:
                self._open[worker] = self._stack.enter_context(self._job.open_enhancer())
            return self._open[worker]


def _figures(file: BatchJob, job: FileJob, result: FileResult) -> JobFigures:
    found = job.check(file.source, result)
    if found is not None:
        found.check(file.target)
    if result.is_cut_off:
        raise SourceError(f"{file.source}: is cut off; {result.output} holds what was there")
    return JobFigures(
        result.output,
        result.report.frames_out,
        result.report.outcome is Outcome.STOPPED,
        tuple(result.notes),
    )
