"""The newest frame for any number of viewers, none of which can hold up the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streamlight.frame import Frame


class Broadcast:
    """A sink whose frames can be watched by whoever subscribes.

    A viewer gets the newest frame when it asks, and misses those that came meanwhile. The
    broadcast outlives the runs that write to it: after a restart the viewers go on.
    """

    def __init__(self) -> None:
        """Start without viewers."""
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._latest: Frame | None = None
        self._is_closed = False

    @property
    def latest(self) -> Frame | None:
        """The newest frame; None before the first."""
        return self._latest

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._subscriptions)

    @property
    def is_closed(self) -> bool:
        """Whether no frame will come any more."""
        return self._is_closed

    @property
    def wants_original(self) -> bool:
        """Whether any viewer shows before and after."""
        return any(subscription.wants_original for subscription in self._subscriptions)

    def subscribe(
        self, *, wants_original: bool = False, on_frame: Callable[[], None] | None = None
    ) -> Subscription:
        """Begin to watch; leave the subscription's `with` block, or `close` it, to end.

        Args:
            wants_original: whether frames are to carry their input; some frames after this call
                do not yet, and `latest` may not.
            on_frame: called in the sink's thread whenever there is something new: a frame, or the
                end; must return at once.
        """
        with self._lock:
            subscription = Subscription(self, wants_original, on_frame)
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def write(self, frame: Frame) -> None:
        """Show a frame to all viewers."""
        self._latest = frame
        for subscription in self._subscriptions:
            subscription.offer(frame)

    def finish(self) -> None:
        """Keep the last frame: another run may follow."""

    def abort(self) -> None:
        """Keep the last frame: another run may follow."""

    def close(self) -> None:
        """Tell all viewers that nothing follows."""
        with self._lock:
            self._is_closed = True
            subscriptions = self._subscriptions
        for subscription in subscriptions:
            subscription.end()

    def leave(self, subscription: Subscription) -> None:
        """Forget a viewer; called by its `close`."""
        with self._lock:
            self._subscriptions = tuple(
                other for other in self._subscriptions if other is not subscription
            )


class Subscription:
    """What one viewer sees of a `Broadcast`.

    Attributes:
        wants_original: whether frames are to carry their input; may be changed at any time.
        missed: frames that came and went before this viewer asked.
    """

    def __init__(
        self, broadcast: Broadcast, wants_original: bool, on_frame: Callable[[], None] | None
    ) -> None:
        """See `Broadcast.subscribe`."""
        self.wants_original = wants_original
        self.missed = 0
        self._broadcast = broadcast
        self._on_frame = on_frame
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._is_ended = broadcast.is_closed

    def __enter__(self) -> Self:
        """Return the subscription itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        self.close()

    @property
    def is_ended(self) -> bool:
        """Whether no frame will come any more; one may still wait."""
        return self._is_ended

    def get(self, timeout_s: float = 0.0) -> Frame | None:
        """Take the newest frame that was not taken yet, waiting for one if there is none.

        Returns:
            None when none came in time, or when the broadcast has ended (see `is_ended`).
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._is_ended, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Stop watching; a waiting `get` ends."""
        self._broadcast.leave(self)
        self.end()

    def offer(self, frame: Frame) -> None:
        """Hold a frame for `get`, in the place of one that was not taken."""
        with self._changed:
            self.missed += self._frame is not None
            self._frame = frame
            self._changed.notify_all()
        self._tell()

    def end(self) -> None:
        """Let `get` wait no more."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()
        self._tell()

    def _tell(self) -> None:
        if self._on_frame is not None:
            self._on_frame()
