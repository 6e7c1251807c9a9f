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


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled networks out of the user's cache, also those of subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
