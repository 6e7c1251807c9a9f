"""The log of a run: a CSV file, and TensorBoard where it is installed."""

import csv
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlight.errors import SinkError
from streamlight.models.own import write_whole

COLUMNS = ("step", "loss", "rate", "step_s")


class TrainingLog:
    """Mean loss and learning rate every so many steps, and the figures of evaluations."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Open the log of a run.

        Lines of steps after `step`, which are done again, are dropped, and so is what a power cut
        left of a line.

        Raises:
            SinkError: the folder cannot be written to.
        """
        self._path = folder / "log.csv"
        lines = [",".join(COLUMNS)]
        try:
            if step and self._path.is_file():
                text = self._path.read_text(errors="replace")
                lines += [line for line in text.splitlines()[1:] if _is_whole(line, step)]
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be read ({error.strerror})") from error
        write_whole(self._path, "".join(f"{line}\n" for line in lines).encode())
        self._board = _board(folder, step)

    def add(self, step: int, loss: float, rate: float, step_s: float) -> None:
        """Add a line: means over the steps since the one before.

        Raises:
            SinkError: it cannot be written.
        """
        values = (step, f"{loss:.6f}", f"{rate:.3e}", f"{step_s:.4f}")
        try:
            with self._path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(values)
        except OSError as error:
            raise SinkError(f"{self._path}: cannot be written ({error.strerror})") from error
        if self._board is not None:
            self._board.add_scalar("loss", loss, step)
            self._board.add_scalar("rate", rate, step)

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Show figures of an evaluation in TensorBoard; elsewhere they have a file of their own."""
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()


def _is_whole(line: str, last: int) -> bool:
    """Whether a line has a number in each column, and is of a step up to the last."""
    step, *others = line.split(",")
    try:
        return int(step) <= last and len([float(x) for x in others]) == len(COLUMNS) - 1
    except ValueError:
        return False


def _board(folder: Path, step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)
