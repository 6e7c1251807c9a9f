"""Checkpoints: all that a run needs to go on, in one file that is never half written."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch

from streamlight.errors import ModelError
from streamlight.models.own import write_whole

FORMAT = "streamlight checkpoint 2"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state in place of the one before.

    Raises:
        SinkError: it cannot be written, such as on a full disk; the one before is kept.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state, onto the CPU; nothing in the file is executed.

    Raises:
        ModelError: it cannot be read, or is no checkpoint.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):  # torch's older format says odd things of other files
                raise ValueError("it is damaged, or was written by something else")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path} is not a checkpoint of streamlight train: {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ModelError(f"{path} is not a checkpoint of this version of streamlight train")
    return cast(dict[str, Any], state)
