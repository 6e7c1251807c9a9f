"""What `--verify` says of a written file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlight.cli.messages import one_line, say

if TYPE_CHECKING:
    from streamlight.verify import Verification


def print_verification(target: Path, found: "Verification") -> None:
    """Print to stderr that a file is faithful, or a table of how it differs from its input."""
    from streamlight.cli.table import print_table

    if not found.differences:
        say(f"{target}: verified, {describe(found)}")
        return
    count = len(found.differences)
    say(f"{target}: verified, {count} {'difference' if count == 1 else 'differences'}:")
    rows = [(one_line(d.part), one_line(d.expected), one_line(d.found)) for d in found.differences]
    print_table(("what", "expected", "found"), rows, to_stderr=True)


def describe(found: "Verification") -> str:
    """Say what was compared."""
    text = f"{found.frames} frames with the input's times, streams and tags"
    if found.match is not None:
        told = found.match.told_apart
        text += f"; each shows the input's picture, {told} could be told from the one before"
    return text


def to_dict(found: "Verification") -> dict[str, Any]:
    """Return the result as plain data, for the report of a run."""
    match = found.match
    return {
        "frames": found.frames,
        "frames_compared": match.frames if match else None,
        "frames_told_apart": match.told_apart if match else None,
        "differences": [
            {"part": d.part, "expected": d.expected, "found": d.found} for d in found.differences
        ],
    }
