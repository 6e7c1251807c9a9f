"""A bounded queue between two threads that ends, and that can be cancelled."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """What `Channel.put` does when the channel is full."""

    WAIT = "wait"
    """Block until there is room: nothing is lost. For files."""

    DROP_OLDEST = "drop-oldest"
    """Throw away the oldest item and count it: what is taken stays fresh. For live video."""


class ChannelClosed(Exception):
    """`Channel.get` after the last item of a closed channel."""


class ChannelCancelled(Exception):
    """`Channel.put` or `Channel.get` on a channel that was cancelled."""


class Channel(Generic[T]):
    """Hands items from one thread to another, in order, at most `capacity` of them at a time.

    The giving side calls `close` after its last item; the taking side still gets every item put
    before, then its iteration ends. `cancel` is for failures: it throws away the items and makes
    every `put` and `get`, also the ones that are waiting, raise `ChannelCancelled`.

    Attributes:
        capacity: the most items held at a time.
        policy: what `put` does when the channel is full.
        dropped: number of items thrown away by `Policy.DROP_OLDEST`.
        put_wait_s: seconds that `put` has waited for room, all callers together.
        get_wait_s: seconds that `get` has waited for an item, all callers together.

    Raises:
        ValueError: the capacity is less than 1.
    """

    def __init__(self, capacity: int, policy: Policy = Policy.WAIT) -> None:
        """Make an empty, open channel."""
        if capacity < 1:
            raise ValueError(f"a channel holds at least 1 item, not {capacity}")
        self.capacity = capacity
        self.policy = policy
        self.dropped = 0
        self.put_wait_s = 0.0
        self.get_wait_s = 0.0
        self._items: deque[T] = deque()
        self._closed = False
        self._cancelled = False
        # `with self._lock` instead of `with self._not_full`: the lock's own __enter__ is one C
        # call, which a KeyboardInterrupt cannot leave with the lock held. Condition's can.
        self._lock = threading.Lock()
        self._not_full = threading.Condition(self._lock)
        self._not_empty = threading.Condition(self._lock)

    def __len__(self) -> int:
        """Return the number of items held now."""
        return len(self._items)

    def put(self, item: T) -> int:
        """Add an item at the end; a full channel waits or drops its oldest, as `policy` says.

        Returns:
            How many items were dropped for it: 0 or 1.

        Raises:
            ChannelCancelled: the channel was cancelled, before the call or while it waited.
            RuntimeError: the channel was closed; a bug of the caller.
        """
        with self._lock:
            if self.policy is Policy.WAIT and self._is_full():
                started = time.perf_counter()
                while self._is_full():
                    self._not_full.wait()
                self.put_wait_s += time.perf_counter() - started
            if self._cancelled:
                raise ChannelCancelled
            if self._closed:
                raise RuntimeError("put into a channel after its close")
            dropped = 0
            if len(self._items) >= self.capacity:
                self._items.popleft()
                dropped = 1
            self.dropped += dropped
            self._items.append(item)
            self._not_empty.notify()
            return dropped

    def get(self) -> T:
        """Take the oldest item; wait while there is none.

        Raises:
            ChannelCancelled: the channel was cancelled, before the call or while it waited.
            ChannelClosed: the channel was closed, and every item was taken.
        """
        with self._lock:
            if self._is_awaiting():
                started = time.perf_counter()
                while self._is_awaiting():
                    self._not_empty.wait()
                self.get_wait_s += time.perf_counter() - started
            if self._cancelled:
                raise ChannelCancelled
            if not self._items:
                raise ChannelClosed
            self._not_full.notify()
            return self._items.popleft()

    def __iter__(self) -> Iterator[T]:
        """Take items until the channel is closed and empty."""
        return self

    def __next__(self) -> T:
        """Take the oldest item, or end the iteration; see `get`."""
        # Not a generator: that would keep the item alive while its taker works and waits.
        try:
            return self.get()
        except ChannelClosed:
            raise StopIteration from None

    def close(self) -> None:
        """Say that no item follows. Items in the channel can still be taken."""
        with self._lock:
            self._closed = True
            self._wake_all()

    def cancel(self) -> None:
        """Throw away the items, and make every `put` and `get` raise `ChannelCancelled`."""
        with self._lock:
            self._cancelled = True
            self._items.clear()
            self._wake_all()

    def _is_full(self) -> bool:
        ended = self._closed or self._cancelled
        return not ended and len(self._items) >= self.capacity

    def _is_awaiting(self) -> bool:
        return not (self._items or self._closed or self._cancelled)

    def _wake_all(self) -> None:
        self._not_full.notify_all()
        self._not_empty.notify_all()
