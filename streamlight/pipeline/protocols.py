"""What the pipeline asks of its three parts. Sources, enhancers and sinks need not inherit this."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias, runtime_checkable

from streamlight.frame import Frame, Image, StreamInfo

Prior: TypeAlias = Any
"""What an enhancer found out about the light of a frame; only that enhancer looks inside."""


class Source(Protocol):
    """Where frames come from."""

    @property
    def info(self) -> StreamInfo:
        """What is known of the stream before its first frame."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order; the end of the iteration is the end of the stream.

        The iteration runs in the thread `streamlight-decode`.

        Raises:
            SourceError: the stream broke off or cannot be decoded.
        """
        ...


@runtime_checkable
class Interruptible(Protocol):
    """A source that can be told to stop waiting. Live sources should be."""

    def interrupt(self) -> None:
        """Make a `next` that is blocked in another thread return or raise soon.

        Called at most once, from the thread that runs the pipeline. What the source then raises
        is not reported.
        """
        ...


@runtime_checkable
class Resettable(Protocol):
    """An enhancer that remembers earlier frames."""

    def reset(self) -> None:
        """Forget them: the next frame is of another segment of the stream.

        Called in the thread of `FrameEnhancer.estimate`.
        """
        ...


@runtime_checkable
class WantsOriginal(Protocol):
    """A sink that shows before and after. Others do not get the input: pictures are large."""

    @property
    def wants_original(self) -> bool:
        """Whether frames are to carry their input as `Frame.original`; asked at every frame."""
        ...


class FrameEnhancer(Protocol):
    """Brightens pictures in two steps (Wang et al., FG 2018, sections II-A and II-B)."""

    @property
    def parallel(self) -> int:
        """How many `reconstruct` calls may usefully run at once; at least 1."""
        ...

    def estimate(self, image: Image, time_s: float, /) -> Prior:
        """Estimate the illumination of the frame shown at `time_s` seconds.

        Called in the order of the frames from one thread, so it may keep state from one frame
        to the next.

        Args:
            image: RGB (H, W, 3), uint8 or uint16.
            time_s: presentation time, `Frame.time_s`.
        """
        ...

    def reconstruct(self, image: Image, prior: Prior, /) -> Image:
        """Return the enhanced picture, of the image's shape and dtype.

        The size of the pictures may change in mid-stream.

        Called from up to `parallel` threads at once, in any order.
        """
        ...


class Sink(Protocol):
    """Where frames go."""

    def write(self, frame: Frame) -> None:
        """Take the next frame, in order, in the thread `streamlight-encode`.

        Raises:
            SinkError: the output cannot be written.
        """
        ...

    def finish(self) -> None:
        """Flush, and make the result visible.

        The pipeline calls it once, at the end of the stream, in the thread of `write`.

        Raises:
            SinkError: the output cannot be completed.
        """
        ...

    def abort(self) -> None:
        """Throw away what is not finished; calling it again, or after `finish`, does nothing.

        The pipeline never calls it; the sink's owner does, on the way out of its `with`. That
        may happen while a `write` which never returned still blocks in its thread.
        """
        ...
