"""One enhanced picture to a file, with what was beside the pixels of the input."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame
from streamlight.sinks.partial import PartialFile
from streamlight.sinks.picture_encoding import (
    Encoding,
    check_picture_size,
    choose_encoding,
    save_picture,
    translated_errors,
)
from streamlight.sources.pictures import Picture


class PictureSink:
    """Writes one picture; the file appears when `finish` returns.

    Leaving its `with` block without `finish` removes what was written.

    Attributes:
        target: the file to write.
        frames_written: 0 or 1.
        notes: what the format cannot hold, one sentence each; complete after `write`.
    """

    def __init__(
        self,
        target: str | Path,
        picture: Picture,
        *,
        quality: int | None = None,
        overwrite: bool = False,
    ) -> None:
        """Create the output of a picture: its tags, its transparency, coded as it was.

        Args:
            target: the file to write; its extension chooses the format.
            picture: as it was read.
            quality: of JPEG, WebP and AVIF, 1 to 100; None for that of the input.
            overwrite: replace an existing file.

        Raises:
            SinkError: the output cannot be written there, or the format cannot hold the picture.
            UsageError: the quality does not fit.
        """
        self.target = Path(target)
        self.frames_written = 0
        self.notes: list[str] = []
        self._picture = picture
        self._encoding = choose_encoding(self.target, quality)
        self._check_size(picture.image.shape)
        self._finished = False
        self._partial = PartialFile(self.target, overwrite=overwrite)

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
        """Encode the picture.

        Raises:
            SinkError: the disk is full, or the format cannot hold the picture.
        """
        image, alpha = frame.image, self._picture.alpha
        self._check_size(image.shape)
        if alpha is not None and alpha.shape != image.shape[:2]:
            # before and after beside each other: both are as transparent as the input
            times = image.shape[0] // alpha.shape[0], image.shape[1] // alpha.shape[1]
            alpha = np.tile(alpha, times)
        with translated_errors(self.target):
            self.notes += save_picture(
                self._partial.path,
                self._encoding,
                image,
                alpha,
                is_grey=self._picture.is_grey,
                tags=self._picture.tags,
                coding=self._picture.coding,
            )
        self.frames_written += 1

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            SinkError: there is no picture, or the name cannot be given.
        """
        if not self.frames_written:
            raise SinkError(f"{self.target}: no picture was written")
        self._finished = True
        self._partial.commit()

    def abort(self) -> None:
        """Throw away an unfinished file; does nothing after `finish`."""
        if not self._finished:
            self._finished = True
            self._partial.discard()

    def _check_size(self, shape: tuple[int, ...]) -> None:
        check_picture_size(self.target, self._encoding, shape[1], shape[0])


def check_picture_target(
    target: Path, source: Path | None = None, quality: int | None = None
) -> Encoding:
    """Check that a file can be a picture's output, before anything is opened.

    Raises:
        SinkError: the extension is unknown.
        UsageError: input and output are the same file, or the quality does not fit.
    """
    encoding = choose_encoding(target, quality)
    # os.path.exists, because that of Path raises where a name is too long or a folder is closed
    exist = source is not None and os.path.exists(target) and os.path.exists(source)
    if exist and source is not None and target.samefile(source):
        raise UsageError(f"{target}: input and output are the same file")
    return encoding
