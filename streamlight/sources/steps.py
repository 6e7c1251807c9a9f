"""What is done to decoded pictures before they become RGB, and which of them are yielded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from streamlight.errors import SourceError
from streamlight.sources.deinterlace import Deinterlacing, check_deinterlacing, deinterlaced
from streamlight.sources.denoise import check_denoise, denoised
from streamlight.sources.filters import FilterChain
from streamlight.sources.reading import LostPlaceError, Reading


class PictureSteps:
    """Deinterlaces, denoises and filters the pictures of one reading after another.

    Attributes:
        chain: the person's own filters; None without, and before the first picture.
    """

    def __init__(
        self,
        deinterlace: Deinterlacing,
        denoise: str,
        filters: str | None,
        note: Callable[[str], None],
    ) -> None:
        """Choose what to do.

        Args:
            deinterlace: "auto", "on" or "off".
            denoise: "off", "light" or "strong".
            filters: a chain of libavfilter; None for none.
            note: takes one sentence for the user.

        Raises:
            UsageError: there is no such choice.
        """
        check_deinterlacing(deinterlace)
        check_denoise(denoise)
        self.chain: FilterChain | None = None
        self._deinterlace = deinterlace
        self._denoise = denoise
        self._filters = filters
        self._note = note

    def run(self, reading: Reading, after: int | None = None) -> Iterator[av.VideoFrame]:
        """Yield the pictures of the part that is asked for, with strictly increasing times.

        Args:
            reading: just opened.
            after: leave out the pictures up to the one of this time; None to leave out none.

        Raises:
            SourceError: reading fails, or there is no picture of that time.
            LostPlaceError: likewise, but there may be one when nothing is skipped.
        """
        length_s = reading.length_s
        last: int | None = None
        is_found = after is None
        for picture in self._processed(reading):
            unit = self.chain.time_base if self.chain else reading.unit
            picture.pts = last = _increasing(picture.pts, last)
            if length_s is not None and last * unit >= length_s:
                reading.is_followed = True
                break
            if after is not None and last <= after:
                is_found |= last == after
            elif not is_found:
                break
            elif last >= 0 or not reading.is_cut:
                yield picture
            del picture  # or it lives until the next one is decoded
        if not is_found:
            if reading.has_skipped:
                raise LostPlaceError
            raise SourceError(
                f"{reading.path}: has no frame to resume after: another file than before, or "
                "other options"
            )
        if reading.is_followed:
            reading.finish()
        for note in reading.closing_notes(is_whole=not reading.is_followed):
            self._note(note)

    def unit_of(self, reading: Reading) -> Fraction:
        """Say how many seconds a tick of the yielded pictures is."""
        return self.chain.time_base if self.chain else reading.unit

    def _processed(self, reading: Reading) -> Iterator[av.VideoFrame]:
        pictures = downloaded_if_interlaced(reading.pictures(), self._deinterlace)
        pictures = deinterlaced(pictures, self._deinterlace, reading.unit, self._note)
        pictures = denoised(pictures, self._denoise, reading.unit)
        if self._filters is None:
            return pictures
        return self._filtered(pictures, self._filters, reading)

    def _filtered(
        self, pictures: Iterator[av.VideoFrame], filters: str, reading: Reading
    ) -> Iterator[av.VideoFrame]:
        chain: FilterChain | None = None
        for picture in pictures:
            if chain is None:
                chain = self.chain = FilterChain(
                    filters,
                    "--filter",
                    picture,
                    reading.unit,
                    sample_aspect_ratio=reading.sample_aspect_ratio,
                    rate=reading.rate,
                )
            yield from chain.push(picture)
            del picture
        if chain is not None:
            yield from chain.flush()


def downloaded_if_interlaced(
    pictures: Iterator[av.VideoFrame], mode: Deinterlacing
) -> Iterator[av.VideoFrame]:
    """Bring pictures of a GPU to the host, from the first that says that it is interlaced."""
    is_met = False
    for picture in pictures:
        is_met |= mode == "auto" and picture.interlaced_frame
        if is_met and picture.sw_format is not None:
            picture = picture.reformat(format=picture.sw_format.name)
        yield picture
        del picture


def _increasing(pts: int | None, last: int | None) -> int:
    if last is None:
        return pts or 0
    return last + 1 if pts is None or pts <= last else pts
