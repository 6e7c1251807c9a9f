import random
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial

import pytest

from streamlight.pipeline.channel import Channel, ChannelCancelled, ChannelClosed, Policy

ENOUGH_S = 5.0


class Caller:
    """Runs one call in a thread, and keeps what it returned or raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run, name="test-caller", daemon=True)
        self._result: object = None
        self._error: BaseException | None = None
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def is_waiting(self) -> bool:
        self._thread.join(0.05)
        return self._thread.is_alive()

    def result(self) -> object:
        self._thread.join(ENOUGH_S)
        assert not self._thread.is_alive(), "the call never returned"
        if self._error is not None:
            raise self._error
        return self._result


def test_items_come_out_in_order_and_the_iteration_ends_after_the_queued_ones() -> None:
    channel: Channel[int] = Channel(3)
    for item in range(3):
        channel.put(item)
    channel.close()
    assert list(channel) == [0, 1, 2]
    assert list(channel) == []
    with pytest.raises(ChannelClosed):
        channel.get()


def test_put_waits_for_room() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    caller = Caller(lambda: channel.put(1))
    assert caller.is_waiting()
    assert len(channel) == 1
    assert channel.get() == 0
    caller.result()
    assert channel.get() == 1
    assert channel.dropped == 0
    assert channel.put_wait_s > 0.0
    assert channel.get_wait_s == 0.0


def test_get_waits_for_an_item() -> None:
    channel: Channel[int] = Channel(1)
    caller = Caller(channel.get)
    assert caller.is_waiting()
    channel.put(7)
    assert caller.result() == 7
    assert channel.get_wait_s > 0.0
    assert channel.put_wait_s == 0.0


def test_drop_oldest_never_waits_and_counts() -> None:
    channel: Channel[int] = Channel(2, Policy.DROP_OLDEST)
    for item in range(5):
        channel.put(item)
    channel.close()
    assert channel.dropped == 3
    assert list(channel) == [3, 4]
    assert channel.put_wait_s == 0.0


@pytest.mark.parametrize("policy", Policy)
def test_close_ends_a_waiting_get(policy: Policy) -> None:
    channel: Channel[int] = Channel(1, policy)
    callers = [Caller(channel.get) for _ in range(3)]
    assert callers[0].is_waiting()
    channel.close()
    channel.close()
    for caller in callers:
        with pytest.raises(ChannelClosed):
            caller.result()


def test_cancel_wakes_every_waiting_put() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    callers = [Caller(lambda: channel.put(1)) for _ in range(3)]
    assert callers[0].is_waiting()
    channel.cancel()
    for caller in callers:
        with pytest.raises(ChannelCancelled):
            caller.result()


def test_cancel_wakes_every_waiting_get() -> None:
    channel: Channel[int] = Channel(1)
    callers = [Caller(channel.get) for _ in range(3)]
    assert callers[0].is_waiting()
    channel.cancel()
    for caller in callers:
        with pytest.raises(ChannelCancelled):
            caller.result()


@pytest.mark.parametrize("closed_first", [False, True])
def test_a_cancelled_channel_gives_nothing_and_takes_nothing(closed_first: bool) -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    if closed_first:
        channel.close()
    channel.cancel()
    channel.cancel()
    channel.close()
    with pytest.raises(ChannelCancelled):
        channel.get()
    with pytest.raises(ChannelCancelled):
        next(channel)
    with pytest.raises(ChannelCancelled):
        channel.put(1)


def test_put_after_close_is_a_bug_of_the_caller() -> None:
    channel: Channel[int] = Channel(2)
    channel.close()
    with pytest.raises(RuntimeError, match="after its close"):
        channel.put(0)


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 item, not 0"):
        Channel(0)


class Picture:
    """Something that a weak reference can watch."""


def test_the_channel_keeps_no_reference_to_what_was_taken_dropped_or_cancelled() -> None:
    channel: Channel[Picture] = Channel(1, Policy.DROP_OLDEST)
    watched = []
    for _ in range(3):
        picture = Picture()
        watched.append(weakref.ref(picture))
        channel.put(picture)
        del picture
    assert [ref() is None for ref in watched] == [True, True, False]
    next(channel)
    assert watched[2]() is None

    last = Picture()
    ref = weakref.ref(last)
    channel.put(last)
    del last
    channel.cancel()
    assert ref() is None


@pytest.mark.parametrize("capacity", [1, 3])
def test_no_item_is_lost_or_doubled_between_many_threads(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    givers, takers, each = 4, 4, 500
    taken: list[list[int]] = [[] for _ in range(takers)]

    def give(first: int) -> None:
        rng = random.Random(first)  # noqa: S311
        for item in range(first, first + each):
            channel.put(item)
            if rng.random() < 0.02:
                time.sleep(0)

    giving = [Caller(partial(give, giver * each)) for giver in range(givers)]
    taking = [Caller(partial(items.extend, channel)) for items in taken]
    for caller in giving:
        caller.result()
    channel.close()
    for caller in taking:
        caller.result()
    assert sorted(item for items in taken for item in items) == list(range(givers * each))
    # Each taker sees the items of one giver in order.
    for items in taken:
        for giver in range(givers):
            own = [item for item in items if item // each == giver]
            assert own == sorted(own)
