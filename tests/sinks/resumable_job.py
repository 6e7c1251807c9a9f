"""A job that can be resumed: as a call, and as a slow process that a test kills.

    python resumable_job.py CLIP TARGET CODEC

prints "frame N" when frame N is written and "joining" before the segments are joined.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlight.frame import Frame, Image
from streamlight.pipeline import Pipeline
from streamlight.sinks import EncoderOptions
from streamlight.sinks.journal import Journal
from streamlight.sinks.resumable import ResumableSink
from streamlight.sources import FileSource

SEGMENT_S = 0.2
JOB = {"model": "none"}


def run_job(
    clip: Path,
    target: Path,
    options: EncoderOptions | None = None,
    *,
    frames: int | None = None,
    is_killed: bool = False,
    reading: Mapping[str, Any] | None = None,
    job: Mapping[str, object] = JOB,
    **writing: Any,
) -> list[int]:
    """Go on with a job, or begin it.

    Args:
        clip: the input.
        target: the output.
        options: of the encoder.
        frames: write so many and end without finishing; None for all.
        is_killed: whether it then ends as a kill ends it: nothing is closed.
        reading: further arguments of the source.
        job: what the journal holds the run to.
        writing: further arguments of the sink.

    Returns:
        The numbers of the frames that were written now.
    """
    written: list[int] = []
    with (
        Journal(target, clip, job) as journal,
        FileSource(
            clip,
            resume_after_pts=journal.after_pts,
            resume_index=journal.next_index,
            **(reading or {}),
        ) as source,
    ):
        sink = ResumableSink(journal, source, options, **({"segment_s": SEGMENT_S} | writing))
        try:
            for frame in source:
                if frames is not None and len(written) >= frames:
                    break
                sink.write(frame)
                written.append(frame.index)
            if frames is None:
                sink.finish()
        finally:
            if not is_killed:
                sink.abort()
    return written


class _SlowEnhancer:
    parallel = 1

    def estimate(self, image: Image, time_s: float) -> None:
        pass

    def reconstruct(self, image: Image, prior: None) -> Image:
        time.sleep(0.01)
        return image


class _TellingSink(ResumableSink):
    def write(self, frame: Frame) -> None:
        super().write(frame)
        print(f"frame {frame.index}", flush=True)

    def finish(self) -> None:
        print("joining", flush=True)
        super().finish()


def _main(clip: str, target: str, codec: str) -> None:
    with (
        Journal(target, clip, JOB) as journal,
        FileSource(
            clip, resume_after_pts=journal.after_pts, resume_index=journal.next_index
        ) as source,
        _TellingSink(journal, source, EncoderOptions(codec=codec), segment_s=SEGMENT_S) as sink,
    ):
        Pipeline(source, _SlowEnhancer(), sink).run()


if __name__ == "__main__":
    _main(*sys.argv[1:])
