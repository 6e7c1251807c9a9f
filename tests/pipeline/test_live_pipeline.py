"""The pipeline over a live source: latency, losses and their reasons, changes of size."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes import HEIGHT, WIDTH, FakeEnhancer, FakeSource, RecordingSink, make_frame

from streamlight.frame import Frame, StreamInfo
from streamlight.pipeline import DropReason, LatencyPart, Outcome, Pipeline, PipelineReport, Policy

pytestmark = pytest.mark.usefixtures("no_thread_left")


class LiveSource(FakeSource):
    """Frames come at their own pace, and say when they were captured."""

    @property
    def info(self) -> StreamInfo:
        return replace(super().info, is_live=True)

    def frame(self, index: int) -> Frame:
        return replace(super().frame(index), captured_at=time.monotonic())


def test_latency_is_measured_from_capture_to_the_end_of_the_write() -> None:
    enhancer = FakeEnhancer(1, delay_s=lambda index: 0.02, estimate_delay_s=0.005)
    report = Pipeline(LiveSource(12, delay_s=0.05), enhancer, RecordingSink(delay_s=0.01)).run()
    assert report.frames_dropped == 0
    assert report.latency is not None
    assert report.latency.total.frames == 12
    least_ms = {
        LatencyPart.QUEUE: 0,
        LatencyPart.ESTIMATE: 5,
        LatencyPart.RECONSTRUCT: 20,
        LatencyPart.ORDER: 0,
        LatencyPart.ENCODE: 10,
    }
    # a busy computer takes longer, but the middle of twelve frames not by half a second
    for part, least in least_ms.items():
        assert 0.98 * least <= report.latency.parts[part].p50_ms < least + 100, part
    assert 0.98 * 35 <= report.latency.total.p50_ms < 500


def test_a_file_has_no_latency() -> None:
    report = Pipeline(FakeSource(3), FakeEnhancer(), RecordingSink()).run()
    assert report.latency is None
    assert report.to_dict()["latency"] is None


def test_a_live_source_drops_old_frames_unless_told_otherwise() -> None:
    enhancer, sink = FakeEnhancer(1, delay_s=lambda index: 0.01), RecordingSink()
    report = Pipeline(LiveSource(100, delay_s=0.001), enhancer, sink).run()
    assert report.frames_dropped > 20
    assert sink.indices[-1] == 99
    assert Pipeline(LiveSource(9), enhancer, sink, policy=Policy.WAIT).run().frames_dropped == 0


@pytest.mark.parametrize("parallel", [1, 2])
def test_latency_stays_bounded_when_the_network_is_too_slow(parallel: int) -> None:
    enhancer = FakeEnhancer(parallel, delay_s=lambda index: 0.03)
    report = Pipeline(LiveSource(100, delay_s=0.004), enhancer, RecordingSink()).run()
    assert report.frames_dropped > 40
    assert report.latency is not None
    # its own reconstruction, the one that it waited for, and some
    assert report.latency.total.p50_ms < 2.8 * 30


def test_where_not_all_can_be_shown_the_newest_is() -> None:
    """A picture comes every 10 ms, and takes 25: none waits while a newer one is there."""
    enhancer = FakeEnhancer(1, delay_s=lambda index: 0.025)
    report = Pipeline(LiveSource(140, delay_s=0.01), enhancer, RecordingSink()).run()
    assert report.frames_in == report.frames_out + report.frames_dropped == 140
    assert report.latency is not None
    queue = report.latency.parts[LatencyPart.QUEUE]
    assert queue.p50_ms < 12, "the next one would have come after 10 ms"


def test_frames_that_come_in_pairs_are_all_shown_where_there_is_time() -> None:
    class Bursts(LiveSource):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                if frame.index % 2 == 0:
                    time.sleep(0.06)
                yield frame

    enhancer = FakeEnhancer(1, delay_s=lambda index: 0.008)
    report = Pipeline(Bursts(40), enhancer, RecordingSink()).run()
    assert report.frames_dropped == 0


def test_latency_stays_bounded_when_the_sink_is_too_slow() -> None:
    sink = RecordingSink(delay_s=0.03)
    report = Pipeline(LiveSource(100, delay_s=0.004), FakeEnhancer(1), sink).run()
    assert report.latency is not None
    assert report.latency.total.p50_ms < 5 * 30


def test_drops_are_counted_with_their_reason() -> None:
    slow = FakeEnhancer(1, delay_s=lambda index: 0.02)
    report = Pipeline(LiveSource(100, delay_s=0.002), slow, RecordingSink()).run()
    assert report.drops[DropReason.NETWORK_BUSY] > 0.8 * report.frames_dropped > 30
    assert sum(report.drops.values()) == report.frames_dropped

    sink = RecordingSink(delay_s=0.02)
    report = Pipeline(LiveSource(100, delay_s=0.002), FakeEnhancer(), sink).run()
    assert report.drops[DropReason.SINK_BUSY] > 0.8 * report.frames_dropped > 30
    assert sum(report.drops.values()) == report.frames_dropped
    assert report.frames_in == report.frames_out + report.frames_dropped


def test_the_advice_reaches_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlight.pipeline.advice.WINDOW_S", 0.2)
    slow = FakeEnhancer(1, delay_s=lambda index: 0.02)
    reports: list[PipelineReport] = []
    last = Pipeline(LiveSource(120, delay_s=0.004), slow, RecordingSink()).run(
        on_progress=reports.append, progress_interval_s=0.02
    )
    assert reports[0].advice is None
    assert last.advice is not None
    assert "cannot keep up" in last.advice


def test_frames_may_change_their_size_in_mid_stream() -> None:
    class Zooming(LiveSource):
        def frame(self, index: int) -> Frame:
            size = (HEIGHT, WIDTH) if index < 5 else (2 * HEIGHT, 3 * WIDTH)
            return replace(make_frame(index), image=np.full((*size, 3), index, np.uint8))

    sink = RecordingSink()
    report = Pipeline(Zooming(10), FakeEnhancer(2), sink, policy=Policy.WAIT).run()
    assert report.outcome is Outcome.END_OF_STREAM
    sizes = [frame.image.shape[:2] for frame in sink.frames]
    assert sizes == 5 * [(HEIGHT, WIDTH)] + 5 * [(2 * HEIGHT, 3 * WIDTH)]


class RememberingEnhancer(FakeEnhancer):
    """Notes before which frame it was told to forget."""

    def __init__(self) -> None:
        super().__init__()
        self.forgot_before: list[int] = []

    def reset(self) -> None:
        self.forgot_before.append(len(self.estimated))


def test_after_a_reconnection_the_enhancer_forgets_the_past() -> None:
    class Reconnected(LiveSource):
        def frame(self, index: int) -> Frame:
            return replace(super().frame(index), segment=index // 4)

    enhancer = RememberingEnhancer()
    Pipeline(Reconnected(12), enhancer, RecordingSink(), policy=Policy.WAIT).run()
    assert enhancer.forgot_before == [4, 8]


class ComparingSink(RecordingSink):
    wants_original = True


def test_only_a_sink_that_compares_gets_the_original() -> None:
    sink = ComparingSink()
    Pipeline(FakeSource(5), FakeEnhancer(), sink).run()
    for frame in sink.frames:
        assert frame.original is not None
        assert np.array_equal(frame.original, make_frame(frame.index).image)
    sink.wants_original = False
    Pipeline(FakeSource(5), FakeEnhancer(), sink).run()
    assert all(frame.original is None for frame in sink.frames[5:])
    plain = RecordingSink()
    Pipeline(FakeSource(5), FakeEnhancer(), plain).run()
    assert all(frame.original is None for frame in plain.frames)


def test_the_main_thread_can_be_used_sixty_times_a_second() -> None:
    class Slow(LiveSource):
        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            time.sleep(0.4)

    times_s: list[float] = []
    threads: set[str] = set()

    def draw(report: PipelineReport) -> None:
        times_s.append(time.monotonic())
        threads.add(threading.current_thread().name)

    Pipeline(Slow(1), FakeEnhancer(), RecordingSink()).run(
        on_progress=draw, progress_interval_s=1 / 60
    )
    assert len(times_s) > 15
    assert threads == {"MainThread"}
