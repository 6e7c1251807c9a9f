"""The source and the sink for a name: a video file, or numbered pictures."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamlight.color import is_hdr
from streamlight.enhance import Enhancer
from streamlight.errors import UsageError
from streamlight.hdr_enhance import HdrEnhancer
from streamlight.pipeline import FrameEnhancer
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sinks.journal import Journal
from streamlight.sinks.resumable import ResumableSink
from streamlight.sinks.sequence import SequenceSink
from streamlight.sources import FileSource, ReaderOptions
from streamlight.sources.picture_names import is_sequence
from streamlight.sources.sequence import DEFAULT_RATE, SequenceSource
from streamlight.sources.tonemap import ToneMapper

AnySource = FileSource | SequenceSource
AnySink = FileSink | SequenceSink


def open_source(
    path: Path,
    reader: ReaderOptions | None,
    frame_rate: Fraction | float | str | None,
    journal: Journal | None = None,
) -> AnySource:
    """Open what is to be read.

    Raises:
        SourceError: it cannot be read.
        UsageError: an option is not for it.
    """
    reader = reader or ReaderOptions()
    if not is_sequence(path):
        if journal is None:
            return FileSource(path, **asdict(reader))
        return FileSource(
            path,
            **asdict(reader),
            resume_after_pts=journal.after_pts,
            resume_index=journal.next_index,
        )
    if reader != ReaderOptions(strict=reader.strict):
        raise UsageError(
            f"{path}: filters, trimming and HDR are for video files, not for numbered pictures"
        )
    return SequenceSource(path, DEFAULT_RATE if frame_rate is None else frame_rate)


def open_sink(
    path: Path,
    source: AnySource,
    size: tuple[int, int],
    encoder: EncoderOptions | None,
    post_filter: str | None,
    quality: int | None,
    overwrite: bool,
    journal: Journal | None = None,
    device: int | None = None,
) -> AnySink:
    """Open what is to be written.

    Args:
        path: a video file, or a numbered sequence.
        source: of the frames.
        size: of the frames, width and height.
        encoder: of a video.
        post_filter: of a video.
        quality: of pictures.
        overwrite: replace what is there.
        journal: of a job that can be gone on with.
        device: index of the GPU that the frames lie on; None for the host.

    Raises:
        SinkError: it cannot be written.
        UsageError: an option is not for it.
    """
    if journal is not None and isinstance(source, FileSource):
        return ResumableSink(
            journal, source, encoder, size=size, overwrite=overwrite, post_filter=post_filter
        )
    if not is_sequence(path):
        return FileSink(
            path,
            source,
            encoder,
            size=size,
            overwrite=overwrite,
            post_filter=post_filter,
            device=device,
        )
    if encoder not in (None, EncoderOptions()) or post_filter:
        raise UsageError(f"{path}: encoder and --post-filter are for videos, not for pictures")
    return SequenceSink(path, source, quality=quality, size=size, overwrite=overwrite)


def depth_of(bits: int) -> type[np.generic]:
    """Return the dtype of the pictures of a source of so many bits a channel."""
    return np.uint16 if bits > 8 else np.uint8


def for_color(enhancer: Enhancer, source: AnySource) -> FrameEnhancer:
    """Let the enhancer see HDR pictures as SDR; others as they are."""
    color = source.info.color
    if not is_hdr(color):
        return enhancer
    return HdrEnhancer(enhancer, color, ToneMapper(color, source.hdr))
