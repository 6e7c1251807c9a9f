"""Many files: which ones, what their outputs are called, and the run over them."""

from streamlight.batch.files import (
    DEFAULT_PATTERN,
    BatchJob,
    FoundFile,
    expand_inputs,
    name_output,
    plan_batch,
)
from streamlight.batch.run import BatchReport, JobFigures, JobResult, State, run_batch

__all__ = [
    "DEFAULT_PATTERN",
    "BatchJob",
    "BatchReport",
    "FoundFile",
    "JobFigures",
    "JobResult",
    "State",
    "expand_inputs",
    "name_output",
    "plan_batch",
    "run_batch",
]
