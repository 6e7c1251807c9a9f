"""How much of what a detector should find it finds: boxes compared with boxes.

Boxes are (x0, y0, x1, y1) in pixels, x0 < x1 and y0 < y1. Nothing here knows a detector; see
`benchmarks/detection_recall.py` for one.
"""

from collections.abc import Sequence

from streamlight.errors import UsageError

Box = tuple[float, float, float, float]


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes: 1 for equal ones, 0 for those that do not overlap.

    Raises:
        UsageError: a box has no area.
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (_area(a) + _area(b) - shared)


def match(
    found: Sequence[Box], expected: Sequence[Box], least_iou: float = 0.5
) -> list[tuple[int, int]]:
    """Pair found boxes with expected ones, each at most once, those that overlap most first.

    Args:
        found: boxes of a detector, in any order.
        expected: boxes that are right.
        least_iou: what two boxes must share to be the same thing, in (0, 1].

    Returns:
        Indices of the found and the expected box of each pair.

    Raises:
        UsageError: `least_iou` is out of range, or a box has no area.
    """
    if not 0 < least_iou <= 1:
        raise UsageError(f"least_iou {least_iou:g}: must be more than 0 and at most 1")
    overlaps = [
        (iou(box, right), i, j) for i, box in enumerate(found) for j, right in enumerate(expected)
    ]
    pairs: list[tuple[int, int]] = []
    free_found, free_expected = set(range(len(found))), set(range(len(expected)))
    for overlap, i, j in sorted(overlaps, key=lambda entry: -entry[0]):
        if overlap >= least_iou and i in free_found and j in free_expected:
            pairs.append((i, j))
            free_found.remove(i)
            free_expected.remove(j)
    return pairs


def recall(found: Sequence[Box], expected: Sequence[Box], least_iou: float = 0.5) -> float:
    """Share of the expected boxes that were found, in [0, 1]; see `match`.

    Raises:
        UsageError: nothing is expected, `least_iou` is out of range, or a box has no area.
    """
    if not expected:
        raise UsageError("recall of no expected boxes: there must be at least one")
    return len(match(found, expected, least_iou)) / len(expected)


def _area(box: Box) -> float:
    x0, y0, x1, y1 = box
    if not (x0 < x1 and y0 < y1):
        raise UsageError(f"box {box}: expected (x0, y0, x1, y1) with x0 < x1 and y0 < y1")
    return (x1 - x0) * (y1 - y0)
