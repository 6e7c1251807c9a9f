"""Decoding times across the joints of segments."""

import random
from itertools import pairwise

import pytest

from streamlight.sinks.decoding_times import Times, decoding_times


def encoded(part: int, shown: list[int], delay: int) -> list[Times]:
    """Packets as x264 gives them: every third picture first, then the two before it."""
    order: list[int] = []
    for begin in range(0, len(shown), 3):
        group = shown[begin : begin + 3]
        order += group if begin == 0 else [group[-1], *group[:-1]]
    lead = shown[delay] - shown[0] if len(shown) > delay else 0
    early = [pts - lead for pts in shown[:delay]] if lead else shown[:delay]
    times = early + (shown[: len(shown) - delay] if lead else shown[delay:])
    return [(part, pts, dts) for pts, dts in zip(order, times, strict=True)]


def variable(count: int) -> list[int]:
    steps = random.Random(count)  # noqa: S311 (the same in every run)
    shown = [100]
    while len(shown) < count:
        shown.append(shown[-1] + steps.choice([1, 1, 5]))
    return shown


def in_parts(shown: list[int], cuts: list[int], delay: int) -> list[Times]:
    ends = [0, *cuts, len(shown)]
    parts = [shown[begin:end] for begin, end in pairwise(ends)]
    return [packet for n, part in enumerate(parts) for packet in encoded(n, part, delay)]


def test_a_single_part_keeps_its_times() -> None:
    packets = [(0, 0, -7), (0, 9, -3), (0, 4, 0)]
    assert decoding_times(packets) == [-7, -3, 0]
    assert decoding_times([]) == []


@pytest.mark.parametrize("cuts", [[9], [9, 18, 30], [10, 11, 23], [1, 2, 3], [39]])
def test_parts_are_decoded_as_if_encoded_at_once(cuts: list[int]) -> None:
    shown = variable(40)
    whole = [dts for _, _, dts in encoded(0, shown, delay=2)]
    packets = in_parts(shown, cuts, delay=2)
    times = decoding_times(packets)
    assert times == whole
    assert all(dts <= pts for dts, (_, pts, _) in zip(times, packets, strict=True))


def test_without_reordering_pictures_are_decoded_when_they_are_shown() -> None:
    packets = [(pts // 10, pts, pts) for pts in variable(40)]
    assert decoding_times(packets) == variable(40)


@pytest.mark.parametrize("count", range(2, 7))
def test_parts_shorter_than_the_delay_have_times_that_increase(count: int) -> None:
    packets = [(pts, pts, pts - 4) for pts in range(count)]  # x265, one picture a part
    times = decoding_times(packets)
    assert all(one < other for one, other in pairwise(times))
    assert all(dts <= pts for dts, (_, pts, _) in zip(times, packets, strict=True))
