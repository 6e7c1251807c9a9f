"""One run of a pipeline: its threads, what passes between them, and how they end."""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from streamlight.frame import Frame
from streamlight.pipeline.channel import Channel, ChannelCancelled, Policy
from streamlight.pipeline.latency import FrameClock
from streamlight.pipeline.protocols import (
    FrameEnhancer,
    Interruptible,
    Prior,
    Resettable,
    Sink,
    Source,
    WantsOriginal,
)
from streamlight.pipeline.report import DropReason, Outcome, PipelineReport, Recorder, Stage

logger = logging.getLogger(__name__)

OVERLOAD_S = 1.0
"""So long after a frame was dropped, only the newest one that waits is taken."""

DECODING, ENHANCING, ENCODING = "decoding", "enhancing", "encoding"


class _Result(NamedTuple):
    frame: Frame
    clock: FrameClock | None


class Run:
    """The threads of one run.

    `decoded` carries frames from decode to enhance. `enhanced` carries the reconstruct calls, as
    futures in the order of the frames: encode gets a result as soon as it and all before it are
    there, whichever worker ends first. `free_workers` holds a token for each call that may begin.
    Live runs keep all of this short: a frame that waits grows old.

    Three things can end a run, and the first of them decides: a failure, `stop` or `cancel`, or
    the end of the stream. Every stage drops its frame before it waits: pictures are large.
    """

    def __init__(
        self, source: Source, enhancer: FrameEnhancer, sink: Sink, capacity: int, policy: Policy
    ) -> None:
        """Prepare a run; `start` starts its threads."""
        self._source = source
        self._enhancer = enhancer
        self._sink = sink
        self._parallel = enhancer.parallel
        self._recorder = Recorder(self._parallel)

        is_live = self._is_live = policy is Policy.DROP_OLDEST
        self._dropped_at, self._drop_reason = -math.inf, DropReason.NETWORK_BUSY
        self._decoded: Channel[Frame] = Channel(capacity, policy)
        self._enhanced: Channel[Future[_Result]] = Channel(
            self._parallel if is_live else capacity + self._parallel
        )
        # One call more than workers: it is estimated, and ready for the worker that ends first.
        # Not in live runs, where a fresher frame may come before that worker does.
        calls = self._parallel if is_live else self._parallel + 1
        self._free_workers: Channel[None] = Channel(calls)
        for _ in range(calls):
            self._free_workers.put(None)
        self._calls = calls

        self._lock = threading.Lock()
        self._cancelled = False
        self._finishing = False
        self._failure: BaseException | None = None
        self._outcome: Outcome | None = None
        # Free once the run is over. A Lock and not an Event: its wait is one C call, which lets
        # signal handlers run at once and which a KeyboardInterrupt cannot leave with a lock held.
        # Not a SimpleQueue either: in Python 3.11 its wait has no end once a signal handler has
        # outlasted the timeout.
        self._running = threading.Lock()
        self._running.acquire()

        self._at = dict.fromkeys((DECODING, ENHANCING, ENCODING), "frame 0")
        self._decode_thread = self._thread("streamlight-decode", DECODING, self._decode)
        self._enhance_thread = self._thread("streamlight-enhance", ENHANCING, self._enhance)
        self._encode_thread = self._thread("streamlight-encode", ENCODING, self._encode)

    def start(self) -> None:
        """Start the three stages."""
        self._encode_thread.start()
        self._enhance_thread.start()
        self._decode_thread.start()

    def is_over(self, timeout_s: float) -> bool:
        """Wait for the run to end, to fail or to be stopped; say whether it has."""
        return self._running.acquire(timeout=timeout_s)

    def report(self) -> PipelineReport:
        """Return the figures so far."""
        return self._recorder.snapshot(
            self._decoded, self._enhanced, self._free_workers, self._outcome
        )

    def stop(self) -> None:
        """End the run in mid-stream, unless it has failed or its sink is being finished."""
        with self._lock:
            if self._cancelled or self._finishing:
                return
            self._cancelled = True
            self._outcome = Outcome.STOPPED
        self._end_stages()

    def cancel(self) -> None:
        """End the run without an outcome, for an exception in the calling thread."""
        with self._lock:
            self._cancelled = True
        self._end_stages()

    def fail(self, error: BaseException, doing: str) -> None:
        """End the run with `error`, and say in a note what it was doing.

        Once the run is cancelled, an error is only a consequence of that, and is not kept.
        """
        with self._lock:
            is_first = not self._cancelled
            if is_first:
                self._cancelled = True
                self._failure = error
                error.add_note(f"while {doing}")
        if not is_first:
            logger.debug("while %s, after the run was cancelled: %r", doing, error)
        self._end_stages()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads: for the enhancer's calls, then `timeout_s` for what may block."""
        if self._cancelled and self._decode_thread.is_alive():
            self._interrupt_source()
        if self._enhance_thread.is_alive():
            self._enhance_thread.join()
        deadline = time.monotonic() + timeout_s
        for thread in (self._decode_thread, self._encode_thread):
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning(
                    "the thread %s is still blocked after %.1f s and is left behind; "
                    "it ends when the call that it waits for returns",
                    thread.name,
                    timeout_s,
                )

    def raise_failure(self) -> None:
        """Raise the first failure, if there is one."""
        try:
            if self._failure is not None:
                raise self._failure
        finally:
            self._failure = None  # its traceback refers to this run: no cycle keeps the pictures

    def _end_stages(self) -> None:
        for channel in (self._decoded, self._enhanced, self._free_workers):
            channel.cancel()
        self._note_over()

    def _note_over(self) -> None:
        with suppress(RuntimeError):  # it was noted before
            self._running.release()

    def _interrupt_source(self) -> None:
        if isinstance(self._source, Interruptible):
            try:
                self._source.interrupt()
            except Exception:
                logger.warning("the source could not be interrupted", exc_info=True)

    def _thread(self, name: str, doing: str, stage: Callable[[], None]) -> threading.Thread:
        def outermost() -> None:
            # Ctrl-C may come in the middle of `start`, and then `join` does not see this thread.
            if self._cancelled:
                return
            try:
                stage()
            except BaseException as error:
                self.fail(error, f"{doing} {self._at[doing]}")

        # daemon: a source that blocks for ever must not keep the process from ending.
        return threading.Thread(target=outermost, name=name, daemon=True)

    def _decode(self) -> None:
        frames = iter(self._source)
        try:
            for index in itertools.count():
                self._at[DECODING] = f"frame {index}"
                with self._recorder.busy(Stage.DECODE):
                    frame = next(frames, None)
                if frame is None:
                    break
                self._recorder.frame_in()
                reason = self._reason_to_wait()
                self._note_dropped(self._decoded.put(frame), reason)
                del frame
        finally:
            if isinstance(frames, Generator):
                frames.close()  # here, in its own thread and before the source's owner closes it
        self._decoded.close()

    def _enhance(self) -> None:
        workers = ThreadPoolExecutor(self._parallel, thread_name_prefix="streamlight-reconstruct")
        try:
            self._estimate(workers)
        except BaseException as error:
            # Before the shutdown: what that cancels must not look like the first failure.
            self.fail(error, f"{ENHANCING} {self._at[ENHANCING]}")
        workers.shutdown(cancel_futures=self._cancelled)

    def _estimate(self, workers: ThreadPoolExecutor) -> None:
        # First a worker, then a frame: the freshest there is, where old ones are dropped.
        self._free_workers.get()
        segment = 0
        for frame in self._decoded:
            if self._is_live:
                frame = self._freshest(frame)
            self._at[ENHANCING] = f"frame {frame.index}"
            clock = None if frame.captured_at is None else FrameClock(frame.captured_at)
            if clock:
                clock.taken = time.monotonic()
            if frame.segment != segment and isinstance(self._enhancer, Resettable):
                self._enhancer.reset()
            segment = frame.segment
            with self._recorder.busy(Stage.ESTIMATE):
                prior = self._enhancer.estimate(frame.image, frame.time_s)
            if clock:
                clock.estimated = time.monotonic()
            result = workers.submit(self._reconstruct, frame, prior, clock)
            del frame, prior
            self._enhanced.put(result)
            del result
            self._free_workers.get()
        self._enhanced.close()

    def _freshest(self, frame: Frame) -> Frame:
        """Take the newest frame that waits, where there is not time for all.

        Elsewhere two that came at once are both shown: it was the network of the camera.
        """
        if time.monotonic() - self._dropped_at < OVERLOAD_S:
            while len(self._decoded):
                frame = self._decoded.get()
                self._note_dropped(1, self._drop_reason)
        return frame

    def _note_dropped(self, count: int, reason: DropReason) -> None:
        if count:
            self._dropped_at, self._drop_reason = time.monotonic(), reason
        self._recorder.frames_dropped(count, reason)

    def _reason_to_wait(self) -> DropReason:
        """Say what keeps the enhancer from taking a frame: its own work, or results not taken."""
        is_idle = len(self._free_workers) == self._calls
        return DropReason.SINK_BUSY if is_idle else DropReason.NETWORK_BUSY

    def _reconstruct(self, frame: Frame, prior: Prior, clock: FrameClock | None) -> _Result:
        if self._cancelled:
            raise ChannelCancelled
        try:
            with self._recorder.busy(Stage.RECONSTRUCT):
                image = self._enhancer.reconstruct(frame.image, prior)
        except BaseException as error:
            # Not raised through the future: encode would add its own frames to the traceback.
            self.fail(error, f"{ENHANCING} frame {frame.index}")
            raise ChannelCancelled from None
        if clock:
            clock.reconstructed = time.monotonic()
        self._free_workers.put(None)
        original = frame.image if self._wants_original() else None
        return _Result(replace(frame, image=image, original=original), clock)

    def _wants_original(self) -> bool:
        return isinstance(self._sink, WantsOriginal) and self._sink.wants_original

    def _encode(self) -> None:
        for result in self._enhanced:
            try:
                with self._recorder.waiting_for_result():
                    frame, clock = result.result()
            finally:
                del result  # also when it raises: an exception in a future refers to this frame
            self._at[ENCODING] = f"frame {frame.index}"
            if clock:
                clock.given = time.monotonic()
            with self._recorder.busy(Stage.ENCODE):
                self._sink.write(frame)
            if clock:
                clock.shown = time.monotonic()
            self._recorder.frame_out(clock)
            del frame
        self._at[ENCODING] = "the end of the stream"
        with self._lock:
            if self._cancelled:
                raise ChannelCancelled
            self._finishing = True
        with self._recorder.busy(Stage.ENCODE):
            self._sink.finish()
        self._outcome = Outcome.END_OF_STREAM
        self._note_over()
