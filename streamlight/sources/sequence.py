"""A folder of numbered pictures as a stream of frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.video.format import VideoFormat

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError, UsageError
from streamlight.frame import Frame, StreamInfo
from streamlight.sources.picture_names import NumberedName, natural_order
from streamlight.sources.picture_tags import PictureTags
from streamlight.sources.pictures import Picture, read_picture

DEFAULT_RATE = Fraction(25)


class NoSideStreams:
    """The streams beside the pictures of a sequence: none.

    Attributes:
        streams: none.
        dropped: none.
        unreadable: none.
        attachments: none.
        position: 0.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self.streams: list[Any] = []
        self.dropped: list[str] = []
        self.unreadable: set[int] = set()
        self.attachments: list[Any] = []
        self.position = 0

    def put(self, packet: object) -> None:
        """Take no packet: there is none."""

    def take(self) -> Iterator[Any]:
        """Yield nothing."""
        return iter(())


class SequenceSource:
    """Pictures of one size, in the order of their numbers.

    It offers what a sink for video files asks of a `FileSource`: no sound, no chapters, and no
    metadata, because what lies beside the pixels belongs to each picture (`take_tags`).

    Attributes:
        path: the pattern.
        paths: of the pictures, in order.
        first_number: of the first picture; 1 for a pattern without numbers.
        info: size, rate and number of the pictures.
        notes: what the user should know of the input, one sentence each.
        hwaccel_note: see `FileSource`.
        pixel_format: of the pictures: rgb24, or rgb48le for those of 16 bits a channel.
    """

    def __init__(
        self,
        pattern: str | Path,
        rate: Fraction | float | str = DEFAULT_RATE,
        start_number: int | None = None,
    ) -> None:
        """List the pictures and read the first.

        Args:
            pattern: `frame_%05d.png`, or `*.png` and the like, in the order of their numbers.
            rate: pictures a second.
            start_number: of the first; None for the lowest that is there.

        Raises:
            SourceError: there is no such picture, or the first cannot be read.
            UsageError: the pattern or the rate has no meaning.
        """
        self.path = Path(pattern)
        self.notes: list[str] = []
        self.hwaccel_note = ""
        rate = _checked_rate(rate)
        if "%" in self.path.name:
            self.paths, self.first_number = self._numbered(start_number)
        else:
            if start_number is not None:
                raise UsageError(f"--start-number {start_number}: {pattern} has no %d")
            self.paths, self.first_number = _matching(self.path), 1
        self._first: Picture | None = read_picture(self.paths[0])
        self._keeps_tags = False
        self._tags: dict[int, PictureTags] = {}
        self._noted: set[str] = set()
        first = self._first
        height, width = first.image.shape[:2]
        color = ColorSpec(Matrix.RGB, Range.FULL)
        self._dtype = first.image.dtype
        self.info = StreamInfo(
            width,
            height,
            rate,
            1 / rate,
            color,
            frame_count=len(self.paths),
            bits=16 if self._dtype == np.uint16 else 8,
        )
        self.pixel_format: VideoFormat = av.VideoFormat(
            "rgb48le" if self._dtype == np.uint16 else "rgb24"
        )
        self.side = NoSideStreams()
        self.shift_s = Fraction(0)
        self.sample_aspect_ratio: Fraction | None = None
        self.display_matrix: tuple[int, ...] | None = None
        self.metadata: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.chapters: list[Any] = []
        self.damaged_packets = 0
        self.is_cut_off = False
        self.hdr = None
        self.coding = None
        self.disposition = 0

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the source."""
        self.close()

    def close(self) -> None:
        """Forget what was read; frames already yielded stay valid."""
        self._first = None
        self._tags.clear()

    def __iter__(self) -> Iterator[Frame]:
        """Yield each picture once; frame i is shown from i / rate seconds on.

        Raises:
            SourceError: a picture is missing, damaged, or of another size.
        """
        for index, path in enumerate(self.paths):
            picture = self._take_first() if index == 0 else read_picture(path)
            picture = picture or read_picture(path)
            self._note_once(path, picture)
            if self._keeps_tags:
                self._tags[index] = picture.tags
            yield Frame(self._checked(path, picture), index, self.info.time_base, index, 1)
            del picture  # or it lives until the next one is decoded

    def keep_tags(self) -> None:
        """Keep what lies beside the pixels of each frame from now on, until it is taken."""
        self._keeps_tags = True

    def take_tags(self, index: int) -> PictureTags:
        """Return, once, what lay beside the pixels of a frame; of those before it, forget it."""
        for passed in list(self._tags):  # at once: the decoding thread adds more meanwhile
            if passed < index:
                self._tags.pop(passed, None)
        return self._tags.pop(index, PictureTags())

    def _take_first(self) -> Picture | None:
        first, self._first = self._first, None
        return first

    def _note_once(self, path: Path, picture: Picture) -> None:
        notes = list(picture.notes)
        if picture.alpha is not None and picture.alpha.min() < np.iinfo(picture.alpha.dtype).max:
            notes.append("its transparency is not kept")
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                self.notes.append(f"{path.name}: {note}")

    def _checked(self, path: Path, picture: Picture) -> np.ndarray[Any, Any]:
        height, width = picture.image.shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            raise SourceError(
                f"{path}: is {width}x{height}, and {self.paths[0].name} "
                f"{self.info.width}x{self.info.height}; all pictures of a sequence must have one "
                "size"
            )
        if picture.image.dtype != self._dtype:
            bits = picture.image.dtype.itemsize * 8
            raise SourceError(
                f"{path}: has {bits} bits a channel, and {self.paths[0].name} "
                f"{self._dtype.itemsize * 8}; all pictures of a sequence must have the same"
            )
        return picture.image

    def _numbered(self, start_number: int | None) -> tuple[list[Path], int]:
        """List the pictures from the first number to the first gap."""
        name = NumberedName(self.path)
        try:
            numbers = name.numbers()
        except OSError as error:
            raise SourceError(f"{name.folder}: cannot be read ({error.strerror})") from error
        if not numbers:
            raise SourceError(f"{self.path}: no picture of that name is there")
        first = numbers[0] if start_number is None else start_number
        later = [number for number in numbers if number >= first]
        if not later or later[0] != first:
            raise SourceError(
                f"{name.path_of(first)}: no such file; the sequence begins with number {numbers[0]}"
            )
        run = [number for place, number in enumerate(later) if number == first + place]
        if len(run) < len(later):
            left = len(later) - len(run)
            self.notes.append(
                f"{name.path_of(run[-1] + 1).name} is missing: the sequence ends before it, and "
                f"{left} later {'picture is' if left == 1 else 'pictures are'} left out"
            )
        return [name.path_of(number) for number in run], first


def _matching(pattern: Path) -> list[Path]:
    shows_hidden = pattern.name.startswith(".")
    try:
        paths = [
            path
            for path in pattern.parent.glob(pattern.name)
            if path.is_file() and (shows_hidden or not path.name.startswith("."))
        ]
    except (OSError, ValueError) as error:
        raise SourceError(f"{pattern}: cannot be searched ({error})") from error
    if not paths:
        raise SourceError(f"{pattern}: no picture of that name is there")
    return sorted(paths, key=natural_order)


def _checked_rate(rate: Fraction | float | str) -> Fraction:
    try:
        exact = Fraction(rate).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError) as error:
        raise UsageError(
            f"--rate {rate}: must be pictures a second, as 25 or 30000/1001"
        ) from error
    if not 0 < exact <= 1000:
        raise UsageError(f"--rate {rate}: must be more than 0 and at most 1000 pictures a second")
    return exact
