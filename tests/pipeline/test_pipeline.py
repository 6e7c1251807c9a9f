import gc
import logging
import random
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from fakes import (
    BRIGHTER,
    BlockedSink,
    BlockedSource,
    FakeEnhancer,
    FakeSource,
    InterruptibleSource,
    RecordingSink,
    make_frame,
)

from streamlight.errors import BackendError, StreamlightError
from streamlight.frame import Frame, Image
from streamlight.pipeline import Outcome, Pipeline, PipelineReport, Policy, Prior, Stage, stages
from streamlight.pipeline import pipeline as pipeline_module
from streamlight.pipeline.channel import ChannelCancelled

pytestmark = pytest.mark.usefixtures("no_thread_left")

AT_ONCE_S = 1.0
"""Far more than any run here needs, far less than a run that waits for a timeout."""


@pytest.fixture(autouse=True)
def quick() -> Iterator[Callable[[], float]]:
    """Return a clock, and fail a test that takes longer than its runs can need."""
    started = time.monotonic()
    yield lambda: time.monotonic() - started
    assert time.monotonic() - started < 15


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def when(event: threading.Event, action: Callable[[], object]) -> threading.Thread:
    """Run an action in a thread as soon as the event is set."""

    def wait_and_act() -> None:
        if event.wait(5):
            action()

    thread = threading.Thread(target=wait_and_act, name="test-when")
    thread.start()
    return thread


