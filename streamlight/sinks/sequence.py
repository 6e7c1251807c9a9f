"""Frames to numbered pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame, Image, StreamInfo
from streamlight.sinks.partial import PartialFile
from streamlight.sinks.picture_encoding import (
    check_picture_size,
    choose_encoding,
    save_picture,
    translated_errors,
)
from streamlight.sources.picture_names import NumberedName
from streamlight.sources.sequence import SequenceSource

_PNG_EFFORT = 3
"""Three times as fast as zlib's default level, at 4 % more bytes (docs/pictures.md)."""


class PicturesSource(Protocol):
    """What the sink asks of its source: a `FileSource` and a `SequenceSource` have it."""

    @property
    def path(self) -> Path:
        """Name of the input."""
        ...

    @property
    def info(self) -> StreamInfo:
        """Size of the pictures."""
        ...

    @property
    def display_matrix(self) -> Sequence[int] | None:
        """How a player turns the picture, as nine numbers; None for not at all."""
        ...

    @property
    def sample_aspect_ratio(self) -> object:
        """Width of a pixel by its height."""
        ...


class SequenceSink:
    """Writes each frame as a picture of its own, upright; each appears when it is complete.

    Leaving its `with` block without `finish` removes the pictures that were written.

    Attributes:
        target: the pattern.
        frames_written: how many frames `write` took so far.
        notes: what the format cannot hold, one sentence each.
    """

    def __init__(
        self,
        pattern: str | Path,
        source: PicturesSource,
        *,
        start_number: int | None = None,
        quality: int | None = None,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Prepare the output of a source.

        Args:
            pattern: of the names, `frame_%05d.png`; the extension chooses the format.
            source: gives the orientation; a `SequenceSource` the tags of each picture too.
            start_number: of the first; None for that of the source's pictures, 1 for a video.
            quality: of JPEG, WebP and AVIF, 1 to 100; None for 95, 90 and 90.
            size: width and height of the frames to come, when not the source's.
            overwrite: replace existing pictures.

        Raises:
            SinkError: there are such pictures already, or the folder cannot be written to.
            UsageError: the pattern has no number, or input and output are the same.
        """
        self.target = Path(pattern)
        self.frames_written = 0
        self.notes: list[str] = []
        self._name = NumberedName(pattern)
        self._encoding = choose_encoding(self.target, quality, png_effort=_PNG_EFFORT)
        self._source = source
        self._overwrite = overwrite
        self._written: list[Path] = []
        self._finished = False
        is_sequence, inherited = False, 1
        if isinstance(source, SequenceSource):
            is_sequence, inherited = True, source.first_number
            source.keep_tags()
        self._number = inherited if start_number is None else start_number
        if self._number < 0:
            raise UsageError(f"--start-number {self._number}: must not be negative")
        if is_sequence and _is_same(self.target, source.path):
            raise UsageError(f"{self.target}: input and output are the same pictures")
        width, height = size or (source.info.width, source.info.height)
        check_picture_size(self.target, self._encoding, width, height)
        self._check_folder()
        if not is_sequence and source.sample_aspect_ratio not in (None, 0, 1):
            self.notes.append(
                f"pixels of the video are not square ({source.sample_aspect_ratio}); those of "
                "pictures are, so that they look squeezed"
            )

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was written, unless it was finished."""
        self.abort()

    def write(self, frame: Frame) -> None:
        """Write the next picture.

        Raises:
            SinkError: the disk is full, or a picture of that name is there.
        """
        path = self._name.path_of(self._number)
        source = self._source
        tags = source.take_tags(frame.index) if isinstance(source, SequenceSource) else None
        partial = PartialFile(path, overwrite=self._overwrite)
        try:
            with translated_errors(path):
                image = turned_by_matrix(frame.image, source.display_matrix)
                notes = save_picture(partial.path, self._encoding, image, tags=tags)
            partial.commit()
        except BaseException:
            partial.discard()
            raise
        self._written.append(partial.file)
        self.notes += [note for note in notes if note not in self.notes]
        self._number += 1
        self.frames_written += 1

    def finish(self) -> None:
        """Keep the pictures.

        Raises:
            SinkError: there are none.
        """
        if not self._written:
            raise SinkError(f"{self.target}: no picture was written")
        self._finished = True
        with suppress(OSError):
            left = [number for number in self._name.numbers() if number >= self._number]
            if left:
                self.notes.append(
                    f"{self._name.path_of(left[0]).name} and later ones are of an earlier run"
                )

    def abort(self) -> None:
        """Remove the pictures of this run; does nothing after `finish`."""
        if not self._finished:
            self._finished = True
            for path in self._written:
                path.unlink(missing_ok=True)

    def _check_folder(self) -> None:
        """Find out now, not after hours, that pictures are in the way or nothing can be written."""
        first = self._name.path_of(self._number)
        PartialFile(first, overwrite=self._overwrite).discard()
        there = [number for number in self._name.numbers() if number >= self._number]
        if there and not self._overwrite:
            raise SinkError(f"{self._name.path_of(there[0])}: exists already; -y overwrites it")


def turned_by_matrix(image: Image, matrix: Sequence[int] | None) -> Image:
    """Turn and mirror a picture as a player does.

    Args:
        image: (H, W, 3).
        matrix: nine numbers a b u, c d v, x y w; the pixel at (x, y) is shown at
            (a x + c y, b x + d y) (ISO/IEC 14496-12, track header). Only multiples of 90 degrees
            are done.
    """
    if matrix is None:
        return image
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.swapaxes(0, 1), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _is_same(one: Path, other: Path) -> bool:
    return one.name == other.name and one.parent.resolve() == other.parent.resolve()
