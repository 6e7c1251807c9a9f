"""Fields to frames, by libavfilter's bwdif; progressive pictures cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Literal

import av

from streamlight.errors import UsageError
from streamlight.sources.filters import FilterChain

Deinterlacing = Literal["auto", "on", "off"]
DEINTERLACING: tuple[Deinterlacing, ...] = ("auto", "on", "off")
"""Only pictures that say that they are interlaced; all; none."""


def check_deinterlacing(mode: str) -> None:
    """Check a mode.

    Raises:
        UsageError: there is no such mode.
    """
    if mode not in DEINTERLACING:
        raise UsageError(f"deinterlace {mode!r}: choose one of {', '.join(DEINTERLACING)}")


def deinterlaced(
    pictures: Iterable[av.VideoFrame],
    mode: Deinterlacing,
    unit: Fraction,
    note: Callable[[str], None],
) -> Iterator[av.VideoFrame]:
    """Yield a progressive picture for each picture, with the same timestamp.

    The filter comes in with the first interlaced picture, and passes on the progressive ones that
    are mixed with them.

    Args:
        pictures: decoded, all of one size and format.
        mode: "auto", "on" or "off".
        unit: seconds per tick of their timestamps.
        note: takes one sentence for the user.
    """
    chain: FilterChain | None = None
    is_told = False
    for picture in pictures:
        is_wanted = mode == "on" or (mode == "auto" and picture.interlaced_frame)
        if chain is None and is_wanted:
            which = "all" if mode == "on" else "interlaced"
            chain = FilterChain(
                f"bwdif=mode=send_frame:deint={which},format={picture.format.name}",
                "--deinterlace",
                picture,
                unit,
            )
            note("interlaced: deinterlaced with bwdif")
        elif mode == "off" and picture.interlaced_frame and not is_told:
            is_told = True
            note("interlaced: kept so, and the two fields are enhanced as one picture")
        if chain is None:
            yield picture
        else:
            yield from _at_their_times(chain.push(picture), chain, unit)
        del picture
    if chain is not None:
        yield from _at_their_times(chain.flush(), chain, unit)


def _at_their_times(
    pictures: Iterator[av.VideoFrame], chain: FilterChain, unit: Fraction
) -> Iterator[av.VideoFrame]:
    """Count in the old unit again; bwdif halves it, to have room for a picture of each field."""
    for picture in pictures:
        if picture.pts is not None:
            picture.pts = round(picture.pts * chain.time_base / unit)
        picture.duration = round(picture.duration * chain.time_base / unit)
        picture.time_base = unit
        yield picture
        del picture