def notes_of(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


# A whole run


@pytest.mark.parametrize("parallel", [1, 2, 4])
@pytest.mark.parametrize("capacity", [1, 4])
def test_every_frame_arrives_once_in_order_whichever_worker_ends_first(
    parallel: int, capacity: int
) -> None:
    rng = random.Random(parallel)  # noqa: S311
    delays_s = [rng.choice([0.0, 0.0, 0.001, 0.006]) for _ in range(100)]
    source, sink = FakeSource(100), RecordingSink()
    enhancer = FakeEnhancer(parallel, delay_s=delays_s.__getitem__)

    report = Pipeline(source, enhancer, sink, capacity=capacity).run()

    assert report.outcome is Outcome.END_OF_STREAM
    assert (report.frames_in, report.frames_out, report.frames_dropped) == (100, 100, 0)
    assert sink.indices == list(range(100))
    assert sink.finished == 1
    assert sink.aborted == 0
    for frame in sink.frames:
        original = make_frame(frame.index)
        assert np.array_equal(frame.image, original.image + BRIGHTER)
        assert (frame.pts, frame.time_base, frame.duration, frame.captured_at) == (
            original.pts,
            original.time_base,
            original.duration,
            original.captured_at,
        )
    assert enhancer.most_at_once <= parallel
    if parallel > 1:
        assert enhancer.reconstructed != sorted(enhancer.reconstructed), "nothing was out of order"


def test_estimate_sees_the_frames_in_order_with_their_times_in_one_thread() -> None:
    enhancer = FakeEnhancer(4)
    Pipeline(FakeSource(30), enhancer, RecordingSink()).run()
    assert [index for index, _ in enhancer.estimated] == list(range(30))
    times_s = [time_s for _, time_s in enhancer.estimated]
    assert times_s == pytest.approx([index / 30 for index in range(30)])
    assert enhancer.estimate_threads == {"streamlight-enhance"}


def test_the_sink_is_written_and_finished_in_the_encode_thread() -> None:
    sink = RecordingSink()
    Pipeline(FakeSource(3), FakeEnhancer(), sink).run()
    assert sink.threads == {"streamlight-encode"}


def test_an_empty_source_gives_a_finished_empty_output() -> None:
    sink = RecordingSink()
    report = Pipeline(FakeSource(0), FakeEnhancer(), sink).run()
    assert report.outcome is Outcome.END_OF_STREAM
    assert (report.frames_in, report.frames_out, sink.finished) == (0, 0, 1)


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_frames_are_taken_than_the_workers_and_the_next_need(parallel: int) -> None:
    is_busy, release, stop = threading.Event(), threading.Event(), threading.Event()

    class Stuck(FakeEnhancer):
        def reconstruct(self, image: Image, prior: Prior) -> Image:
            is_busy.set()
            release.wait()
            return super().reconstruct(image, prior)

    enhancer = Stuck(parallel)
    estimated = 0

    def look() -> None:
        nonlocal estimated
        time.sleep(0.1)
        estimated = len(enhancer.estimated)
        stop.set()
        release.set()

    watcher = when(is_busy, look)
    Pipeline(FakeSource(50), enhancer, RecordingSink(), capacity=8).run(stop)
    watcher.join()
    assert estimated == parallel + 1


def test_slow_workers_run_at_the_same_time(quick: Callable[[], float]) -> None:
    enhancer = FakeEnhancer(4, delay_s=lambda index: 0.05)
    Pipeline(FakeSource(16), enhancer, RecordingSink()).run()
    assert enhancer.most_at_once == 4
    assert quick() < 16 * 0.05 * 0.6


def test_the_stages_run_at_the_same_time(quick: Callable[[], float]) -> None:
    enhancer = FakeEnhancer(1, estimate_delay_s=0.02, delay_s=lambda index: 0.02)
    Pipeline(FakeSource(15, delay_s=0.02), enhancer, RecordingSink(delay_s=0.02)).run()
    assert quick() < 15 * 4 * 0.02 * 0.6


def test_a_result_is_written_before_the_next_frame_comes() -> None:
    source, sink, stop = InterruptibleSource(1), RecordingSink(), threading.Event()

    def stop_after_the_write() -> None:
        try:
            wait_until(lambda: sink.indices == [0])
        finally:
            stop.set()

    watcher = when(source.is_blocked, stop_after_the_write)
    Pipeline(source, FakeEnhancer(4), sink).run(stop)
    watcher.join()
    assert sink.indices == [0]


def test_a_pipeline_can_run_outside_the_main_thread() -> None:
    reports: list[PipelineReport] = []
    pipeline = Pipeline(FakeSource(5), FakeEnhancer(), RecordingSink())
    thread = threading.Thread(target=lambda: reports.append(pipeline.run()))
    thread.start()
    thread.join()
    assert reports[0].outcome is Outcome.END_OF_STREAM


# Failures


def failing_at_decode(index: int) -> tuple[FakeSource, FakeEnhancer, RecordingSink, Exception]:
    source = FakeSource(20, fail_at=index)
    return source, FakeEnhancer(2), RecordingSink(), source.error


def failing_at_estimate(index: int) -> tuple[FakeSource, FakeEnhancer, RecordingSink, Exception]:
    enhancer = FakeEnhancer(2, fail_estimate_at=index)
    return FakeSource(20), enhancer, RecordingSink(), enhancer.error


def failing_at_reconstruct(index: int) -> tuple[FakeSource, FakeEnhancer, RecordingSink, Exception]:
    enhancer = FakeEnhancer(2, fail_reconstruct_at=index)
    return FakeSource(20), enhancer, RecordingSink(), enhancer.error


def failing_at_write(index: int) -> tuple[FakeSource, FakeEnhancer, RecordingSink, Exception]:
    sink = RecordingSink(fail_at=index)
    return FakeSource(20), FakeEnhancer(2), sink, sink.error


@pytest.mark.parametrize("index", [0, 10, 19])
@pytest.mark.parametrize(
    ("failing", "doing", "raiser"),
    [
        (failing_at_decode, "decoding", "__iter__"),
        (failing_at_estimate, "enhancing", "estimate"),
        (failing_at_reconstruct, "enhancing", "reconstruct"),
        (failing_at_write, "encoding", "write"),
    ],
)
def test_a_failure_is_raised_as_itself_with_the_stage_and_frame_in_a_note(
    failing: Callable[[int], tuple[FakeSource, FakeEnhancer, RecordingSink, Exception]],
    doing: str,
    raiser: str,
    index: int,
    quick: Callable[[], float],
) -> None:
    source, enhancer, sink, error = failing(index)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(source, enhancer, sink).run()
    assert caught.value is error
    assert notes_of(error) == [f"while {doing} frame {index}"]
    assert traceback.extract_tb(error.__traceback__)[-1].name == raiser
    assert error.__context__ is None
    assert error.__cause__ is None
    assert sink.indices == list(range(len(sink.indices)))
    assert len(sink.indices) <= index
    assert (sink.finished, sink.aborted) == (0, 0)
    assert source.is_closed
    assert quick() < AT_ONCE_S


def test_a_source_that_breaks_off_after_its_last_frame_is_not_an_end_of_stream() -> None:
    source, sink = FakeSource(5, fail_at=5), RecordingSink()
    with pytest.raises(StreamlightError) as caught:
        Pipeline(source, FakeEnhancer(), sink).run()
    assert caught.value is source.error
    assert notes_of(source.error) == ["while decoding frame 5"]
    assert sink.finished == 0


@pytest.mark.parametrize("count", [0, 5])
def test_a_failure_in_finish_is_raised_as_itself(count: int) -> None:
    sink = RecordingSink(fail_finish=True)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(FakeSource(count), FakeEnhancer(), sink).run()
    assert caught.value is sink.error
    assert notes_of(sink.error) == ["while encoding the end of the stream"]
    assert sink.indices == list(range(count))
    assert sink.finished == 1


def test_a_failure_in_on_progress_ends_the_run() -> None:
    error = ValueError("the progress bar is broken")

    def on_progress(report: PipelineReport) -> None:
        raise error

    sink = RecordingSink()
    source = FakeSource(100, delay_s=0.02)
    with pytest.raises(ValueError, match="progress bar") as caught:
        Pipeline(source, FakeEnhancer(), sink).run(on_progress=on_progress)
    assert caught.value is error
    assert notes_of(error) == ["while reporting progress"]
    assert sink.finished == 0
    assert source.is_closed


def test_the_first_failure_is_raised_and_not_a_later_one() -> None:
    class LateFailure(FakeEnhancer):
        def reconstruct(self, image: Image, prior: Prior) -> Image:
            time.sleep(0.1)
            raise self.error

    source, enhancer = FakeSource(3, fail_at=2), LateFailure(2)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(source, enhancer, RecordingSink()).run()
    assert caught.value is source.error
    assert notes_of(source.error) == ["while decoding frame 2"]
    assert notes_of(enhancer.error) == []


def test_calls_that_a_failure_cancels_do_not_mask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_replace(frame: Frame, image: Image, original: Image | None) -> Frame:
        time.sleep(0.02)
        return replace(frame, image=image, original=original)

    class SlowShutdown(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait, cancel_futures=cancel_futures)
            time.sleep(0.1)

    # When the estimate of frame 2 fails, the worker still holds frame 0, and frame 1 is queued:
    # encode meets a cancelled call before the shutdown of the workers has returned.
    monkeypatch.setattr(stages, "replace", slow_replace)
    monkeypatch.setattr(stages, "ThreadPoolExecutor", SlowShutdown)
    enhancer = FakeEnhancer(1, fail_estimate_at=2)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(FakeSource(3), enhancer, RecordingSink()).run()
    assert caught.value is enhancer.error
    assert notes_of(enhancer.error) == ["while enhancing frame 2"]


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), ChannelCancelled()])
def test_no_exception_of_a_stage_is_mistaken_for_an_orderly_end(error: BaseException) -> None:
    class Exiting(RecordingSink):
        def write(self, frame: Frame) -> None:
            raise error

    with pytest.raises(type(error)) as caught:
        Pipeline(FakeSource(10), FakeEnhancer(2), Exiting()).run()
    assert caught.value is error
    assert notes_of(error)[-1] == "while encoding frame 0"


