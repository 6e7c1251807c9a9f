"""Several sinks at once: what a slow or a broken one does to the others, which is nothing."""

import gc
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import replace

import pytest
from fakes import BlockedSink, FakeEnhancer, FakeSource, RecordingSink, make_frame

from streamlight.errors import SinkError
from streamlight.frame import Frame
from streamlight.pipeline import Branch, FanOutSink, Outcome, Pipeline, Policy

pytestmark = pytest.mark.usefixtures("no_thread_left")


def wait_until_taken(sink: RecordingSink, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(sink.frames) < count:
        assert time.monotonic() < deadline, sink.indices
        time.sleep(0.001)


def lossless(name: str, sink: RecordingSink) -> Branch:
    return Branch(name, sink, capacity=4, policy=Policy.WAIT)


def test_viewers_are_no_reason_to_go_on_when_the_recording_has_failed() -> None:
    recording, viewers = RecordingSink(fail_at=3), RecordingSink()
    branches = [Branch("file", recording), Branch("viewers", viewers, is_optional=True)]
    fan_out = FanOutSink(branches)
    with pytest.raises(SinkError, match="disk is full"):
        for index in range(100):
            fan_out.write(make_frame(index))
            time.sleep(0.01)
    fan_out.abort()


def test_viewers_alone_are_a_reason() -> None:
    viewers = RecordingSink()
    fan_out = FanOutSink([Branch("viewers", viewers, is_optional=True)])
    for index in range(3):
        fan_out.write(make_frame(index))
    fan_out.finish()
    assert viewers.indices


def test_every_sink_gets_every_frame_and_is_finished_in_its_own_thread() -> None:
    sinks = [RecordingSink(), RecordingSink(delay_s=0.001), RecordingSink()]
    fan_out = FanOutSink([lossless(str(number), sink) for number, sink in enumerate(sinks)])
    report = Pipeline(FakeSource(50), FakeEnhancer(2), fan_out).run()
    assert report.outcome is Outcome.END_OF_STREAM
    for number, sink in enumerate(sinks):
        assert sink.indices == list(range(50))
        assert (sink.finished, sink.aborted) == (1, 0)
        assert sink.threads == {f"streamlight-sink-{number}"}
    fan_out.abort()
    assert [sink.aborted for sink in sinks] == [0, 0, 0]


def test_a_slow_sink_loses_frames_and_the_others_do_not() -> None:
    slow, quick = RecordingSink(delay_s=0.02), RecordingSink()
    fan_out = FanOutSink([Branch("slow", slow), lossless("quick", quick)])
    began = time.monotonic()
    for index in range(60):
        fan_out.write(make_frame(index))
        time.sleep(0.001)
    assert time.monotonic() - began < 60 * 0.02
    fan_out.finish()
    assert quick.indices == list(range(60))
    assert slow.indices[-1] == 59, "the newest frame is never the one dropped"
    reports = {report.name: report for report in fan_out.reports()}
    assert reports["slow"].frames_dropped > 20
    assert reports["slow"].frames_out + reports["slow"].frames_dropped == 60
    assert reports["quick"].frames_dropped == 0


def test_a_sink_that_must_have_every_frame_sets_the_pace() -> None:
    file = RecordingSink(delay_s=0.003)
    fan_out = FanOutSink([lossless("file", file), Branch("preview", RecordingSink())])
    for index in range(40):
        fan_out.write(make_frame(index))
    fan_out.finish()
    assert file.indices == list(range(40))


def test_a_sink_that_fails_is_reported_and_left_out() -> None:
    broken, healthy = RecordingSink(fail_at=3), RecordingSink()
    told: list[tuple[str, BaseException]] = []
    fan_out = FanOutSink(
        [lossless("broken", broken), lossless("healthy", healthy)],
        on_failure=lambda name, error: told.append((name, error)),
    )
    report = Pipeline(FakeSource(30), FakeEnhancer(), fan_out).run()
    assert report.outcome is Outcome.END_OF_STREAM
    assert healthy.indices == list(range(30))
    assert healthy.finished == 1
    assert told == [("broken", broken.error)]
    assert (broken.finished, broken.aborted) == (0, 1)
    failures = [report.failure for report in fan_out.reports()]
    assert failures == ["the fake disk is full", None]
    assert fan_out.reports()[0].to_dict()["failure"] == "the fake disk is full"


def test_strict_lets_the_first_failure_end_the_run() -> None:
    broken, healthy = RecordingSink(fail_at=3), RecordingSink()
    fan_out = FanOutSink([lossless("healthy", healthy), lossless("broken", broken)], strict=True)
    with pytest.raises(SinkError) as caught:
        Pipeline(FakeSource(150), FakeEnhancer(), fan_out).run()
    assert caught.value is broken.error
    fan_out.abort()
    assert healthy.finished == 0
    assert healthy.aborted == 1


def test_when_all_have_failed_the_run_ends() -> None:
    one, other = RecordingSink(fail_at=3), RecordingSink(fail_at=7)
    fan_out = FanOutSink([lossless("one", one), lossless("other", other)])
    with pytest.raises(SinkError):
        Pipeline(FakeSource(150), FakeEnhancer(), fan_out).run()
    assert one.aborted == other.aborted == 1


def test_a_run_that_failed_and_was_aborted_leaves_nothing_to_the_garbage_collector() -> None:
    class Full(RecordingSink):
        def write(self, frame: Frame) -> None:
            try:
                raise OSError("no space")
            except OSError as error:
                raise SinkError("the disk is full") from error

    def fail() -> weakref.ref[Full]:
        sink = Full()
        fan_out = FanOutSink([Branch("full", sink)])
        with suppress(SinkError):
            Pipeline(FakeSource(150), FakeEnhancer(), fan_out).run()
        fan_out.abort()
        assert fan_out.reports()[0].failure == "the disk is full"
        return weakref.ref(sink)

    gc.disable()
    try:
        sink = fail()
        assert sink() is None
    finally:
        gc.enable()


def test_a_failure_in_finish_is_reported_after_the_others_are_finished() -> None:
    broken, healthy = RecordingSink(fail_finish=True), RecordingSink(delay_s=0.01)
    fan_out = FanOutSink([lossless("broken", broken), lossless("healthy", healthy)])
    fan_out.write(make_frame(0))
    fan_out.finish()
    assert healthy.finished == 1
    assert fan_out.reports()[0].failure == "the fake disk is full"

    fan_out = FanOutSink([lossless("broken", RecordingSink(fail_finish=True))])
    fan_out.write(make_frame(0))
    with pytest.raises(SinkError, match="the fake disk is full"):
        fan_out.finish()


def test_a_stuck_sink_holds_up_neither_the_frames_nor_the_end() -> None:
    stuck, healthy = BlockedSink(), RecordingSink()
    fan_out = FanOutSink(
        [Branch("stuck", stuck), lossless("healthy", healthy)], finish_timeout_s=0.2
    )
    began = time.monotonic()
    for index in range(30):
        fan_out.write(make_frame(index))
    fan_out.finish()
    fan_out.abort()
    assert time.monotonic() - began < 2.5
    assert healthy.indices == list(range(30))
    assert healthy.finished == 1
    failure = fan_out.reports()[0].failure
    assert failure is not None
    assert failure.startswith("stuck: did not finish within 0.2 s")
    stuck.release.set()
    wait_until_taken(stuck, 1)
    time.sleep(0.05)


def test_a_write_that_waits_for_a_sink_returns_when_it_fails() -> None:
    class Failing(RecordingSink):
        def __init__(self) -> None:
            super().__init__()
            self.go = threading.Event()

        def write(self, frame: Frame) -> None:
            self.go.wait(5)
            raise self.error

    failing, healthy = Failing(), RecordingSink()
    fan_out = FanOutSink([Branch("failing", failing, 1, Policy.WAIT), lossless("healthy", healthy)])
    threading.Timer(0.05, failing.go.set).start()
    for index in range(10):
        fan_out.write(make_frame(index))
    fan_out.finish()
    assert healthy.indices == list(range(10))


class Comparing(RecordingSink):
    wants_original = True


def test_the_original_is_asked_for_as_long_as_a_sink_wants_it() -> None:
    comparing = Comparing()
    fan_out = FanOutSink([lossless("plain", RecordingSink()), lossless("comparing", comparing)])
    Pipeline(FakeSource(3), FakeEnhancer(), fan_out).run()
    assert all(frame.original is not None for frame in comparing.frames)
    comparing.wants_original = False
    assert not fan_out.wants_original


def test_each_sink_has_a_latency_of_its_own() -> None:
    fan_out = FanOutSink(
        [lossless("quick", RecordingSink()), lossless("slow", RecordingSink(delay_s=0.03))]
    )
    fan_out.write(replace(make_frame(0), captured_at=time.monotonic()))
    fan_out.write(make_frame(1))
    fan_out.finish()
    quick, slow = (report.latency for report in fan_out.reports())
    assert quick.frames == slow.frames == 1
    assert quick.max_ms < 25
    assert slow.max_ms >= 30


def test_no_sink_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one sink"):
        FanOutSink([])
