"""One call that enhances a still picture."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from streamlight.frame import Image
from streamlight.pipeline import Outcome, Pipeline, PipelineReport, Prior
from streamlight.sinks.pictures import PictureSink, check_picture_target
from streamlight.sources.pictures import PictureSource


class StillEnhancer(Protocol):
    """What enhances a picture; `streamlight.Enhancer` does."""

    def estimate(self, image: Image, time_s: float | None = None) -> Prior:
        """Estimate the illumination of a single picture, when there is no time."""
        ...

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """Enhance it."""
        ...


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What became of a picture.

    Attributes:
        output: the file written; None when the run was stopped.
        report: of one frame.
        notes: what the user should know: what the output does not hold.
    """

    output: Path | None
    report: PipelineReport
    notes: list[str] = field(default_factory=list)


def enhance_picture(
    source: str | Path,
    target: str | Path,
    enhancer: StillEnhancer,
    *,
    quality: int | None = None,
    overwrite: bool = False,
    stop: threading.Event | None = None,
    on_open: Callable[[PictureSource], None] | None = None,
    on_progress: Callable[[PipelineReport], None] | None = None,
) -> PictureResult:
    """Enhance a picture: same size, depth, transparency, EXIF, profile; brighter, and upright.

    Args:
        source: the file to read: JPEG, PNG, WebP, TIFF, AVIF, BMP or PNM.
        target: the file to write: .jpg, .png, .webp, .tif or .avif.
        enhancer: an open one, which may serve for many pictures. Its smoothing is not used, and
            its `look.rotation` must be 0: the picture is upright when it comes.
        quality: of JPEG, WebP and AVIF, 1 to 100; None for that of the input.
        overwrite: replace an existing target.
        stop: set it from another thread (or a signal handler) to stop.
        on_open: called once, when the picture is read.
        on_progress: called with a snapshot about ten times a second, in this thread.

    Returns:
        What was done. `report.outcome` tells whether the run was stopped.

    Raises:
        SourceError, SinkError, BackendError, UsageError: see `streamlight.errors`.
    """
    target = Path(target)
    check_picture_target(target, Path(source), quality)
    with (
        PictureSource(source) as frames,
        PictureSink(target, frames.picture, quality=quality, overwrite=overwrite) as sink,
    ):
        if on_open is not None:
            on_open(frames)
        report = Pipeline(frames, _OneByOne(enhancer), sink).run(stop, on_progress)
        is_there = report.outcome is Outcome.END_OF_STREAM
        return PictureResult(target if is_there else None, report, frames.notes + sink.notes)


class _OneByOne:
    """Takes every picture by itself: it has no past, whatever came before it."""

    parallel = 1

    def __init__(self, enhancer: StillEnhancer) -> None:
        self._enhancer = enhancer

    def estimate(self, image: Image, time_s: float) -> Prior:
        return self._enhancer.estimate(image)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        return self._enhancer.reconstruct(image, prior)
