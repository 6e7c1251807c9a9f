"""How steady a method is: the synthetic clips of `synthesis`, or a clip of one's own."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from streamlight.errors import UsageError
from streamlight.evaluation import metrics, steadiness
from streamlight.evaluation.pairs import Method, mean_of
from streamlight.evaluation.synthesis import Clip, ClipForm, protocol_clips
from streamlight.frame import Image
from streamlight.sources import FileSource
from streamlight.sources.denoise import denoised_images

MIN_FRAMES = 12
"""Fewer hold no period of the flicker and no middle."""

FIGURES: dict[str, str] = {
    "static_flicker_rms": "static: RMS of frame-mean luma, levels",
    "static_pixel_deviation": "static: per-pixel deviation over time, levels",
    "pan_flicker_rms": "pan of 1 px/frame: RMS of luma beyond the reference's own change, levels",
    "pan_warping_error": "pan: RMS of the difference to the frame before, moved along, levels",
    "pan_warping_ratio": "likewise, by the clean clip's",
    "pan_psnr": "pan: mean PSNR, dB",
    "flicker_in": "flicker of the light: RMS of luma by its mean, input",
    "flicker_out": "likewise, output",
    "flicker_reduction": "flicker_in by flicker_out",
    "step_settling_s": "light step: time until 90 % of the way is done, s",
    "flash_deviation": "flash: largest deviation of luma after it from before it, levels",
    "cut_error": "cut: mean difference to the result without smoothing, levels",
    "cut_residue": "cut: mean difference to the result of a video that begins there, levels",
    "fade_error": "fade: likewise",
    "ms": "mean time a frame, ms",
}
"""Every figure of a row of the protocol, and what it is."""


@dataclass(frozen=True, slots=True)
class Course:
    """Brightness of a clip over time, for the plots.

    Attributes:
        clip: name of the clip.
        times_s: when each frame is shown.
        input: mean luma of each dark frame in levels.
        reference: of each clean frame; empty when there is none.
        outputs: of each result, by the method's label.
    """

    clip: str
    times_s: list[float]
    input: list[float]
    reference: list[float]
    outputs: dict[str, list[float]] = field(default_factory=dict)


def run_protocol(
    first: Image,
    second: Image,
    methods: Sequence[Method],
    form: ClipForm,
    on_progress: Callable[[str], None] = lambda text: None,
) -> tuple[list[dict[str, str | float | None]], list[Course]]:
    """Run every method on every synthetic clip.

    The frames of one clip, and of one result, are held in memory.

    Args:
        first: bright picture, uint8 RGB, that the clips are made of.
        second: of another scene, for the cut and the fade.
        methods: see `pairs.open_methods`.
        form: size, length, rate, darkness and seed of the clips.
        on_progress: told what comes next.

    Returns:
        A row of `FIGURES` for each method, and the brightness over time for each clip.

    Raises:
        UsageError: the clips are too short.
    """
    if form.frames < MIN_FRAMES:
        raise UsageError(f"--frames {form.frames}: must be at least {MIN_FRAMES}")
    rows = [_settings(method) for method in methods]
    times: list[list[float]] = [[] for _ in methods]
    courses = []
    for clip in protocol_clips(first, second, form):
        run = _ClipRun(clip)
        for method, row, times_ms in zip(methods, rows, times, strict=True):
            on_progress(f"{clip.name}: {method.label}")
            row.update(run.figures(method, times_ms))
        courses.append(run.course)
    for row, times_ms in zip(rows, times, strict=True):
        row["ms"] = mean_of(times_ms)
    return [{name: row[name] for name in (*_SETTINGS, *FIGURES)} for row in rows], courses


_SETTINGS = ("method", "sampling", "smoothing_s", "denoise")


def _settings(method: Method) -> dict[str, str | float | None]:
    values = (method.name, method.sampling, method.smoothing_s, method.denoise)
    return dict(zip(_SETTINGS, values, strict=True))


class _ClipRun:
    """One clip of the protocol, with what is the same for all methods."""

    def __init__(self, clip: Clip) -> None:
        pairs = list(clip)
        self._clip = clip
        self._noisy = [dark for dark, _ in pairs]
        self._denoised = {"off": self._noisy}
        self._clean = [clean for _, clean in pairs]
        self._clean_warping: float | None = None
        self.course = Course(
            clip.name,
            [clip.time_s(index) for index in range(len(clip))],
            [metrics.luma(frame) for frame in self._noisy],
            [metrics.luma(frame) for frame in self._clean],
        )

    def figures(self, method: Method, times_ms: list[float]) -> dict[str, float | None]:
        method.forget()
        inputs = self._inputs(method.denoise)
        method.run(inputs[0], None)  # warms up
        frames = []
        for dark, time_s in zip(inputs, self.course.times_s, strict=True):
            start = time.perf_counter()
            frames.append(method.run(dark, time_s))
            times_ms.append(1000 * (time.perf_counter() - start))
        luma = [metrics.luma(frame) for frame in frames]
        self.course.outputs[method.label] = luma
        match self._clip.name:
            case "static":
                return {
                    "static_flicker_rms": steadiness.flicker_rms(luma, self.course.reference),
                    "static_pixel_deviation": steadiness.pixel_deviation(frames),
                }
            case "pan":
                return self._pan(frames, luma)
            case "flicker":
                return _flicker(self.course.input, luma)
            case "light-step":
                at = self._clip.time_s(self._clip.events[0].frame)
                return {
                    "step_settling_s": steadiness.settling_time_s(luma, self.course.times_s, at)
                }
            case "flash":
                return {"flash_deviation": self._after_flash(luma)}
            case "cut" | "fade":
                return self._lag(method, inputs, frames)
        return {}

    def _inputs(self, denoise: str) -> list[Image]:
        if denoise not in self._denoised:
            self._denoised[denoise] = denoised_images(self._noisy, denoise)
        return self._denoised[denoise]

    def _pan(self, frames: list[Image], luma: list[float]) -> dict[str, float | None]:
        if self._clean_warping is None:
            self._clean_warping = steadiness.warping_error(self._clean, self._clean)
        warping = steadiness.warping_error(frames, self._clean)
        psnr = [metrics.psnr(*pair) for pair in zip(frames, self._clean, strict=True)]
        return {
            "pan_flicker_rms": steadiness.flicker_rms(luma, self.course.reference),
            "pan_warping_error": warping,
            "pan_warping_ratio": warping / self._clean_warping if self._clean_warping else None,
            "pan_psnr": mean_of(psnr),
        }

    def _after_flash(self, luma: list[float]) -> float:
        flash = self._clip.events[0]
        before = float(np.median(luma[: flash.frame]))
        return max(abs(value - before) for value in luma[flash.end :])

    def _lag(
        self, method: Method, inputs: list[Image], frames: list[Image]
    ) -> dict[str, float | None]:
        """Compare with each frame by itself, and with a video that begins at the event."""
        name, event = self._clip.name, self._clip.events[0]
        count = 3 if name == "cut" else event.end - event.frame
        until = event.frame + count
        unsmoothed = (
            method.run(dark, None) if index >= event.frame else frames[index]
            for index, dark in enumerate(inputs)
        )
        figures: dict[str, float | None] = {
            f"{name}_error": steadiness.cut_error(frames, unsmoothed, event.frame, count)
        }
        if name == "cut":
            method.forget()
            begun = frames[: event.frame] + [
                method.run(*shown)
                for shown in zip(
                    inputs[event.frame : until],
                    self.course.times_s[event.frame : until],
                    strict=True,
                )
            ]
            figures["cut_residue"] = steadiness.cut_error(frames, begun, event.frame, count)
        return figures


def _flicker(before: list[float], after: list[float]) -> dict[str, float | None]:
    """Depth of the flicker, relative to the mean brightness, in the input and in the output."""
    into, out = (float(np.std(luma)) / max(float(np.mean(luma)), 1e-6) for luma in (before, after))
    return {
        "flicker_in": into,
        "flicker_out": out,
        "flicker_reduction": into / out if out else None,
    }


def run_clip(
    path: Path,
    methods: Sequence[Method],
    limit: int | None = None,
    is_static: bool = False,
    on_progress: Callable[[str], None] = lambda text: None,
) -> tuple[list[dict[str, str | float | None]], Course]:
    """Run every method on a video file, which is decoded anew for each.

    Args:
        path: of the video.
        methods: see `pairs.open_methods`.
        limit: look at the first so many frames only.
        is_static: nothing moves and the light does not change, so that every change is an error:
            gives `flicker_rms` and `pixel_deviation`.
        on_progress: told what comes next.

    Returns:
        A row for each method, and the brightness over time. In the rows: mean luma, the RMS of
        its change from frame to frame, both in levels, for input and output.

    Raises:
        SourceError: the video cannot be read.
    """
    course = Course(path.stem, [], [], [])
    rows: list[dict[str, str | float | None]] = []
    for method in methods:
        on_progress(f"{path.name}: {method.label}")
        course.times_s.clear()
        course.input.clear()
        luma: list[float] = []
        times_ms: list[float] = []
        method.forget()
        results = _results(path, method, limit, course, luma, times_ms)
        deviation = steadiness.pixel_deviation(results) if is_static else None
        for _ in results:
            pass  # the figures are gathered on the way
        course.outputs[method.label] = luma
        rows.append(
            _settings(method)
            | {
                "frames": len(luma),
                "luma_in": mean_of(course.input),
                "luma_out": mean_of(luma),
                "luma_change_in": _change_rms(course.input),
                "luma_change_out": _change_rms(luma),
                "flicker_rms": float(np.std(luma)) if is_static else None,
                "pixel_deviation": deviation,
                "ms": mean_of(times_ms),
            }
        )
    return rows, course


def _results(
    path: Path,
    method: Method,
    limit: int | None,
    course: Course,
    luma: list[float],
    times_ms: list[float],
) -> Iterator[Image]:
    with FileSource(path, denoise=method.denoise) as source:
        for frame in islice(source, limit):
            image = frame.image if frame.image.dtype == np.uint8 else _to_8_bits(frame.image)
            start = time.perf_counter()
            result = method.run(image, frame.time_s)
            times_ms.append(1000 * (time.perf_counter() - start))
            course.times_s.append(frame.time_s)
            course.input.append(metrics.luma(image))
            luma.append(metrics.luma(result))
            yield result


def _to_8_bits(image: Image) -> Image:
    return np.asarray(image >> 8, np.uint8)


def _change_rms(luma: Sequence[float]) -> float | None:
    return float(np.sqrt(np.mean(np.square(np.diff(luma))))) if len(luma) > 1 else None
