"""The bars of `streamlight train`."""

import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import TaskID

    from streamlight.training.trainer import Trainer


class TrainingProgress:
    """Two bars on stderr, with the time that is left; nothing when stderr is no terminal."""

    def __init__(self) -> None:
        """Decide whether there will be bars."""
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        self._progress = Progress(
            *Progress.get_default_columns(),
            TextColumn("{task.fields[facts]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._read: TaskID | None = None
        self._train: TaskID | None = None
        self._meter: TaskID | None = None

    def __enter__(self) -> Self:
        """Show them."""
        self._progress.start()
        return self

    def __exit__(self, *failure: object) -> None:
        """Remove them."""
        self._progress.stop()

    def read(self, done: int, total: int) -> None:
        """Show how many pictures are read."""
        if self._read is None:
            self._read = self._progress.add_task("reading", total=total, facts="")
        self._progress.update(self._read, completed=done, visible=done < total)

    def step(self, trainer: "Trainer", loss: float) -> None:
        """Show a step."""
        if self._train is None:
            self._train = self._progress.add_task("training", total=1.0, facts="")
        facts = f"step {trainer.step}, loss {loss:.4f}"
        self._progress.update(self._train, completed=trainer.progress, facts=facts)

    def view(self, done: int, total: int) -> None:
        """Show how many views the meter's fitting has done."""
        if self._meter is None:
            self._meter = self._progress.add_task("fitting the meter", total=total, facts="")
        self._progress.update(self._meter, completed=done, facts=f"view {done} of {total}")
