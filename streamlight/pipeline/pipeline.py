"""Decoding, enhancing and encoding at the same time, with one clean end."""

import threading
import time
from collections.abc import Callable

from streamlight.pipeline.channel import Policy
from streamlight.pipeline.protocols import FrameEnhancer, Sink, Source
from streamlight.pipeline.report import PipelineReport
from streamlight.pipeline.stages import Run

WATCH_INTERVAL_S = 0.05
"""How often `run` looks whether `stop` is set."""


class Pipeline:
    """Takes every frame of a source through an enhancer into a sink.

    Three threads work at once: `streamlight-decode` iterates the source, `streamlight-enhance`
    calls `estimate` in order and gives `reconstruct` to `enhancer.parallel` workers
    (`streamlight-reconstruct_0` and so on), and `streamlight-encode` writes to the sink, in
    order. Up to `2 * capacity + parallel` pictures and a few more are in memory.

    With `Policy.DROP_OLDEST`, frames are dropped between decode and enhance only: work that was
    done on a frame is not thrown away, and a slow sink makes the enhancer wait. It is the default
    for a live source, with room for two frames only: what waits grows old. The size of the frames
    may change in mid-stream, as far as the three parts take that.

    The pipeline opens and closes nothing: its three parts belong to the caller.
    """

    def __init__(
        self,
        source: Source,
        enhancer: FrameEnhancer,
        sink: Sink,
        *,
        capacity: int | None = None,
        policy: Policy | None = None,
        join_timeout_s: float = 3.0,
    ) -> None:
        """Connect the parts; nothing runs yet.

        Args:
            source: yields the frames.
            enhancer: brightens them.
            sink: takes the results.
            capacity: decoded frames, and finished results, that may wait for the next stage; None
                for 2 where old frames are dropped, else 4. Where they are dropped, no more
                results wait than there are workers.
            policy: what happens to decoded frames when the enhancer is slower than the source;
                None for DROP_OLDEST where `source.info.is_live`, else WAIT.
            join_timeout_s: how long a run that ends early waits for a blocked source or sink.
        """
        self._source = source
        self._enhancer = enhancer
        self._sink = sink
        if policy is None:
            policy = Policy.DROP_OLDEST if source.info.is_live else Policy.WAIT
        if capacity is None:
            capacity = 2 if policy is Policy.DROP_OLDEST else 4
        self._capacity = capacity
        self._policy = policy
        self._join_timeout_s = join_timeout_s

    def run(
        self,
        stop: threading.Event | None = None,
        on_progress: Callable[[PipelineReport], None] | None = None,
        progress_interval_s: float = 0.1,
    ) -> PipelineReport:
        """Run to the end of the stream, or until `stop` is set or anything fails.

        The first failure ends all stages, and is raised as itself with a note that names the
        stage and the frame. KeyboardInterrupt ends them too. Either way every thread is joined:
        calls of the enhancer that have begun are waited for, and a source or sink that blocks is
        given `join_timeout_s` (a source with an `interrupt` method is told first). After that
        its daemon thread is left behind, with a warning in the log that names it; it does
        nothing more when the blocked call returns.

        Args:
            stop: set by anyone, also by a signal handler, to end the run in mid-stream. The sink
                is not finished then: that is the caller's choice. Once the last frame is written
                and `sink.finish` has begun, `stop` comes too late and has no effect.
            on_progress: called in this thread with the figures so far, and once at the end. It
                may do the work of the main thread, such as drawing a window.
            progress_interval_s: least time between two such calls.

        Returns:
            The figures of the run; `outcome` tells the end of the stream from a stop.
        """
        run = Run(self._source, self._enhancer, self._sink, self._capacity, self._policy)

        def report_progress(report: PipelineReport) -> None:
            if on_progress is not None:
                try:
                    on_progress(report)
                except Exception as error:
                    run.fail(error, "reporting progress")

        def is_stopped() -> bool:
            # Only is_set: a wait would hold the event's lock, and a signal handler that sets the
            # event runs in this very thread.
            return stop is not None and stop.is_set()

        try:
            if is_stopped():
                run.stop()
            else:
                run.start()
            reported_at = time.monotonic()
            while not run.is_over(min(WATCH_INTERVAL_S, progress_interval_s)):
                if is_stopped():
                    run.stop()
                if time.monotonic() - reported_at >= progress_interval_s:
                    report_progress(run.report())
                    reported_at = time.monotonic()
        except BaseException:
            run.cancel()
            raise
        finally:
            run.join(self._join_timeout_s)
        run.raise_failure()
        report = run.report()
        report_progress(report)
        run.raise_failure()
        return report
