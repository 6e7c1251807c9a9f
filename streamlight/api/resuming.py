"""Going on with a file that an earlier run did not complete."""

import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from streamlight.api.parts import for_color
from streamlight.enhance import Enhancer
from streamlight.resume import WARM_UP, warm_up
from streamlight.sinks.journal import Journal
from streamlight.sources import FileSource, ReaderOptions


def go_on(
    journal: Journal,
    source: Path,
    reader: ReaderOptions | None,
    enhancer: Enhancer,
    smoothing_s: float,
    stop: threading.Event | None,
) -> None:
    """Hold the network to that of the earlier runs, and let it see once more what came before.

    Raises:
        UsageError: it is another network.
        SourceError: the input cannot be read.
    """
    journal.agree("network", _facts_of(enhancer))
    if journal.after_pts is None or not smoothing_s:
        return
    begin = journal.warm_up_pts(WARM_UP * smoothing_s)
    with FileSource(
        source, **asdict(reader or ReaderOptions()), copy_streams=False, resume_after_pts=begin
    ) as frames:
        warm_up(for_color(enhancer, frames), frames, journal.after_pts, stop)


def _facts_of(enhancer: Enhancer) -> Mapping[str, object]:
    return {
        "--model": enhancer.model.name,
        "--backend": enhancer.info.backend,
        "--precision": enhancer.info.precision,
    }
