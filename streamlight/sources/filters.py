"""A chain of libavfilter, as ffmpeg's -vf takes it: pictures in, pictures out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import av.error
import av.filter
import av.logging

from streamlight.errors import SourceError, UsageError
from streamlight.sources.libav_log import LogEntry, libav_log

_SPACE = " \n\t\r"

_DYNAMIC_INPUTS, _DYNAMIC_OUTPUTS = 1, 2
"""AVFILTER_FLAG_*: the number of them depends on the filter's options."""

_INSTEAD = {
    "hqdn3d": "atadenoise, fftdnoiz, nlmeans or bm3d",
    "eq": "curves, exposure, hue or colorlevels",
    "zscale": "scale",
    "pp": "deblock",
    "spp": "deblock",
    "kerndeint": "bwdif",
    "mpdecimate": "decimate",
    "vidstabtransform": "deshake",
}
"""Filters that people know from ffmpeg and that PyAV's builds of libav leave out."""


class FilterChain:
    """Runs pictures through a chain of filters; keeps what the filters hold back.

    Attributes:
        width: of what comes out.
        height: of what comes out.
        format: pixel format of what comes out.
        time_base: seconds per unit of the timestamps that come out.
        sample_aspect_ratio: of what comes out; None when nobody says.
        rate: frames per second of what comes out; None for a variable rate.
    """

    def __init__(
        self,
        chain: str,
        option: str,
        first: av.VideoFrame,
        time_base: Fraction,
        *,
        sample_aspect_ratio: Fraction | None = None,
        rate: Fraction | None = None,
    ) -> None:
        """Build a chain for pictures like `first`, and try it on that one.

        Args:
            chain: filters with their options, separated by commas.
            option: of the command line that the chain came from, for messages: "--filter".
            first: gives size, pixel format, matrix and range, which the filters are told; those
                of the pictures that are pushed must be the same.
            time_base: seconds per unit of the timestamps of the pictures.
            sample_aspect_ratio: of the pictures.
            rate: of the pictures, frames per second.

        Raises:
            UsageError: libavfilter refuses the chain.
        """
        self._title = f"{option} {chain}"
        buffer = {
            "video_size": f"{first.width}x{first.height}",
            "pix_fmt": first.format.name,
            "time_base": str(time_base),
            "pixel_aspect": str(sample_aspect_ratio or 0),
            "frame_rate": str(rate or 0),
            "colorspace": str(int(first.colorspace)),
            "range": str(int(first.color_range)),
        }
        filters = self._parse(chain)
        self._try(filters, buffer, first)
        self._graph = self._build(filters, buffer)

    def push(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Filter a picture; yield those that are ready.

        Raises:
            SourceError: a filter fails.
        """
        with self._translated():
            self._graph.vpush(picture)
        del picture  # or it lives until all that are ready have been taken
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield what the filters hold back at the end.

        Raises:
            SourceError: a filter fails.
        """
        with self._translated():
            self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        while True:
            with self._translated():
                try:
                    picture = self._graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
            yield picture
            del picture

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (av.error.BlockingIOError, av.error.EOFError):
            raise
        except av.error.FFmpegError as error:
            raise SourceError(f"{self._title}: failed ({error.strerror})") from error

    def _parse(self, chain: str) -> list[tuple[str, str, str]]:
        try:
            return list(split_chain(chain))
        except UsageError as error:
            raise UsageError(f"{self._title}: {error}") from error

    def _try(
        self, filters: list[tuple[str, str, str]], buffer: dict[str, str], first: av.VideoFrame
    ) -> None:
        """Find what comes out, which PyAV does not tell: filters log it, and one picture shows it.

        Where a filter gives nothing for a single picture, the format is taken to stay.
        """
        spies = [("setsar", "spy_size", ""), ("showinfo", "spy_rate", "checksum=0")]
        with libav_log(av.logging.VERBOSE, of_all_threads=True) as logged:
            graph = self._build([*filters, *spies], buffer, logged)
            graph.vpush(first)
            graph.vpush(None)
            try:
                picture = graph.vpull()
            except av.error.FFmpegError:
                picture = None
        size = _said(logged, "spy_size", r"w:(\d+) h:(\d+) sar:(\d+)/(\d+)")
        rate = _said(logged, "spy_rate", r"in time_base: (\d+)/(\d+), frame_rate: (\d+)/(\d+)")
        self.width, self.height = size[:2]
        self.sample_aspect_ratio = Fraction(size[2], size[3]) if size[2] and size[3] else None
        self.time_base = Fraction(rate[0], rate[1])
        self.rate = Fraction(rate[2], rate[3]) if rate[2] and rate[3] else None
        self.format = av.VideoFormat(
            (picture or first).format.name, width=self.width, height=self.height
        )

    def _build(
        self,
        filters: list[tuple[str, str, str]],
        buffer: dict[str, str],
        logged: list[tuple[int, str, str]] | None = None,
    ) -> av.filter.Graph:
        graph = av.filter.Graph()
        try:
            last = graph.add("buffer", **buffer)
            for name, instance, options in filters:
                _check_filter(name, self._title)
                step = graph.add(name, options or None, name=instance or name)
                last.link_to(step)
                last = step
            last.link_to(graph.add("buffersink"))
            graph.configure()
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            errors = [words for level, _, words in logged or () if level <= av.logging.ERROR]
            words = errors[0].strip().rstrip(".") if errors else reason
            raise UsageError(f"{self._title}: {words}") from error
        return graph


def available_filters() -> list[str]:
    """List the filters that this build of libav has; those of sound are among them."""
    return sorted(av.filter.filters_available)


def split_chain(chain: str) -> Iterator[tuple[str, str, str]]:
    """Split a chain into filters, as libavfilter's own parser does, which PyAV does not offer.

    A backslash or single quotes take a comma and the like for what it is; the options keep one
    level of both, which the filter takes away.

    Yields:
        Name, name of the instance ("" for none) and options of a filter.

    Raises:
        UsageError: it is empty, or holds labels or branches.
    """
    position, is_last = 0, False
    while not is_last:
        name, position = _token(chain, position, "=,;[]")
        options = ""
        if chain[position : position + 1] == "=":
            options, position = _token(chain, position + 1, ",;[]")
        end = chain[position : position + 1]
        if end and end != ",":
            raise UsageError(f"{end!r} makes branches; only a plain chain of filters is taken")
        if not name:
            raise UsageError("No filter name where one was expected")
        kind, _, instance = name.partition("@")
        yield kind, name if instance else "", options
        position, is_last = position + 1, not end


def _token(text: str, start: int, stops: str) -> tuple[str, int]:
    """Read up to one of `stops` (libavutil's av_get_token); return it and where it ended."""
    taken: list[str] = []
    kept = 0  # up to here, spaces are meant
    position = start + len(text[start:]) - len(text[start:].lstrip(_SPACE))
    while position < len(text) and text[position] not in stops:
        character = text[position]
        position += 1
        if character == "\\" and position < len(text):
            taken.append(text[position])
            position, kept = position + 1, len(taken)
        elif character == "'":
            end = text.find("'", position)
            end = len(text) if end < 0 else end
            taken.extend(text[position:end])
            position, kept = end + 1, len(taken)
        else:
            taken.append(character)
    plain = "".join(taken)
    return plain[:kept] + plain[kept:].rstrip(_SPACE), min(position, len(text))


def _check_filter(name: str, title: str) -> None:
    if name not in av.filter.filters_available:
        instead = _INSTEAD.get(name)
        more = f"; this build of libav has {instead}" if instead else ""
        raise UsageError(f"{title}: No such filter: '{name}'{more}")
    found: Any = av.filter.Filter(name)  # its pads are not in PyAV's type hints
    takes = found.inputs or found.flags & _DYNAMIC_INPUTS
    gives = found.outputs or found.flags & _DYNAMIC_OUTPUTS
    if not (takes and gives):
        what = "gives" if takes else "takes"
        raise UsageError(f"{title}: '{name}' {what} no pictures and cannot stand in a chain")


def _said(logged: list[LogEntry], name: str, pattern: str) -> tuple[int, ...]:
    """Find numbers in what a filter logged."""
    found = (re.search(pattern, words) for _, by, words in logged if by == name)
    return next(tuple(int(number) for number in match.groups()) for match in found if match)
