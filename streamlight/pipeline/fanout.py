"""Several sinks at once, of which a slow one does not hold up the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from streamlight.errors import SinkError
from streamlight.frame import Frame
from streamlight.pipeline.channel import Channel, ChannelCancelled, Policy
from streamlight.pipeline.latency import LatencyHistogram, Quantiles
from streamlight.pipeline.protocols import Sink, WantsOriginal

logger = logging.getLogger(__name__)

FailureCallback = Callable[[str, BaseException], None]


@dataclass(frozen=True, slots=True)
class Branch:
    """One sink of several.

    Attributes:
        name: for messages, such as "recording cam.mkv".
        sink: takes the frames.
        capacity: frames that may wait for it.
        policy: what happens to frames that it is too slow for. DROP_OLDEST keeps what is shown
            fresh; with a larger capacity it lets a recording ride out a busy disk. WAIT makes the
            whole run as slow as this sink, so that it gets every frame: for files.
        is_optional: whether the run ends when all the others have failed; for viewers, who are
            no reason to go on where a recording was wanted.
    """

    name: str
    sink: Sink
    capacity: int = 2
    policy: Policy = Policy.DROP_OLDEST
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class BranchReport:
    """Figures of one sink of several.

    Attributes:
        name: of the branch.
        frames_out: frames that the sink took.
        frames_dropped: frames that it was too slow for.
        latency: from capture to the end of its `write`; of no frame where no source says.
        failure: why it takes no frames any more; None while it does.
    """

    name: str
    frames_out: int
    frames_dropped: int
    latency: Quantiles
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data for JSON, with the units in the names."""
        return {
            "name": self.name,
            "frames_out": self.frames_out,
            "frames_dropped": self.frames_dropped,
            "latency": self.latency.to_dict(),
            "failure": self.failure,
        }


class FanOutSink:
    """Gives every frame to several sinks, each in a thread of its own.

    A sink that fails is reported, aborted and left out; when it was the last one that is not
    optional, or with `strict`, its error ends the run. The pictures are shared and not copied.

    The error of the last sink is raised by the next `write`; one in `finish` by `finish`, once
    the other sinks are finished too.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        *,
        strict: bool = False,
        on_failure: FailureCallback | None = None,
        finish_timeout_s: float = 10.0,
    ) -> None:
        """Start a thread for each sink.

        Args:
            branches: at least one.
            strict: let the first failure of any sink end the run.
            on_failure: told the name of a sink and its error, in the sink's thread.
            finish_timeout_s: how long all sinks together may take to finish.

        Raises:
            ValueError: there is no branch.
        """
        if not branches:
            raise ValueError("a fan-out needs at least one sink")
        self._strict = strict
        self._finish_timeout_s = finish_timeout_s
        self._workers = [_Worker(branch, on_failure) for branch in branches]
        for worker in self._workers:
            worker.start()

    @property
    def wants_original(self) -> bool:
        """Whether any of the sinks shows before and after."""
        return any(worker.wants_original for worker in self._workers if worker.failure is None)

    def reports(self) -> list[BranchReport]:
        """Return the figures of all sinks, in their order."""
        return [worker.report() for worker in self._workers]

    def write(self, frame: Frame) -> None:
        """Hand a frame to all sinks that still work.

        Raises:
            StreamlightError: of a sink that failed, with `strict` or when no other is left.
        """
        self._raise_failure()
        for worker in self._workers:
            worker.put(frame)
        self._raise_failure()

    def finish(self) -> None:
        """Let every sink take what waits for it, and finish it.

        Raises:
            StreamlightError: of a sink that failed, with `strict` or when all have.
            SinkError: a sink did not finish in time.
        """
        for worker in self._workers:
            worker.end()
        deadline = time.monotonic() + self._finish_timeout_s
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive:
                worker.give_up(
                    SinkError(
                        f"{worker.name}: did not finish within {self._finish_timeout_s:g} s; "
                        "what it wrote may be incomplete"
                    )
                )
        self._raise_failure()

    def abort(self) -> None:
        """Abort every sink; does nothing to those that are finished."""
        for worker in self._workers:
            worker.abort()
        for worker in self._workers:
            worker.join(1.0)
            worker.error = None  # its traceback refers to all of this: no cycle keeps the encoders

    def _raise_failure(self) -> None:
        needed = [worker for worker in self._workers if not worker.is_optional] or self._workers
        failed = [worker for worker in needed if worker.error is not None]
        if failed and (self._strict or len(failed) == len(needed)):
            # The first of a strict run, the last one where the others had failed before.
            worker = failed[0] if self._strict else failed[-1]
            if worker.error is not None:
                raise worker.error


class _Worker:
    """One sink, its thread and the channel between."""

    def __init__(self, branch: Branch, on_failure: FailureCallback | None) -> None:
        self.name = branch.name
        self.is_optional = branch.is_optional
        self.failure: str | None = None
        self.error: BaseException | None = None
        self._sink = branch.sink
        self._channel: Channel[Frame] = Channel(branch.capacity, branch.policy)
        self._on_failure = on_failure
        self._frames_out = 0
        self._latency = LatencyHistogram()
        self._lock = threading.Lock()
        self._is_finished = False
        self._thread = threading.Thread(
            target=self._run, name=f"streamlight-sink-{branch.name}", daemon=True
        )

    @property
    def wants_original(self) -> bool:
        return isinstance(self._sink, WantsOriginal) and self._sink.wants_original

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def put(self, frame: Frame) -> None:
        if self.failure is None:
            with suppress(ChannelCancelled):  # it failed while this waited
                self._channel.put(frame)

    def end(self) -> None:
        self._channel.close()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def abort(self) -> None:
        self._channel.cancel()
        if not self._is_finished:
            self._sink.abort()

    def give_up(self, error: SinkError) -> None:
        if self._note_failure(error):
            self._channel.cancel()
            self._sink.abort()

    def report(self) -> BranchReport:
        with self._lock:
            latency = self._latency.quantiles()
        dropped = self._channel.dropped
        return BranchReport(self.name, self._frames_out, dropped, latency, self.failure)

    def _run(self) -> None:
        try:
            for frame in self._channel:
                self._write(frame)
                del frame
            self._sink.finish()
            self._is_finished = True
        except ChannelCancelled:
            pass
        except BaseException as error:  # the thread's outermost frame
            self._channel.cancel()
            if self._note_failure(error):
                self._sink.abort()

    def _write(self, frame: Frame) -> None:
        self._sink.write(frame)
        self._frames_out += 1
        if frame.captured_at is not None:
            with self._lock:
                self._latency.add(time.monotonic() - frame.captured_at)

    def _note_failure(self, error: BaseException) -> bool:
        """Keep the first failure and tell of it; say whether it is the first."""
        with self._lock:
            if self.failure is not None:
                return False
            self.failure, self.error = str(error), error
        logger.debug("%s failed", self.name, exc_info=error)
        if self._on_failure is not None:
            self._on_failure(self.name, error)
        return True
