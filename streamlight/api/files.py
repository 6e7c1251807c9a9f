"""One call that enhances a file; the command line is a shell around it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from streamlight.enhance import Enhancer
from streamlight.errors import StreamlightError
from streamlight.look import Look
from streamlight.pipeline import Outcome, Pipeline, PipelineReport
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sinks.file import check_target
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S
from streamlight.sources import FileSource
from streamlight.view import Sampling

ProgressCallback = Callable[[PipelineReport], None]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        output: the file written; None when the run was stopped and nothing kept.
        report: frames, times and the bottleneck.
        notes: what the user should know: streams not copied, damaged packets skipped.
    """

    output: Path | None
    report: PipelineReport
    notes: list[str] = field(default_factory=list)


def enhance_file(
    source: str | Path,
    target: str | Path,
    *,
    model: str = "auto",
    backend: str = "auto",
    device: str | None = None,
    precision: str | None = None,
    look: Look | None = None,
    smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
    estimate_every: int = 1,
    sampling: Sampling = "nearest",
    denoise: str = "off",
    encoder: EncoderOptions | None = None,
    overwrite: bool = False,
    strict: bool = False,
    keep_partial: bool = False,
    stop: threading.Event | None = None,
    on_open: Callable[[FileSource, Enhancer], None] | None = None,
    on_progress: ProgressCallback | None = None,
) -> FileResult:
    """Enhance a video file: same frames, timing, sound, subtitles and tags; brighter.

    Args:
        source: the file to read.
        target: the file to write: .mp4, .m4v, .mov or .mkv.
        model: "gladnet", "gladnet-fast" or "auto".
        backend: "openvino", "torch" or "auto".
        device: of the backend; None for the best.
        precision: "fp32", "bf16" or "fp16"; None for the fastest that is good.
        look: strength, exposure, before-and-after picture.
        smoothing_s: time constant in seconds of the illumination in steady light; 0 for none.
        estimate_every: estimate the illumination every so many frames, and when light changes.
        sampling: how the 96x96 view is taken: "nearest" (the paper) or "area".
        denoise: temporal averaging before the network: "off", "light" or "strong".
        encoder: quality and speed of the encoder.
        overwrite: replace an existing target.
        strict: fail at a damaged packet instead of skipping it.
        keep_partial: when the run is stopped or fails, keep a playable file of what was done.
        stop: set it from another thread (or a signal handler) to stop.
        on_open: called once, when source and network are open.
        on_progress: called with a snapshot about ten times a second, in this thread.

    Returns:
        What was done. `report.outcome` tells whether the run was stopped.

    Raises:
        SourceError, SinkError, BackendError, UsageError: see `streamlight.errors`.
    """
    target = Path(target)
    check_target(target, Path(source))
    with FileSource(source, strict=strict, denoise=denoise) as frames:
        look = replace(look or Look(), rotation=frames.info.rotation)
        size = look.output_size(frames.info.width, frames.info.height)
        with (
            FileSink(target, frames, encoder, size=size, overwrite=overwrite) as sink,
            Enhancer.open(
                model,
                backend,
                device=device,
                precision=precision,
                look=look,
                parallel=None,
                smoothing_s=smoothing_s,
                estimate_every=estimate_every,
                sampling=sampling,
            ) as enhancer,
        ):
            if on_open is not None:
                on_open(frames, enhancer)
            try:
                report = Pipeline(frames, enhancer, sink).run(stop, on_progress)
            except (StreamlightError, KeyboardInterrupt):
                if keep_partial and sink.frames_written:
                    with suppress(StreamlightError):
                        sink.finish()
                raise
            is_there = report.outcome is Outcome.END_OF_STREAM
            if not is_there and keep_partial and sink.frames_written:
                sink.finish()
                is_there = True
    notes = list(frames.notes)
    if frames.damaged_packets:
        count = frames.damaged_packets
        were = "packet of the video was" if count == 1 else "packets of the video were"
        notes.append(f"{count} damaged {were} skipped")
    return FileResult(target if is_there else None, report, notes)
