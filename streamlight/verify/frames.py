"""Finds out whether each frame of an output shows the same frame of its input.

A 96x96 view of the luma of each picture is taken, in logarithms, so that brightening adds about
the same to all frames. What a frame has that those around it have not, its difference from the mean
of five, is correlated between input and output: with the same frame, the one before and the one
after. A frame that was dropped, repeated or moved correlates better with its neighbour. In a
good output it does not: on the clips of shared/ the neighbour's correlation stayed below the
frame's own wherever anything moved (docs/verify.md).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamlight.sources.frame_views import frame_views
from streamlight.verify.streams import Difference

Region: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture."""

VIEW = 96
"""Side of the views."""

_REACH = 2
"""Frames to each side whose mean is taken off."""

_FLOOR = 8.0
"""Levels added before the logarithm: below them all is noise."""

_MOVES = 0.01
"""RMS change of log luma from frame to frame from which frames can be told apart."""

_BETTER, _ALIKE = 0.2, 0.4
"""A frame is out of its place when it correlates with a neighbour by so much more than with its
own, and at least so much."""

_SMOOTH = 0.8
"""Correlation of a frame with a neighbour, both of the input, from which on noise may decide which
of them an output is more like. A frame out of its place then counts with another one beside it:
what was swapped or moved leaves two, a frame shown twice is found by that, noise leaves one."""

_NOISY, _NEARBY = 0.5, 12
"""Median correlation of frames with their own, over so many to each side, below which noise is most
of what changes. There, too, a frame counts with another one beside it."""

_REPEATED = 0.25
"""Share of the usual change from frame to frame below which a frame repeats the one before."""

_SAME_SCENE, _STRUCTURE = 0.5, 0.05
"""Correlation of the whole views below which a frame shows something else; and the contrast, as
RMS of log luma, that the input must have for that."""


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """What the comparison frame by frame found.

    Attributes:
        frames: how many were compared.
        told_apart: how many of them differ enough from their neighbours for their place to be
            checked.
        differences: what is wrong; one entry for each kind.
    """

    frames: int
    told_apart: int
    differences: tuple[Difference, ...]


@dataclass(slots=True)
class _Scores:
    """Of each frame: correlations, and how much it differs from the one before."""

    own: list[float]
    neighbour: list[float]
    is_smooth: list[bool]
    whole: list[float]
    contrast: list[float]
    change_before: list[float]
    change_after: list[float]


def match_frames(
    source: Path,
    target: Path,
    *,
    frames: int,
    step: int = 1,
    start_s: float | None = None,
    region: Region = (0.0, 0.0, 1.0, 1.0),
) -> FrameMatch:
    """Decode both files, and compare them frame by frame.

    Args:
        source: the input.
        target: the output.
        frames: how many of the input are in the output.
        step: frames of the output for each of the input.
        start_s: first frame of the input that is in the output.
        region: part of the output's picture that shows the input's whole picture.

    Raises:
        SourceError: one of them cannot be read.
    """
    before = islice(frame_views(source, VIEW, start_s=start_s), frames)
    after = islice(frame_views(target, VIEW, region=region), 0, None, step)
    return match_views(before, after, frames)


def match_views(
    before: Iterable[NDArray[np.float32]], after: Iterable[NDArray[np.float32]], frames: int
) -> FrameMatch:
    """Compare views of luma (96, 96), 0 to 255, of input and output, frame by frame."""
    scores = _score(before, after)
    found = len(scores.own)
    differences = []
    if found < frames:
        differences.append(Difference("decoded frames", str(frames), str(found)))
    differences += _judge(scores)
    told_apart = sum(change > _MOVES for change in scores.change_before)
    return FrameMatch(found, told_apart, tuple(differences))


def _score(before: Iterable[NDArray[np.float32]], after: Iterable[NDArray[np.float32]]) -> _Scores:
    scores = _Scores([], [], [], [], [], [], [])
    recent: deque[tuple[NDArray[np.float32], NDArray[np.float32]]] = deque(maxlen=2)
    last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    for (one, own_one), (other, own_other) in zip(
        _with_own_part(before), _with_own_part(after), strict=False
    ):
        scores.whole.append(_correlation(one, other))
        scores.contrast.append(float(one.std()))
        scores.own.append(_correlation(own_one, own_other))
        scores.neighbour.append(-1.0)
        scores.is_smooth.append(False)
        if recent and last is not None:
            earlier_one, earlier_other = recent[-1]
            # this output shows the input before, or the output before shows this input
            scores.neighbour[-1] = max(scores.neighbour[-1], _correlation(earlier_one, own_other))
            back = _correlation(own_one, earlier_other)
            scores.neighbour[-2] = max(scores.neighbour[-2], back)
            if _correlation(own_one, earlier_one) > _SMOOTH:
                scores.is_smooth[-2:] = [True, True]
            scores.change_before.append(float((one - last[0]).std()))
            scores.change_after.append(float((other - last[1]).std()))
        else:
            scores.change_before.append(0.0)
            scores.change_after.append(0.0)
        recent.append((own_one, own_other))
        last = one, other
    return scores


def _with_own_part(
    views: Iterable[NDArray[np.float32]],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the logarithm of each view, and of that what the mean of those around has not."""
    window: deque[NDArray[np.float32]] = deque(maxlen=2 * _REACH + 1)
    position = 0  # in the window, of the next to yield
    for view in views:
        if len(window) == window.maxlen:
            position -= 1
        window.append(np.log(view + np.float32(_FLOOR)))
        if len(window) - position > _REACH:
            yield window[position], window[position] - np.mean(window, axis=0)
            position += 1
    while position < len(window):
        around = list(window)[max(0, position - _REACH) :]
        yield window[position], window[position] - np.mean(around, axis=0)
        position += 1


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Normalised correlation, -1 to 1; 0 where one of them is flat."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / norm if norm > 1e-6 else 0.0


def _judge(scores: _Scores) -> Iterator[Difference]:
    own, neighbour = np.array(scores.own), np.array(scores.neighbour)
    is_else = (np.array(scores.whole) < _SAME_SCENE) & (np.array(scores.contrast) > _STRUCTURE)
    yield from _name("the same scene", "something else", is_else)
    change = np.array(scores.change_before)
    moves = change > _MOVES
    passed_on = np.array(scores.change_after) / np.maximum(change, 1e-6)
    usual = float(np.median(passed_on[moves])) if moves.any() else 0.0
    is_repeated = moves & (passed_on < _REPEATED * usual) & ~is_else
    yield from _name("the frame of the input", "the frame before it again", is_repeated)
    is_moved = (neighbour - own > _BETTER) & (neighbour > _ALIKE) & ~is_else & ~is_repeated
    around = np.pad(is_moved, 1)
    is_unsure = np.array(scores.is_smooth, bool) | (_median_nearby(own) < _NOISY)
    is_moved &= ~is_unsure | around[:-2] | around[2:]
    yield from _name("the frame of the input", "a frame beside it", is_moved)


def _median_nearby(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(values):
        return values
    padded = np.pad(values, _NEARBY, mode="reflect" if len(values) > _NEARBY else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEARBY + 1)
    return np.asarray(np.median(windows, axis=1))


def _name(expected: str, found: str, is_so: NDArray[np.bool_]) -> Iterator[Difference]:
    numbers = np.flatnonzero(is_so)
    if len(numbers):
        shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        frames = "frame" if len(numbers) == 1 else f"{len(numbers)} frames:"
        yield Difference(f"pictures, {frames} {shown}", expected, found)
