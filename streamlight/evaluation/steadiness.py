"""How steady a clip is: flicker, noise over time, warping error, settling, cuts.

Frames are uint8 RGB (H, W, 3); brightness and its changes are in levels of 0 to 255.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.evaluation.baselines.pixels import check_picture
from streamlight.evaluation.metrics import check_alike
from streamlight.frame import Image


def flicker_rms(output_luma: Sequence[float], reference_luma: Sequence[float]) -> float:
    """RMS over time of the part of the brightness that the reference does not explain, in levels.

    Both sequences (`luma` of each frame) lose their mean; then the reference's, scaled by the
    factor >= 0 that explains most (least squares), is taken from the output's. For a steady
    reference this is the standard deviation over time.
    """
    output = np.asarray(output_luma, np.float64)
    reference = np.asarray(reference_luma, np.float64)
    if output.shape != reference.shape or output.ndim != 1 or not output.size:
        raise UsageError(
            f"brightness of {output.size} frames and of {reference.size} reference frames:"
            " there must be one for each, and at least one"
        )
    output, reference = output - output.mean(), reference - reference.mean()
    power = reference @ reference
    factor = max(0.0, float(output @ reference / power)) if power else 0.0
    return float(np.sqrt(np.mean((output - factor * reference) ** 2)))


def pixel_deviation(frames: Iterable[Image]) -> float:
    """Noise that is left in a static scene: standard deviation over time, mean of all pixels.

    In levels, over the three channels. Frames are looked at one after the other.
    """
    count = 0
    mean: NDArray[Any] = np.zeros(1)
    squares: NDArray[Any] = np.zeros(1)
    for count, frame in enumerate(frames, start=1):  # Welford's method: no cancellation
        check_picture(frame)
        change = frame - mean
        mean = mean + change / count
        squares = squares + change * (frame - mean)
    if not count:
        raise UsageError("pixel_deviation: no frames")
    return float(np.sqrt(squares / count).mean())


def warping_error(frames: Iterable[Image], clean_frames: Iterable[Image]) -> float:
    """How much frames differ from the frame before, moved along the motion: RMS in levels.

    The motion is taken from the clean reference clip, so that it is the same for every method
    (OpenCV's DIS flow, medium preset). Pixels that were hidden or outside in the frame before do
    not count: those whose flow there and back does not come home, |w + w'|^2 > 0.01 (|w|^2 +
    |w'|^2) + 0.5.

    Sources: W.-S. Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, section 4.2
    (their E_warp is the mean square of values in [0, 1]); N. Bonneel et al., "Blind Video Temporal
    Consistency", SIGGRAPH Asia 2015; M. Ruder et al., "Artistic Style Transfer for Videos", GCPR
    2016, for the test of occlusion.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    error, count = 0.0, 0
    for (before, clean_before), (now, clean_now) in pairwise(
        zip(frames, clean_frames, strict=True)
    ):
        check_alike(now, clean_now)
        grey_before, grey_now = (
            cv2.cvtColor(np.ascontiguousarray(clean), cv2.COLOR_RGB2GRAY)
            for clean in (clean_before, clean_now)
        )
        backward = flow.calc(grey_now, grey_before, None)
        forward = flow.calc(grey_before, grey_now, None)
        visible = _visible(backward, forward)
        difference = now.astype(np.float32) - _warped(before.astype(np.float32), backward)
        error += float(np.square(difference[visible], dtype=np.float64).sum())
        count += 3 * int(visible.sum())
    return math.sqrt(error / count) if count else math.nan


def _warped(values: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fetch for each pixel the value that lies where `flow` (H, W, 2), x and y, points."""
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return np.asarray(
        cv2.remap(
            values,
            columns + flow[:, :, 0],
            rows + flow[:, :, 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def _visible(backward: NDArray[np.float32], forward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels whose way back and forth ends where it began, and within the picture."""
    returned = _warped(forward, backward)
    gap = np.square(backward + returned).sum(axis=2)
    length = np.square(backward).sum(axis=2) + np.square(returned).sum(axis=2)
    height, width = gap.shape
    rows, columns = np.indices(gap.shape, np.float32)
    x, y = columns + backward[:, :, 0], rows + backward[:, :, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.asarray(inside & (gap <= 0.01 * length + 0.5))


def settling_time_s(
    brightness: Sequence[float],
    times_s: Sequence[float],
    step_time_s: float,
    fraction: float = 0.9,
    tolerance: float = 0.5,
) -> float:
    """Time after a step of the light until the brightness has settled and stays so.

    The end value is the mean of the last tenth of the frames. The brightness has settled when
    what is left of the way, from the most distant value since the step or just before it, is
    less than `1 - fraction` of that distance. A result that follows at once has 0.

    Args:
        brightness: `luma` of each frame.
        times_s: when each frame is shown, ascending.
        step_time_s: when the first frame after the step is shown.
        fraction: of the way that must be done.
        tolerance: in levels; less than this is noise and counts as settled.

    Raises:
        UsageError: there is no frame before the step or none from it on.
    """
    values, times = np.asarray(brightness, np.float64), np.asarray(times_s, np.float64)
    after = times >= step_time_s
    if values.shape != times.shape or not after.any() or after.all():
        raise UsageError(
            f"a step at {step_time_s:g} s in {times.size} frames of {values.size} values:"
            " it must lie within the clip"
        )
    end = values[-max(1, len(values) // 10) :].mean()
    distance = np.abs(values - end)
    amplitude = max(distance[~after][-1], distance[after].max())
    moving = after & (distance > max((1 - fraction) * amplitude, tolerance))
    if not moving.any():
        return 0.0
    settled = int(np.flatnonzero(moving)[-1]) + 1
    return float(times[min(settled, len(times) - 1)] - step_time_s)


def cut_error(
    frames: Iterable[Image], unsmoothed: Iterable[Image], cut: int, count: int = 3
) -> float:
    """What smoothing over time leaves of the old scene after a cut, in levels.

    Args:
        frames: the smoothed result.
        unsmoothed: the result with each frame by itself.
        cut: index of the first frame of the new scene.
        count: how many frames from the cut on are looked at.

    Returns:
        Mean absolute difference of the two, over these frames.

    Raises:
        UsageError: the clips end before the cut.
    """
    errors = []
    for index, (smoothed, plain) in enumerate(zip(frames, unsmoothed, strict=False)):
        if index >= cut + count:
            break
        if index >= cut:
            check_alike(smoothed, plain)
            errors.append(float(cv2.absdiff(smoothed, plain).mean()))
    if not errors:
        raise UsageError(f"a cut at frame {cut}: the clips end before it")
    return float(np.mean(errors))
