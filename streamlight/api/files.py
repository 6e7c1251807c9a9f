"""One call that enhances a file, whatever it holds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamlight.api.expected import expectation
from streamlight.api.parts import depth_of, for_color, open_sink, open_source
from streamlight.api.resuming import go_on
from streamlight.api.zero_copy import OF_VIDEOS, Job, Way, check_hwaccel, fall_back, way_on_gpu
from streamlight.enhance import Enhancer
from streamlight.errors import StreamlightError, UsageError
from streamlight.look import Look
from streamlight.pictures import enhance_picture
from streamlight.pipeline import Outcome, Pipeline, PipelineReport
from streamlight.sinks import EncoderOptions
from streamlight.sinks.containers import check_target
from streamlight.sinks.journal import Journal
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S
from streamlight.sources import ReaderOptions
from streamlight.sources.picture_names import is_picture, is_sequence
from streamlight.verify import Expectation
from streamlight.view import DEFAULT_SAMPLING, Sampling

ProgressCallback = Callable[[PipelineReport], None]
OpenCallback = Callable[[Any, Enhancer], None]
"""Takes the source and the enhancer."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        output: the file written; None when the run was stopped and nothing kept.
        report: frames, times and the bottleneck.
        notes: what the user should know: streams not copied, damaged packets skipped.
        is_cut_off: whether the input ends before its end; the output holds what was there.
        expected: what of the output is meant to differ from the input, for
            `streamlight.verify.verify_file`; None for pictures and sequences.
    """

    output: Path | None
    report: PipelineReport
    notes: list[str] = field(default_factory=list)
    is_cut_off: bool = False
    expected: Expectation | None = None


def enhance_file(
    source: str | Path,
    target: str | Path,
    *,
    model: str = "auto",
    backend: str = "auto",
    device: str | None = None,
    precision: str | None = None,
    engine_dir: Path | None = None,
    streams: int | None = None,
    memory_bytes: int | None = None,
    enhancer: Enhancer | None = None,
    look: Look | None = None,
    skip_bright: bool = False,
    smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
    estimate_every: int = 1,
    sampling: Sampling = DEFAULT_SAMPLING,
    reader: ReaderOptions | None = None,
    encoder: EncoderOptions | None = None,
    post_filter: str | None = None,
    frame_rate: Fraction | float | str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    keep_partial: bool = False,
    resume: bool = False,
    hwaccel: str = "auto",
    stop: threading.Event | None = None,
    on_open: OpenCallback | None = None,
    on_progress: ProgressCallback | None = None,
) -> FileResult:
    """Enhance a video: same frames, timing, sound, subtitles and tags; brighter.

    Takes a picture or a numbered sequence of pictures too; the output's name says what is written.

    Args:
        source: the file to read, or a sequence (`frame_%05d.png`).
        target: the file to write, or a sequence.
        model: "gladnet", "gladnet-fast" or "auto".
        backend: "openvino", "torch" or "auto".
        device: of the backend; None for the best.
        precision: "fp32", "bf16", "fp16" or "int8"; None for the fastest that is good.
        engine_dir: where TensorRT's engines are kept; None for the default.
        streams: how many frames are enhanced at once; None makes the most of the device.
        memory_bytes: what enhancing may take; larger frames go through in tiles. None looks at
            what is free.
        enhancer: an open one to use instead, with its own network and smoothing.
        look: strength, exposure, before-and-after picture.
        skip_bright: leave frames as they are that are bright already.
        smoothing_s: time constant in seconds of the illumination in steady light; 0 for none.
        estimate_every: estimate the illumination every so many frames, and when light changes.
        sampling: how the 96x96 view is taken: "many", "nearest" (the paper) or "area"; see
            `Enhancer.open`.
        reader: filters, the part that is wanted, HDR, and what to do with damage.
        encoder: codec, quality and speed of the encoder.
        post_filter: a chain of libavfilter between the network and the encoder.
        frame_rate: pictures a second of a sequence; None for 25.
        quality: of JPEG and WebP pictures, 1 to 100; None for that of the input.
        overwrite: replace an existing target.
        keep_partial: when the run is stopped or fails, keep a playable file of what was done.
        resume: keep what is done in a hidden folder beside the target, and go on from there when
            an earlier run with the same options was interrupted.
        hwaccel: "cuda" to decode on the GPU of the network and keep the pictures there, as far as
            can be: a note tells; with a strict reader it fails instead. "none" and "auto" decode
            in software.
        stop: set it from another thread (or a signal handler) to stop.
        on_open: called once, when source and network are open.
        on_progress: called with a snapshot about ten times a second, in this thread.

    Returns:
        What was done. `report.outcome` tells whether the run was stopped.

    Raises:
        SourceError, SinkError, BackendError, UsageError: see `streamlight.errors`.
    """
    source, target = Path(source), Path(target)
    look = look or Look()

    @contextmanager
    def enhancer_for(look: Look) -> Iterator[Enhancer]:
        if enhancer is not None:
            enhancer.reset()
            enhancer.look = look
            yield enhancer
            return
        with Enhancer.open(
            model,
            backend,
            device=device,
            precision=precision,
            engine_dir=engine_dir,
            memory_bytes=memory_bytes,
            look=look,
            parallel=streams,
            smoothing_s=smoothing_s,
            estimate_every=estimate_every,
            sampling=sampling,
            skip_bright=skip_bright,
        ) as opened:
            yield opened

    check_hwaccel(hwaccel)
    _check_kinds(source, target, frame_rate, quality)
    if resume and (keep_partial or _is_of_pictures(source, target)):
        raise UsageError("--resume is for videos, and keeps what is done without --keep-partial")
    job = {
        "look": look,
        "smoothing": (smoothing_s, estimate_every, sampling, skip_bright),
        "reading": reader or ReaderOptions(),
        "encoder": encoder or EncoderOptions(),
        "--post-filter": post_filter,
    }
    if _is_still(source, target):
        is_strict = reader is not None and reader.strict
        unused = [fall_back(OF_VIDEOS, strict=is_strict)] if hwaccel == "cuda" else []
        with enhancer_for(look) as opened:
            done = enhance_picture(
                source,
                target,
                opened,
                quality=quality,
                overwrite=overwrite,
                stop=stop,
                on_open=None if on_open is None else lambda still: on_open(still, opened),
                on_progress=on_progress,
            )
        return FileResult(done.output, done.report, [*done.notes, *unused])

    with ExitStack() as stack:
        journal = None
        if resume:
            journal = stack.enter_context(Journal(target, source, job))
        frames = open_source(source, reader, frame_rate, journal)
        stack.enter_context(frames)
        look = replace(look, rotation=frames.info.rotation)
        size = look.output_size(frames.info.width, frames.info.height)
        way: Way | None = None
        if hwaccel == "cuda":
            opened = stack.enter_context(enhancer_for(look))
            asked = Job(
                target=target,
                look=look,
                reader=reader or ReaderOptions(),
                encoder=encoder or EncoderOptions(),
                post_filter=post_filter,
                resume=resume,
            )
            way = way_on_gpu(frames, opened, asked)
            frames.hwaccel_note = way.note
        sink = open_sink(
            target,
            frames,
            size,
            encoder,
            post_filter,
            quality,
            overwrite,
            journal,
            way.device if way else None,
        )
        stack.enter_context(sink)
        if way is None:
            opened = stack.enter_context(enhancer_for(look))
        opened.prepare(frames.info.width, frames.info.height, depth_of(frames.info.bits))
        if on_open is not None:
            on_open(frames, opened)
        if journal is not None:
            go_on(journal, source, reader, opened, smoothing_s, stop)
        to_enhance = way.enhancer if way else for_color(opened, frames)
        pipeline = Pipeline(frames, to_enhance, sink)
        try:
            report = pipeline.run(stop, on_progress)
        except (StreamlightError, KeyboardInterrupt):
            if keep_partial and sink.frames_written:
                with suppress(StreamlightError):
                    sink.finish()
            raise
        is_whole = report.outcome is Outcome.END_OF_STREAM
        is_kept = not is_whole and keep_partial and sink.frames_written > 0
        if is_kept:
            sink.finish()
        expected = expectation(frames, sink, reader, look, post_filter, is_partial=not is_whole)
        notes = [*opened.notes, *frames.notes, *sink.notes, *_damage(frames.damaged_packets)]
        if way is not None:
            notes.insert(0, way.note)
    output = target if is_whole or is_kept else None
    return FileResult(output, report, notes, frames.is_cut_off, expected)


def _check_kinds(
    source: Path, target: Path, frame_rate: object | None, quality: int | None
) -> None:
    """Refuse what cannot be meant, before anything is opened."""
    if frame_rate is not None and not is_sequence(source):
        raise UsageError(f"--frame-rate is for numbered pictures, not for {source}")
    if not (is_picture(target) or is_sequence(target)):
        check_target(target, source)
        if quality is not None:
            raise UsageError(f"--quality is for pictures; --crf is that of {target}")


def _is_still(source: Path, target: Path) -> bool:
    is_of_many = is_sequence(source) or is_sequence(target)
    return not is_of_many and (is_picture(source) or is_picture(target))


def _is_of_pictures(source: Path, target: Path) -> bool:
    return any(is_picture(path) or is_sequence(path) for path in (source, target))


def _damage(count: int) -> Iterator[str]:
    if count:
        were = "packet of the video was" if count == 1 else "packets of the video were"
        yield f"{count} damaged {were} skipped"
