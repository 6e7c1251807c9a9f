"""A file played as if it were live."""

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip, number_of
from fakes import FakeSource

from streamlight.frame import Frame
from streamlight.pipeline.protocols import Interruptible, Source
from streamlight.sources.file import FileSource
from streamlight.sources.realtime import RealtimeSource


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", frames=12)


def test_frames_come_when_they_are_due(clip: Path) -> None:
    with RealtimeSource(FileSource(clip)) as source:
        as_source: Source = source
        assert as_source.info.is_live and as_source.info.frame_count is None
        came: list[tuple[float, Frame]] = [(time.monotonic(), frame) for frame in source]
    assert [number_of(frame.image) for _, frame in came] == list(range(12))
    start, first = came[0]
    for at, frame in came:
        assert at - start > frame.time_s - first.time_s - 0.005, "too early"
        assert at - 0.5 < (frame.captured_at or 0) <= at
    assert came[-1][0] - start < 11 / 25 + 1.0


def test_a_late_taker_is_not_followed_by_a_burst(clip: Path) -> None:
    with RealtimeSource(FileSource(clip)) as source:
        came = []
        for frame in source:
            came.append(time.monotonic())
            if frame.index == 3:
                time.sleep(0.2)
    steps = np.diff(came)
    assert steps[3] >= 0.2
    assert steps[4:].min() > 0.02


def test_a_loop_goes_on_in_time(clip: Path) -> None:
    with RealtimeSource(FileSource(clip), reopen=lambda: FileSource(clip)) as source:
        frames = list(itertools.islice(source, 30))
    assert [frame.index for frame in frames] == list(range(30))
    assert [number_of(frame.image) for frame in frames] == [i % 12 for i in range(30)]
    assert [frame.segment for frame in frames] == [i // 12 for i in range(30)]
    times = [frame.time_s for frame in frames]
    assert np.diff(times) == pytest.approx(1 / 25)


def test_an_interrupt_ends_it_at_once() -> None:
    class Slow(FakeSource):
        def close(self) -> None:
            pass

        def frame(self, index: int) -> Frame:
            frame = super().frame(index)
            return Frame(frame.image, 9000 * index, frame.time_base, index)

    source = RealtimeSource(Slow(5))
    assert isinstance(source, Interruptible)
    threading.Timer(0.2, source.interrupt).start()
    started = time.monotonic()
    assert len(list(source)) == 1
    assert time.monotonic() - started < 0.5
