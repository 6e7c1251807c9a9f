"""A run in its folder: steps, log, checkpoints, evaluations, and at the end the weights."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamlight.errors import ModelError, SinkError, StreamlightError
from streamlight.models.gladnet import GLADNet
from streamlight.models.own import write_whole
from streamlight.models.weights import save_weights
from streamlight.training.checkpoint import load_checkpoint, save_checkpoint
from streamlight.training.log import TrainingLog
from streamlight.training.metering import fit_meter
from streamlight.training.trainer import StepReport, Trainer

if TYPE_CHECKING:
    from streamlight.evaluation.tables import Table

Validate = Callable[[GLADNet, Path], "Table"]
"""Measures a network and writes a contact sheet to a path."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of a run lie.

    Attributes:
        path: of the folder; its name is that of the model.
    """

    path: Path

    @property
    def name(self) -> str:
        """Of the model; of "." too."""
        return self.path.resolve().name

    @property
    def checkpoint(self) -> Path:
        """All that the run needs to go on."""
        return self.path / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """What `--model` takes."""
        return self.path / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.path / "MODEL_CARD.md"

    def sheet(self, step: int) -> Path:
        """The contact sheet of an evaluation."""
        return self.path / f"sheet-{step:06d}.png"

    def prepare(self, *, resume: bool) -> bool:
        """Make the folder; return whether there is a checkpoint to go on from.

        Raises:
            SinkError: it holds something and `resume` is false, or cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            is_empty = not any(self.path.iterdir())
        except OSError as error:
            raise SinkError(f"{self.path}: cannot be made ({error.strerror})") from error
        if not is_empty and not resume:
            raise SinkError(
                f"{self.path}: is not empty; --resume goes on with the run in it, "
                "--out begins one in another folder"
            )
        return self.checkpoint.is_file()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is done every how many steps.

    Attributes:
        log: a line of the log.
        checkpoint: a checkpoint.
        evaluate: an evaluation; 0 for only one at the end.
    """

    log: int = 50
    checkpoint: int = 500
    evaluate: int = 2000


def run_session(
    trainer: Trainer,
    folder: RunFolder,
    *,
    rhythm: Rhythm,
    card: Callable[[GLADNet, "Table"], str],
    validate: Validate | None = None,
    resume: bool = False,
    stop: threading.Event | None = None,
    on_step: Callable[[StepReport], None] = lambda report: None,
    on_view: Callable[[int, int], None] = lambda done, total: None,
    on_figures: Callable[[int, "Table"], None] = lambda step, rows: None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> bool:
    """Train until it is done, or until `stop`; either way a checkpoint and weights are written.

    Stopped before the first step it writes nothing. When the training is over, the network's meter
    is fitted, if it has one. Weights are written before that and before the last evaluation, which
    may fail, and again with its figures.

    Args:
        trainer: new.
        folder: of the run.
        rhythm: of log, checkpoints and evaluations.
        card: makes the model card of a network and its results.
        validate: measures, and gives no rows where it was stopped; None to measure nothing.
        resume: go on from the checkpoint in the folder, where there is one.
        stop: set it from another thread or a signal handler.
        on_step: called after each step.
        on_view: called with how many of how many views the meter's fitting has done.
        on_figures: called after each evaluation.
        on_warning: told of an evaluation on the way that failed, and of a meter that cannot be
            fitted; the run goes on.

    Returns:
        Whether it is done; false when it was stopped.

    Raises:
        SinkError: something cannot be written; the latest checkpoint is still whole.
        UsageError: the checkpoint is of another run.
        ModelError: the checkpoint cannot be read, or the loss is not a number any more.
        StreamlightError: the last evaluation failed.
    """

    def is_stopped() -> bool:
        return stop is not None and stop.is_set()

    def measure(validate: Validate, network: GLADNet) -> "Table":
        rows = validate(network, folder.sheet(trainer.step))
        if not rows:  # it was stopped
            return rows
        log.add_figures(trainer.step, _named(rows))
        on_figures(trainer.step, rows)
        return rows

    if folder.prepare(resume=resume):
        trainer.restore(load_checkpoint(folder.checkpoint))
    if is_stopped() and not trainer.is_done:
        return False
    log = TrainingLog(folder.path, trainer.step)
    reports: list[StepReport] = []
    try:
        while not trainer.is_done:
            report = trainer.advance()
            reports.append(report)
            on_step(report)
            if report.step % rhythm.log == 0:
                _log(log, reports)
            if report.step % rhythm.checkpoint == 0:
                save_checkpoint(folder.checkpoint, trainer.state())
            is_due = rhythm.evaluate and report.step % rhythm.evaluate == 0
            if validate is not None and is_due and not trainer.is_done and not is_stopped():
                try:
                    measure(validate, trainer.result())
                except StreamlightError as error:
                    on_warning(f"not evaluated at step {report.step}: {error}")
            if is_stopped():
                break
        _log(log, reports)
        save_checkpoint(folder.checkpoint, trainer.state())
        network = trainer.result()
        _write_result(network, folder, card(network, []))
        if not trainer.is_done:
            return False
        if network.prior.meter is not None:
            options = trainer.options
            try:
                if not fit_meter(
                    network,
                    trainer.photographs,
                    options.recipe,
                    options.seed,
                    views=options.meter,
                    stop=stop,
                    on_view=on_view,
                ):
                    return False
            except ModelError as error:
                on_warning(str(error))
            _write_result(network, folder, card(network, []))
        if validate is not None and (rows := measure(validate, network)):
            _write_result(network, folder, card(network, rows))
    finally:
        log.close()
    return True


def _log(log: TrainingLog, reports: list[StepReport]) -> None:
    if not reports:
        return
    count = len(reports)
    loss, step_s = sum(r.loss for r in reports) / count, sum(r.step_s for r in reports) / count
    log.add(reports[-1].step, loss, reports[-1].rate, step_s)
    reports.clear()


def _named(rows: "Table") -> dict[str, float]:
    from streamlight.training.validation import figures

    return figures(rows)


def _write_result(network: GLADNet, folder: RunFolder, card: str) -> None:
    save_weights(network, folder.weights, card)
    write_whole(folder.card, card.encode())