def test_calls_that_have_not_begun_are_not_made_after_a_failure() -> None:
    enhancer = FakeEnhancer(1, delay_s=lambda index: 0.1, fail_reconstruct_at=0)
    with pytest.raises(StreamlightError):
        Pipeline(FakeSource(20), enhancer, RecordingSink()).run()
    assert enhancer.reconstructed == [0]


def test_a_source_that_fails_while_it_is_closed_early_does_not_mask_the_failure() -> None:
    class FailingClose(FakeSource):
        def __iter__(self) -> Iterator[Frame]:
            try:
                yield from super().__iter__()
            finally:
                raise self.error

    source, sink = FailingClose(100), RecordingSink(fail_at=2)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(source, FakeEnhancer(), sink).run()
    assert caught.value is sink.error
    assert source.is_closed


# Stop


def test_stop_ends_the_run_in_mid_stream_without_finishing_the_sink(
    quick: Callable[[], float],
) -> None:
    stop = threading.Event()

    class StoppingSink(RecordingSink):
        def write(self, frame: Frame) -> None:
            super().write(frame)
            if frame.index == 5:
                stop.set()

    source, sink = FakeSource(150, delay_s=0.005), StoppingSink()
    report = Pipeline(source, FakeEnhancer(2), sink).run(stop)
    assert report.outcome is Outcome.STOPPED
    assert 6 <= report.frames_out < 150
    assert sink.indices == list(range(report.frames_out))
    assert (sink.finished, sink.aborted) == (0, 0)
    assert source.is_closed
    assert quick() < AT_ONCE_S


