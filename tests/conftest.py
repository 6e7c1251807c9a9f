"""Fixtures for all tests; this file also puts `fakes` on the import path of every test folder."""

import threading
from collections.abc import Iterator

import pytest


def streamlight_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("streamlight-")}


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fail a test after which a thread of streamlight runs that did not run before."""
    before = streamlight_threads()
    yield
    left = streamlight_threads() - before
    assert not left, f"threads left behind: {sorted(thread.name for thread in left)}"
