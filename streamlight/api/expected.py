"""What an output is meant to differ in from its input, for the check afterwards."""

from streamlight.api.parts import AnySink, AnySource
from streamlight.look import Look
from streamlight.sinks import FileSink
from streamlight.sources import FileSource, ReaderOptions
from streamlight.verify import Expectation


def expectation(
    source: AnySource,
    sink: AnySink,
    reader: ReaderOptions | None,
    look: Look,
    post_filter: str | None,
    *,
    is_partial: bool,
) -> Expectation | None:
    """Say what of a finished output may differ; None where pictures are read or written."""
    if not isinstance(source, FileSource) or not isinstance(sink, FileSink):
        return None
    reader = reader or ReaderOptions()
    end_s = reader.end_s
    if end_s is None and reader.duration_s is not None:
        end_s = (reader.start_s or 0.0) + reader.duration_s
    is_reshaped = bool(reader.filters or post_filter) or look.compare == "side"
    return Expectation(
        size=sink.size if is_reshaped else None,
        sample_aspect_ratio=sink.sample_aspect_ratio if is_reshaped else None,
        color=sink.color,
        bits=sink.bits,
        chroma=sink.chroma,
        start_s=reader.start_s,
        end_s=end_s,
        is_partial=is_partial or source.is_cut_off,
        omitted=sink.omitted,
        converted=sink.converted,
        lost_metadata=sink.lost_metadata,
        region=_after_region(look),
    )


def _after_region(look: Look) -> tuple[float, float, float, float]:
    """Part of the output that shows the whole picture enhanced, as fractions."""
    if look.compare != "side":
        return 0.0, 0.0, 1.0, 1.0
    is_turned = look.rotation % 180 != 0
    return (0.0, 0.0, 1.0, 0.5) if is_turned else (0.0, 0.0, 0.5, 1.0)
