"""Decoding times for packets of one video that was encoded in parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

Times = tuple[int, int, int]
"""Of a packet: number of its part, presentation time, decoding time."""


def decoding_times(packets: Sequence[Times]) -> list[int]:
    """Give every packet the decoding time that one encoder for all parts would give it.

    An encoder that reorders starts each part by decoding times before its first picture, which
    lie between those of the part before. Without parts, it decodes the i-th packet when the
    picture `delay` places before the i-th is shown; x264 and x265 compute it so, and move the
    first `delay` packets ahead by the time that the delay lasts.

    Args:
        packets: in decoding order; no two are shown at the same time.

    Returns:
        Strictly increasing times, none after its packet is shown.
    """
    parts = [list(part) for _, part in groupby(packets, key=itemgetter(0))]
    if len(parts) <= 1:
        return [dts for _, _, dts in packets]
    shown = sorted(pts for _, pts, _ in packets)
    delay = max(map(_delay_of, parts))
    lead = shown[min(delay, len(shown) - 1)] - shown[0]
    lead += max(0, delay - (len(shown) - 1))  # shorter than the delay: any step will do
    early = [pts - lead for pts in shown[:delay]]
    return early + shown[: len(shown) - delay]


def _delay_of(part: Sequence[Times]) -> int:
    """Count the packets that are decoded before the first is shown, and those shown too early."""
    times = [pts for _, pts, _ in part]
    place = {pts: index for index, pts in enumerate(sorted(times))}
    first = min(times)
    ahead = sum(dts < first for _, _, dts in part)
    return max(ahead, max(index - place[pts] for index, pts in enumerate(times)))
