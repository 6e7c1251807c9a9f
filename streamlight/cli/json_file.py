"""Reports for scripts: JSON files that a reader never sees half of."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlight.errors import SinkError


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a report; a file is replaced in one step, a pipe or a device is written to.

    Raises:
        SinkError: it cannot be written.
    """
    text = json.dumps(data, indent=2) + "\n"
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a named pipe
            path.write_text(text, encoding="utf-8")
            return
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{path}: the report cannot be written ({error.strerror})") from error
