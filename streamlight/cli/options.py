"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Debug = Annotated[
    bool, typer.Option("--debug", help="Show the log, and the traceback of an error.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]

EngineDir = Annotated[
    Path | None,
    typer.Option(
        "--engine-dir",
        metavar="FOLDER",
        help="Where engines are kept.  [default: $STREAMLIGHT_ENGINE_DIR, or the user's cache]",
    ),
]


def start_log(debug: bool) -> None:
    """Send the log to stderr: warnings, and with `debug` all that streamlight logs."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if debug:
        logging.getLogger("streamlight").setLevel(logging.DEBUG)
