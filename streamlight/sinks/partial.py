"""A file that appears under its name only when it is complete."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

from streamlight.errors import SinkError

_NUMBERS = itertools.count(1)
_hidden: set[Path] = set()
"""Hidden files of this process that have neither got their name nor been removed."""


class PartialFile:
    """Reserves a name beside the target; `commit` renames it, `discard` removes it.

    A process that is killed (kill -9, a power cut) leaves the hidden file, and never half a video
    under the target's name.

    A link stays one: what it points to is written, as with other tools.

    Attributes:
        target: the name that was asked for.
        file: what gets the name: the target, or where a link leads.
        path: where to write meanwhile, with the target's extension; hidden, in the folder of
            `file`, unless another place was asked for.
    """

    def __init__(self, target: Path, *, overwrite: bool, path: Path | None = None) -> None:
        """Check the target and create the partial file.

        Args:
            target: the name to reserve.
            overwrite: whether something may bear it already.
            path: where to write meanwhile; None for a hidden name, which is also taken where the
                path is on another file system.

        Raises:
            SinkError: the target exists (and `overwrite` is false), is a folder, a pipe, a
                device or a link in a circle, or its folder is missing or not writable.
        """
        self.target = target
        self.file = Path(os.path.realpath(target)) if os.path.islink(target) else target
        if os.path.islink(self.file):
            raise SinkError(f"{target}: is a link that leads to itself")
        if os.path.isdir(target):  # the one of Path raises where a name is too long
            raise SinkError(f"{target}: is a folder; a file name was expected")
        if os.path.exists(target) and not os.path.isfile(target):
            raise SinkError(f"{target}: is a pipe or a device; give the name of a file")
        if os.path.exists(target) and not overwrite:
            raise SinkError(f"{target}: exists already; -y overwrites it")
        if not os.path.isdir(self.file.parent):
            raise SinkError(f"{self.file.parent}: no such folder; create it with mkdir -p")
        stem = target.stem[:48]  # at most 192 bytes: a name of full length leaves no room
        number = next(_NUMBERS)  # two files of one process may have one stem
        name = f".{stem}.{os.getpid()}-{number}.partial{target.suffix}"
        try:
            if path is not None and not _is_one_disk(path.parent, self.file.parent):
                path = None
            self.path = path or self.file.with_name(name)
            with suppress(FileNotFoundError):
                self.file.lstat()  # finds a name that is too long now, not after the work
            self.path.touch()
        except OSError as error:
            raise SinkError(f"{target}: cannot write there ({error.strerror})") from error
        if path is None:
            _hidden.add(self.path)

    def commit(self) -> None:
        """Give the file its name, replacing what bears it.

        Raises:
            SinkError: the name cannot be given.
        """
        try:
            self.path.replace(self.file)
        except OSError as error:
            raise SinkError(f"{self.target}: cannot be renamed ({error.strerror})") from error
        _hidden.discard(self.path)

    def discard(self) -> None:
        """Remove the file; nothing happens if it is gone."""
        self.path.unlink(missing_ok=True)
        _hidden.discard(self.path)


def _is_one_disk(folder: Path, other: Path) -> bool:
    return folder.stat().st_dev == other.stat().st_dev


def discard_hidden() -> None:
    """Remove the hidden files of a process that ends without coming to `discard`."""
    for path in tuple(_hidden):
        with suppress(OSError):
            path.unlink(missing_ok=True)