def test_stop_before_the_start_takes_nothing_from_the_source() -> None:
    stop = threading.Event()
    stop.set()
    source, sink = FakeSource(10), RecordingSink()
    report = Pipeline(source, FakeEnhancer(), sink).run(stop)
    assert report.outcome is Outcome.STOPPED
    assert report.frames_in == 0
    assert not source.is_closed
    assert sink.finished == 0


def test_stop_while_the_sink_is_finished_comes_too_late() -> None:
    stop = threading.Event()

    class SlowFinish(RecordingSink):
        def finish(self) -> None:
            stop.set()
            time.sleep(0.2)
            super().finish()

    sink = SlowFinish()
    report = Pipeline(FakeSource(3), FakeEnhancer(), sink).run(stop)
    assert report.outcome is Outcome.END_OF_STREAM
    assert sink.finished == 1


# Signals


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, also where the tests were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def send_to_main_thread(signal_number: int) -> None:
    identity = threading.main_thread().ident
    assert identity is not None
    signal.pthread_kill(identity, signal_number)


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_ends_the_run_while_the_source_blocks(
    quick: Callable[[], float],
) -> None:
    source, sink = InterruptibleSource(5), RecordingSink()
    sender = when(source.is_blocked, lambda: send_to_main_thread(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        Pipeline(source, FakeEnhancer(), sink).run()
    sender.join()
    assert notes_of(caught.value) == []
    assert source.interrupts == 1
    assert sink.finished == 0
    assert quick() < AT_ONCE_S


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_ends_the_run_while_the_enhancer_works(
    quick: Callable[[], float],
) -> None:
    is_busy = threading.Event()

    def delay_s(index: int) -> float:
        is_busy.set()
        return 0.2

    enhancer = FakeEnhancer(2, delay_s=delay_s)
    sender = when(is_busy, lambda: send_to_main_thread(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        Pipeline(FakeSource(100), enhancer, RecordingSink()).run()
    sender.join()
    assert len(enhancer.reconstructed) <= 2
    assert quick() < AT_ONCE_S


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_ends_the_run_while_the_sink_blocks(
    quick: Callable[[], float], caplog: pytest.LogCaptureFixture
) -> None:
    sink = BlockedSink()
    sender = when(sink.is_blocked, lambda: send_to_main_thread(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        Pipeline(FakeSource(100), FakeEnhancer(), sink, join_timeout_s=0.1).run()
    sender.join()
    assert quick() < AT_ONCE_S
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "streamlight-encode" in caplog.text
    sink.release.set()
    wait_until(lambda: "streamlight-encode" not in thread_names())


def test_threads_that_start_after_the_run_was_cancelled_do_nothing() -> None:
    """As when Ctrl-C comes in the middle of the start."""
    source, enhancer, sink = FakeSource(5), FakeEnhancer(), RecordingSink()
    run = stages.Run(source, enhancer, sink, 4, Policy.WAIT)
    run.cancel()
    run.start()
    run.join(timeout_s=1.0)
    assert not source.is_closed, "the source was iterated"
    assert (sink.indices, sink.finished) == ([], 0)


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_at_a_random_time_leaves_nothing_behind(
    quick: Callable[[], float],
) -> None:
    rng = random.Random(20180515)  # noqa: S311
    for _ in range(60):
        source = InterruptibleSource(rng.choice([0, 3, 20]))
        sender = when_started_send_sigint(source, rng.random() * 0.004)
        with pytest.raises(KeyboardInterrupt):
            Pipeline(source, FakeEnhancer(rng.choice([1, 4])), RecordingSink()).run()
        sender.join()
    assert quick() < 60 * 0.1


def when_started_send_sigint(source: InterruptibleSource, delay_s: float) -> threading.Thread:
    def send() -> None:
        time.sleep(delay_s)
        send_to_main_thread(signal.SIGINT)

    return when(source.is_blocked, send)


@pytest.mark.parametrize(
    "handler_s", [0, 2 * pipeline_module.WATCH_INTERVAL_S], ids=["quick", "slow"]
)
def test_a_signal_handler_runs_promptly_and_may_set_stop(
    quick: Callable[[], float], handler_s: float
) -> None:
    """Also one that is not done when the wait ends that it came in."""
    source, stop = InterruptibleSource(5), threading.Event()
    delays_s: list[float] = []
    sent_at = 0.0

    def handler(signal_number: int, frame: object) -> None:
        delays_s.append(time.monotonic() - sent_at)
        time.sleep(handler_s)
        stop.set()

    def send() -> None:
        nonlocal sent_at
        sent_at = time.monotonic()
        send_to_main_thread(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        sender = when(source.is_blocked, send)
        report = Pipeline(source, FakeEnhancer(), RecordingSink()).run(stop)
        sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert report.outcome is Outcome.STOPPED
    assert delays_s[0] < 0.2
    assert quick() < AT_ONCE_S


# What blocks


def thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("ended_by", ["stop", "failure"])
def test_a_source_that_blocks_for_ever_is_left_behind_with_a_warning(
    ended_by: str, quick: Callable[[], float], caplog: pytest.LogCaptureFixture
) -> None:
    source, stop = BlockedSource(5), threading.Event()
    sink = RecordingSink(fail_at=4 if ended_by == "failure" else None)
    pipeline = Pipeline(source, FakeEnhancer(), sink, join_timeout_s=0.2)
    if ended_by == "stop":
        watcher = when(source.is_blocked, stop.set)
        assert pipeline.run(stop).outcome is Outcome.STOPPED
        watcher.join()
    else:
        with pytest.raises(StreamlightError) as caught:
            pipeline.run()
        assert caught.value is sink.error
    assert 0.2 <= quick() < AT_ONCE_S
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "the thread streamlight-decode is still blocked after 0.2 s" in record.getMessage()

    # It ends by itself, and quietly, when the source wakes up.
    assert "streamlight-decode" in thread_names()
    source.release.set()
    wait_until(lambda: "streamlight-decode" not in thread_names())


@pytest.mark.parametrize("ended_by", ["stop", "failure"])
def test_a_source_that_can_be_interrupted_is(
    ended_by: str, quick: Callable[[], float], caplog: pytest.LogCaptureFixture
) -> None:
    source, stop = InterruptibleSource(5), threading.Event()
    sink = RecordingSink(fail_at=4 if ended_by == "failure" else None)
    pipeline = Pipeline(source, FakeEnhancer(), sink)
    if ended_by == "stop":
        watcher = when(source.is_blocked, stop.set)
        assert pipeline.run(stop).outcome is Outcome.STOPPED
        watcher.join()
    else:
        with pytest.raises(StreamlightError) as caught:
            pipeline.run()
        assert caught.value is sink.error
        assert notes_of(sink.error) == ["while encoding frame 4"]
    assert source.interrupts == 1
    assert quick() < AT_ONCE_S
    assert not caplog.records


def test_a_source_whose_interrupt_fails_does_not_mask_the_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn(InterruptibleSource):
        def interrupt(self) -> None:
            super().interrupt()
            raise OSError("cannot be interrupted")

    source, sink = Stubborn(5), RecordingSink(fail_at=4)
    with pytest.raises(StreamlightError) as caught:
        Pipeline(source, FakeEnhancer(), sink).run()
    assert caught.value is sink.error
    assert "the source could not be interrupted" in caplog.text


def test_a_source_that_ended_is_not_interrupted() -> None:
    class Ending(InterruptibleSource):
        def __iter__(self) -> Iterator[Frame]:
            return FakeSource.__iter__(self)

    source, sink = Ending(3), RecordingSink(fail_finish=True)
    with pytest.raises(StreamlightError):
        Pipeline(source, FakeEnhancer(), sink).run()
    assert source.interrupts == 0


# Live


def test_drop_oldest_keeps_up_with_a_source_that_is_too_fast() -> None:
    sink = RecordingSink()
    enhancer = FakeEnhancer(1, delay_s=lambda index: 0.01)
    source = FakeSource(100, delay_s=0.001)
    report = Pipeline(source, enhancer, sink, capacity=2, policy=Policy.DROP_OLDEST).run()
    assert report.outcome is Outcome.END_OF_STREAM
    assert report.frames_in == 100
    assert report.frames_dropped > 20
    assert report.frames_in == report.frames_out + report.frames_dropped
    assert sink.indices == sorted(set(sink.indices))
    assert sink.indices[-1] == 99, "the newest frame is never the one dropped"
    assert report.decoded_wait.put_s == 0.0
    estimated = [index for index, _ in enhancer.estimated]
    assert estimated == sink.indices, "an enhanced frame was thrown away"


# Memory


class CountedSource(FakeSource):
    """Counts the pictures made from its frames that are alive."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.alive = 0
        self.most_alive = 0
        self._lock = threading.Lock()

    def frame(self, index: int) -> Frame:
        frame = super().frame(index)
        self.watch(frame.image)
        return frame

    def watch(self, image: Image) -> None:
        with self._lock:
            self.alive += 1
            self.most_alive = max(self.most_alive, self.alive)
        weakref.finalize(image, self._gone)

    def _gone(self) -> None:
        with self._lock:
            self.alive -= 1


class WatchedEnhancer(FakeEnhancer):
    def __init__(self, parallel: int, source: CountedSource) -> None:
        super().__init__(parallel)
        self._source = source

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        result = super().reconstruct(image, prior)
        self._source.watch(result)
        return result


class ForgettingSink(RecordingSink):
    def write(self, frame: Frame) -> None:
        super().write(frame)
        self.frames.clear()


@pytest.mark.parametrize(("capacity", "parallel"), [(1, 1), (4, 1), (2, 4)])
def test_a_stuck_sink_fills_a_bounded_number_of_pictures(capacity: int, parallel: int) -> None:
    source, sink, stop = CountedSource(150), BlockedSink(), threading.Event()

    most_alive = 0

    def look() -> None:
        nonlocal most_alive
        time.sleep(0.2)  # everything in front of the sink fills up
        most_alive = source.most_alive
        stop.set()
        sink.release.set()

    watcher = when(sink.is_blocked, look)
    pipeline = Pipeline(source, WatchedEnhancer(parallel, source), sink, capacity=capacity)
    pipeline.run(stop)
    watcher.join()
    # A worker that ends has its picture and the result of it in hand.
    assert 2 * capacity + parallel <= most_alive <= 2 * capacity + 2 * parallel + 3


@pytest.mark.parametrize("parallel", [1, 4])
def test_no_stage_keeps_a_picture_while_it_waits(parallel: int) -> None:
    class Waiting(CountedSource):
        def __init__(self) -> None:
            super().__init__(9)
            self.is_blocked = threading.Event()
            self.release = threading.Event()

        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            self.is_blocked.set()
            self.release.wait()

    source, sink = Waiting(), ForgettingSink()
    reports: list[PipelineReport] = []

    def look() -> None:
        try:
            wait_until(lambda: reports[-1].frames_out == 9 if reports else False)
            wait_until(lambda: source.alive == 0)
        finally:
            source.release.set()

    watcher = when(source.is_blocked, look)
    pipeline = Pipeline(source, WatchedEnhancer(parallel, source), sink)
    pipeline.run(on_progress=reports.append, progress_interval_s=0.01)
    watcher.join()
    assert source.most_alive > 0


def test_a_failure_that_was_handled_keeps_no_picture_until_the_garbage_collector_runs() -> None:
    class Failing(WatchedEnhancer):
        def reconstruct(self, image: Image, prior: Prior) -> Image:
            if prior[0, 0, 0, 0] == 10:
                raise BackendError("a new exception, which only the caller holds")
            return super().reconstruct(image, prior)

    source = CountedSource(20)
    gc.disable()
    try:
        with pytest.raises(BackendError):
            Pipeline(source, Failing(2, source), ForgettingSink()).run()
        assert source.alive == 0
    finally:
        gc.enable()


# Figures


@pytest.mark.parametrize(
    ("slow", "waits"),
    [
        (Stage.DECODE, ("decoded_get", "enhanced_get")),
        (Stage.ESTIMATE, ("decoded_put", "enhanced_get")),
        (Stage.RECONSTRUCT, ("decoded_put", "enhanced_put", "enhanced_get")),
        (Stage.ENCODE, ("decoded_put", "enhanced_put")),
    ],
)
def test_the_report_names_the_slow_stage_and_who_waited(
    slow: Stage, waits: tuple[str, ...]
) -> None:
    def delay_s(stage: Stage) -> float:
        return 0.02 if stage is slow else 0.002

    source = FakeSource(20, delay_s=delay_s(Stage.DECODE))
    enhancer = FakeEnhancer(
        1,
        estimate_delay_s=delay_s(Stage.ESTIMATE),
        delay_s=lambda index: delay_s(Stage.RECONSTRUCT),
    )
    sink = RecordingSink(delay_s=delay_s(Stage.ENCODE))
    report = Pipeline(source, enhancer, sink, capacity=1).run()

    assert report.bottleneck is slow
    assert report.bottleneck_text.startswith(f"{slow} (")
    assert report.stage_utilisation()[slow] > 0.6
    assert report.busy_s[slow] >= 20 * 0.02
    assert report.wall_s >= report.busy_s[slow]
    figures = report.to_dict()["queue_wait_s"]
    for side, seconds in figures.items():
        if side in waits:
            assert seconds > 0.2, f"{side} must have waited for {slow}: {figures}"
        else:
            assert seconds < 0.2, f"{side} cannot have waited for {slow}: {figures}"


def test_reconstruct_counts_the_work_of_all_workers() -> None:
    enhancer = FakeEnhancer(4, delay_s=lambda index: 0.02)
    report = Pipeline(FakeSource(24), enhancer, RecordingSink()).run()
    assert report.parallel == 4
    assert report.busy_s[Stage.RECONSTRUCT] >= 24 * 0.02
    assert report.wall_s < report.busy_s[Stage.RECONSTRUCT]
    assert report.stage_utilisation()[Stage.RECONSTRUCT] <= 1.0
    assert report.bottleneck is Stage.RECONSTRUCT


def test_progress_comes_in_the_calling_thread_and_once_at_the_end() -> None:
    reports: list[PipelineReport] = []
    threads: set[str] = set()

    def on_progress(report: PipelineReport) -> None:
        reports.append(report)
        threads.add(threading.current_thread().name)

    source = FakeSource(30, delay_s=0.02)
    last = Pipeline(source, FakeEnhancer(), RecordingSink()).run(
        on_progress=on_progress, progress_interval_s=0.1
    )
    assert threads == {threading.current_thread().name}
    assert 3 <= len(reports) <= 8
    assert [report.outcome for report in reports[:-1]] == [None] * (len(reports) - 1)
    assert reports[-1] is last
    written = [report.frames_out for report in reports]
    assert written == sorted(written)
    assert 0 < written[0] < 30


# Everything at once


def test_three_hundred_runs_with_failures_and_stops_at_random_times_all_end(
    quick: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "WATCH_INTERVAL_S", 0.001)
    rng = random.Random(20180515)  # noqa: S311
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    ends = {"end": 0, "stop": 0, "failure": 0}
    try:
        for _ in range(300):
            ends[random_run(rng)] += 1
    finally:
        sys.setswitchinterval(switch_interval_s)
    assert min(ends.values()) > 5, ends
    assert quick() < 12


def random_run(rng: random.Random) -> str:
    count = rng.choice([0, 1, 2, 5, 20])

    def maybe(share: float) -> int | None:
        return rng.randrange(count + 1) if rng.random() < share else None

    def delay_s() -> float:
        return rng.choice([0.0, 0.0, 0.0001, 0.001])

    delays_s = [delay_s() for _ in range(count)]
    source = FakeSource(count, delay_s=delay_s(), fail_at=maybe(0.15))
    enhancer = FakeEnhancer(
        rng.choice([1, 2, 4]),
        delay_s=delays_s.__getitem__,
        estimate_delay_s=delay_s(),
        fail_estimate_at=maybe(0.15),
        fail_reconstruct_at=maybe(0.15),
    )
    sink = RecordingSink(delay_s=delay_s(), fail_at=maybe(0.15), fail_finish=rng.random() < 0.1)
    policy = rng.choice(list(Policy))
    pipeline = Pipeline(source, enhancer, sink, capacity=rng.choice([1, 2, 4]), policy=policy)
    stop = threading.Event()
    timer = threading.Timer(rng.random() * 0.005, stop.set) if rng.random() < 0.5 else None
    if timer:
        timer.start()
    before = set(threading.enumerate())
    try:
        report = pipeline.run(stop)
    except StreamlightError as error:
        assert error in (source.error, enhancer.error, sink.error)
        assert len(notes_of(error)) == 1
        end = "failure"
    else:
        assert sink.indices == sorted(sink.indices)
        assert len(sink.indices) == report.frames_out
        if report.outcome is Outcome.END_OF_STREAM:
            assert report.frames_in == count == report.frames_out + report.frames_dropped
            assert sink.finished == 1
            end = "end"
        else:
            assert report.outcome is Outcome.STOPPED
            assert sink.finished == 0
            end = "stop"
    assert set(threading.enumerate()) <= before, "a thread was left behind"
    if timer:
        timer.cancel()
        timer.join()
    return end
