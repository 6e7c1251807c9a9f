"""A chain of libavfilter between the network and the encoder."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av

from streamlight.color import ColorSpec
from streamlight.errors import SinkError, SourceError
from streamlight.sources.filters import FilterChain


class PostFilter:
    """Runs every picture through a chain; what comes out may differ in number, size and time.

    Attributes:
        size: width and height of what comes out.
        time_base: seconds per unit of its timestamps.
        rate: pictures per second; None for a variable rate.
        sample_aspect_ratio: width of a pixel by its height; None when nobody says.
    """

    def __init__(
        self,
        chain: str,
        size: tuple[int, int],
        pixel_format: str,
        color: ColorSpec,
        time_base: Fraction,
        *,
        rate: Fraction | None = None,
        sample_aspect_ratio: Fraction | None = None,
    ) -> None:
        """Build the chain for pictures of a size and format, so that mistakes show at once.

        Raises:
            UsageError: libavfilter refuses the chain.
        """
        self._chain = chain
        self._time_base = time_base
        self._rate, self._sample_aspect_ratio = rate, sample_aspect_ratio
        self._first = av.VideoFrame(*size, pixel_format)
        self._first.pts, self._first.time_base = 0, time_base
        self._first.colorspace, self._first.color_range = color.matrix, color.range
        self._first.color_primaries, self._first.color_trc = color.primaries, color.transfer
        self._build(chain)

    def end_in(self, pixel_format: str) -> None:
        """Let the chain end in the format that the encoder takes; before the first picture."""
        self._build(f"{self._chain},format={pixel_format}")

    def push(self, picture: av.VideoFrame, duration: int) -> Iterator[av.VideoFrame]:
        """Filter a picture, shown for `duration` units; yield those that are ready.

        Raises:
            SinkError: a filter fails.
        """
        picture.duration = duration
        yield from _translated(self._filters.push(picture))

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield what the chain still holds.

        Raises:
            SinkError: a filter fails.
        """
        yield from _translated(self._filters.flush())

    def _build(self, chain: str) -> None:
        self._filters = FilterChain(
            chain,
            "--post-filter",
            self._first,
            self._time_base,
            sample_aspect_ratio=self._sample_aspect_ratio,
            rate=self._rate,
        )
        self.size = self._filters.width, self._filters.height
        self.time_base, self.rate = self._filters.time_base, self._filters.rate
        self.sample_aspect_ratio = self._filters.sample_aspect_ratio


def _translated(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    try:
        yield from pictures
    except SourceError as error:  # the chain is written for both sides
        raise SinkError(str(error)) from error
