"""Which files a batch takes, and what their outputs are called."""

import os
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlight.errors import SinkError, SourceError, UsageError
from streamlight.sources.picture_names import REFUSED, is_picture, natural_order, output_extension

_VIDEO_EXTENSIONS = """
    .3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2p .m2ts .m2v .m4v .mkv .mov .mp4 .mpe .mpeg .mpg
    .mts .mxf .nut .ogv .qt .rm .rmvb .ts .vob .webm .wmv .y4m
"""
VIDEO_EXTENSIONS = frozenset(_VIDEO_EXTENSIONS.split())
"""What is taken for a video when it lies in a folder; a file that is named is always taken."""

DEFAULT_PATTERN = "{stem}.bright{ext}"

_FIELDS = ("stem", "ext", "name", "parent", "index")
_VIDEO_OUTPUTS = (".mp4", ".m4v", ".mov", ".mkv")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to enhance.

    Attributes:
        path: of the file.
        root: the folder that was named and that it was found in; None where it was named itself.
    """

    path: Path
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One file of a batch.

    Attributes:
        source: to read.
        target: to write.
        number: from 1, in the order of the batch.
    """

    source: Path
    target: Path
    number: int


def expand_inputs(
    paths: Iterable[Path], *, recursive: bool = False, leave_out: Path | None = None
) -> list[FoundFile]:
    """Find the files to enhance.

    A file that is named is taken as it is. Of a folder come the videos and pictures, by their
    extension, in natural order (2 before 10); hidden files and folders, links to folders, and
    outputs of streamlight (named .bright) are left out. No file comes twice.

    Args:
        paths: files and folders.
        recursive: look into the folders of the folders too.
        leave_out: a folder that is not looked into: that of the outputs.

    Raises:
        SourceError: a path does not exist, a folder cannot be read, or holds nothing of use.
    """
    found: dict[Path, FoundFile] = {}
    closed = leave_out.resolve() if leave_out is not None else None
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise SourceError(f"{path}: no such file or folder")
            found.setdefault(path.resolve(), FoundFile(path))
            continue
        inside = list(_walk(path, recursive, closed))
        if not inside:
            deeper = "" if recursive else "; --recursive looks into its folders too"
            raise SourceError(f"{path}: holds no video and no picture{deeper}")
        for file in inside:
            found.setdefault(file.resolve(), FoundFile(file, path))
    return list(found.values())


def _walk(folder: Path, recursive: bool, closed: Path | None) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir(), key=natural_order)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read ({error.strerror})") from error
    for entry in entries:
        if not entry.name.startswith(".") and entry.is_file() and _is_wanted(entry):
            yield entry
    for entry in entries if recursive else ():
        is_open = entry.is_dir() and not entry.is_symlink() and entry.resolve() != closed
        if is_open and not entry.name.startswith("."):
            yield from _walk(entry, recursive, closed)


def _is_wanted(path: Path) -> bool:
    extension = path.suffix.lower()
    is_known = extension in VIDEO_EXTENSIONS or (is_picture(path) and extension not in REFUSED)
    return is_known and Path(path.stem).suffix != ".bright"


def name_output(
    found: FoundFile,
    folder: Path | None = None,
    pattern: str = DEFAULT_PATTERN,
    *,
    index: int = 1,
    extension: str | None = None,
) -> Path:
    """Name the output of a file.

    Args:
        found: the file.
        folder: where the outputs go; files of a named folder keep their place in its tree. None
            for beside each input.
        pattern: file name with {stem}, {ext} (with its dot), {name} (both), {parent} (name of the
            input's folder) and {index}, which may have a width as in {index:03}. A slash makes a
            folder.
        index: number of the file in the batch.
        extension: of the output; None for that of the input, or .mp4 and .png where that
            cannot be written.

    Raises:
        UsageError: the pattern has an unknown field, no extension, or leads out of the folder.
    """
    source = found.path
    written = written_extension(source) if extension is None else extension
    values = {
        "stem": source.stem,
        "ext": written,
        "name": source.stem + written,
        "parent": source.absolute().parent.name,
        "index": index,
    }
    name = Path(_fill(pattern, values))
    if name.is_absolute() or ".." in name.parts or not name.name:
        raise UsageError(f"--name {pattern}: must name a file inside the output folder")
    if not name.suffix:
        raise UsageError(f"--name {pattern}: has no extension; end it in {{ext}} or .mp4")
    base = source.parent
    if folder is not None:
        base = folder
        if found.root is not None:
            base = folder / source.parent.relative_to(found.root)
    return base / name


def written_extension(source: Path) -> str:
    """Return the extension that a file's output gets when nobody chose one."""
    if is_picture(source):
        return output_extension(source)
    return source.suffix if source.suffix.lower() in _VIDEO_OUTPUTS else ".mp4"


def _fill(pattern: str, values: dict[str, Any]) -> str:
    """Fill a pattern in: no more than plain fields, so that nothing else can be reached."""
    text = []
    try:
        parts = list(string.Formatter().parse(pattern))
        for literal, name, spec, conversion in parts:
            text.append(literal)
            if name is None:
                continue
            if name not in values or conversion:
                known = ", ".join(f"{{{field}}}" for field in _FIELDS)
                raise UsageError(f"--name {pattern}: unknown {{{name}}}; choose of {known}")
            text.append(format(values[name], spec or ""))
    except ValueError as error:
        raise UsageError(f"--name {pattern}: is no pattern ({error})") from error
    return "".join(text)


def plan_batch(
    files: Sequence[FoundFile],
    folder: Path | None = None,
    pattern: str = DEFAULT_PATTERN,
    *,
    extension: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> list[BatchJob]:
    """Name all outputs, and find out before anything starts whether they get in each other's way.

    Raises:
        UsageError: two files have one output, an output is one of the inputs, or the pattern is
            wrong.
        SinkError: an output exists already, and neither `overwrite` nor `skip_existing` is set.
    """
    jobs = [
        BatchJob(
            found.path,
            name_output(found, folder, pattern, index=number, extension=extension),
            number,
        )
        for number, found in enumerate(files, start=1)
    ]
    sources = {_key(job.source): job for job in jobs}
    seen: dict[str, BatchJob] = {}
    for job in jobs:
        key = _key(job.target)
        if key in sources:
            raise UsageError(
                f"{job.target}: is an input, and would be the output of {job.source}; "
                "choose another --output folder or --name"
            )
        if key in seen:
            raise UsageError(
                f"{job.target}: would be the output of both {seen[key].source} and {job.source}; "
                "put {index} or {parent} into --name"
            )
        seen[key] = job
    if not overwrite and not skip_existing:
        existing = [job.target for job in jobs if os.path.exists(job.target)]
        if existing:
            more = f", and {len(existing) - 1} more," if existing[1:] else ""
            verb = "exist" if more else "exists"
            raise SinkError(
                f"{existing[0]}{more} {verb} already; -y overwrites, --skip-existing leaves them"
            )
    return jobs


def _key(path: Path) -> str:
    """Tell files apart as the least particular file system does: without regard to case."""
    return str(path.resolve()).casefold()
