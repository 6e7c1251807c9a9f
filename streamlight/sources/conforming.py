"""Decoded pictures made alike: one clock, one size, one format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import av
from av.video.reformatter import Interpolation, VideoReformatter

from streamlight.color import ColorSpec
from streamlight.sources.rgb import color_of, swscale_matrix

_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_TOLD = 3
"""Changes of the picture that are described one by one."""


@dataclass(frozen=True, slots=True)
class PictureForm:
    """What the pictures of a stream have in common.

    Attributes:
        width: in pixels.
        height: in pixels.
        format: libavutil's name of the pixel format; of a picture on a GPU, what it has there.
        color: with nothing unspecified that the conversion to RGB needs.
    """

    width: int
    height: int
    format: str
    color: ColorSpec

    @classmethod
    def of(cls, picture: av.VideoFrame) -> Self:
        """Take the form of a decoded picture."""
        format_ = picture.sw_format or picture.format
        return cls(picture.width, picture.height, format_.name, color_of(picture))


def timed(
    pictures: Iterable[av.VideoFrame],
    unit: Fraction,
    shift: int,
    step: int,
    first: int,
    least_step: int,
) -> Iterator[av.VideoFrame]:
    """Give every picture a time of its own.

    Args:
        pictures: decoded.
        unit: seconds per tick.
        shift: ticks to take from every time.
        step: ticks that a picture is shown for, where the file does not say.
        first: time of a first picture that has none.
        least_step: likewise, where the rate varies, for short ones; half of it is that of a field.
    """
    last: int | None = None
    duration = step
    for picture in pictures:
        if picture.pts is None:
            pts = first if last is None else last + duration
        else:
            pts = picture.pts - shift
        if last is not None and pts <= last:
            pts = last + 1
        last = pts
        duration = picture.duration if picture.duration * 2 > least_step else step
        picture.pts, picture.duration, picture.time_base = pts, duration, unit
        yield picture
        del picture


class Conformer:
    """Brings pictures to the form of the first, where size, format or colours change.

    Attributes:
        form: of what comes out.
    """

    def __init__(
        self, form: PictureForm, note: Callable[[str], None], *, counts: bool = True
    ) -> None:
        """Start with the form to bring them to.

        Args:
            form: of the first picture.
            note: takes one sentence for the user.
            counts: whether the pictures begin with the first one of the file.
        """
        self.form = form
        self._note = note
        self._counts = counts
        self._changes = 0
        self._last = form
        self._reformatter = VideoReformatter()

    def __call__(self, pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yield the pictures; their colour tags say what the guesses are, where they said none."""
        for number, picture in enumerate(pictures):
            form = PictureForm.of(picture)
            if form != self._last:
                where = f"frame {number}" if self._counts else f"{picture.time:.2f} s"
                self._tell(form, where)
                self._last = form
            if _shape(form) != _shape(self.form):
                picture = self._reform(picture, form.color)
            picture.colorspace = self.form.color.matrix
            picture.color_range = self.form.color.range
            yield picture
            del picture

    def _reform(self, picture: av.VideoFrame, color: ColorSpec) -> av.VideoFrame:
        return self._reformatter.reformat(
            picture,
            width=self.form.width,
            height=self.form.height,
            format=self.form.format,
            src_colorspace=swscale_matrix(color.coefficients),
            dst_colorspace=swscale_matrix(self.form.color.coefficients),
            src_color_range=color.range,
            dst_color_range=self.form.color.range,
            interpolation=_SCALING,
            threads=1,
        )

    def _tell(self, form: PictureForm, where: str) -> None:
        old, new = self._last, form
        if (old.width, old.height) != (new.width, new.height):
            words = f"from {old.width}x{old.height} to {new.width}x{new.height}"
        elif old.format != new.format:
            words = f"from {old.format} to {new.format}"
        elif _shape(old) != _shape(new):
            words = "its matrix or range"
        else:
            return
        self._changes += 1
        if self._changes <= _TOLD:
            self._note(
                f"the picture changes {words} at {where}; all are brought to the form "
                f"of the first, {self.form.width}x{self.form.height} {self.form.format}"
            )
        elif self._changes == _TOLD + 1:
            self._note("the picture changes its form more often")


def _shape(form: PictureForm) -> tuple[int, int, str, int, int]:
    """What a conversion depends on; primaries and transfer are passed on."""
    return form.width, form.height, form.format, form.color.matrix, form.color.range
