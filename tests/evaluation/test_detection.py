"""Boxes against boxes, with overlaps worked out by hand."""

import math

import pytest

from streamlight.errors import UsageError
from streamlight.evaluation.detection import Box, iou, match, recall

UNIT: Box = (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (UNIT, 1.0),
        ((5, 0, 15, 10), 50 / 150),
        ((5, 5, 15, 15), 25 / 175),
        ((2, 2, 4, 7), 10 / 100),  # inside
        ((10, 0, 20, 10), 0.0),  # touches
        ((20, 20, 30, 30), 0.0),  # apart in both axes: the two gaps must not multiply to an area
    ],
)
def test_iou_is_shared_area_over_joint_area(other: Box, expected: float) -> None:
    assert iou(UNIT, other) == pytest.approx(expected)
    assert iou(other, UNIT) == pytest.approx(expected)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, 0), (5, 0, 0, 5), (0, 0, math.nan, 5)])
def test_a_box_without_area_is_refused(box: Box) -> None:
    with pytest.raises(UsageError, match="x0 < x1"):
        iou(UNIT, box)


def test_recall_counts_expected_boxes_that_were_found() -> None:
    expected: list[Box] = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (60, 0, 70, 10)]
    found: list[Box] = [(61, 0, 71, 10), (0, 1, 10, 11), (100, 0, 110, 10)]

    assert recall(found, expected) == 0.5
    assert recall([], expected) == 0
    assert recall(expected[::-1], expected) == 1


def test_one_found_box_stands_for_one_expected_box_only() -> None:
    between: Box = (1, 0, 11, 10)

    assert recall([between], [(0, 0, 10, 10), (2, 0, 12, 10)]) == 0.5
    assert match([between, between], [UNIT]) == [(0, 0)]


def test_the_pair_that_overlaps_most_goes_first() -> None:
    expected: list[Box] = [(3, 0, 13, 10), (0, 0, 10, 10)]
    found: list[Box] = [(1, 0, 11, 10), (4, 0, 14, 10)]

    assert sorted(match(found, expected)) == [(0, 1), (1, 0)]


def test_the_least_overlap_is_enough_and_less_is_not() -> None:
    half: Box = (0, 0, 10, 5)

    assert recall([half], [UNIT], least_iou=0.5) == 1
    assert recall([half], [UNIT], least_iou=0.51) == 0


def test_recall_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no expected boxes"):
        recall([UNIT], [])


@pytest.mark.parametrize("least_iou", [0.0, -0.1, 1.1])
def test_a_least_overlap_out_of_range_is_refused(least_iou: float) -> None:
    with pytest.raises(UsageError, match="least_iou"):
        match([UNIT], [UNIT], least_iou)
