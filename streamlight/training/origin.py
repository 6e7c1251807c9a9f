"""How a run began: it travels in the checkpoint, for the checks and the card of a later part."""

from dataclasses import dataclass

from streamlight.errors import UsageError

DRAWN = "weights drawn at random"


@dataclass(frozen=True, slots=True)
class Origin:
    """What began a run, beside its options and pictures.

    Attributes:
        command: in full.
        model: what its `--model` said.
        init: the weights that it began with, in words; empty where they were drawn.
        teacher: what its `--teacher` said; empty for none.
        teacher_sha256: of the teacher's weights.
    """

    command: str = ""
    model: str = ""
    init: str = ""
    teacher: str = ""
    teacher_sha256: str = ""

    def check(self, begun: "Origin") -> None:
        """Refuse to go on with a run that began otherwise; an `init` need not be given again.

        Raises:
            UsageError: it began with other weights, or has another teacher.
        """
        if self.init and self.init != begun.init:
            raise UsageError(
                f"the checkpoint is of a run that began with {begun.init or DRAWN}; "
                "--resume goes on without --init, or with the same"
            )
        if self.teacher_sha256 != begun.teacher_sha256:
            teacher = f"--teacher {begun.teacher}" if begun.teacher else "no --teacher"
            raise UsageError(
                f"the checkpoint is of a run with {teacher}; "
                "--resume goes on with the same teacher's weights"
            )
