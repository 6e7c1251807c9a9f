"""Fixtures for all tests; this file also puts `fakes` on the import path of every test folder."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

ON_THE_CLOCK = (
    "backends/test_shared_backend.py",
    "benchmarks",
    "cameras",
    "cli/test_cli_group.py",
    "cli/test_cli_live.py",
    "cli/test_cli_stop.py",
    "cli/test_file_realtime.py",
    "live",
    "pipeline",
    "sinks/test_broadcast.py",
    "sinks/test_live_sinks_together.py",
    "sinks/test_preview.py",
    "sinks/test_recording_sink.py",
    "sinks/test_stream_sink.py",
    "sinks/test_virtual_camera.py",
    "web",
)
"""Tests that depend on how fast things happen, and are not run beside others."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of `ON_THE_CLOCK`, before they are chosen by their marks."""
    files = {item.path for item in items}  # some thousand tests: asking each takes seconds
    timed = {f for f in files if any(f.is_relative_to(TESTS / place) for place in ON_THE_CLOCK)}
    for item in items:
        if item.path in timed:
            item.add_marker(pytest.mark.clock)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector from walking all modules and tests, in collecting and later.

    It took a third of the time of collecting, and 0.3 s of each collection of `no_leak`.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()


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
def signals_are_heard() -> None:
    """Let processes that tests start hear signals that ours was told to ignore, as nohup does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled networks out of the user's cache, also those of subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def usual_priority() -> Iterator[None]:
    """Fail the test that leaves its thread a real-time one, as SVT-AV1 does to root's."""
    yield
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        pytest.fail("the test raised the priority of its thread; see streamlight.thread_priority")


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what one test hides from messages (`streamlight.urls.hide`) be shown in the next."""
    monkeypatch.setattr("streamlight.urls._hidden", set())
