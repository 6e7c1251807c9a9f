"""Fixtures for the tests of live sources and sinks: `pytest_plugins = ["live_fixtures"]`."""

import gc
import os
import threading
import time
from collections.abc import Iterator

import pytest
from peers import RtspServer, launch, sound, video

PATIENCE_S = 8.0
"""How long a connection that was left behind may take until libav's own timeout ends it."""


def open_files() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return sorted(found)


def live_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


@pytest.fixture
def no_leak() -> Iterator[None]:
    """Fail a test that leaves a thread or an open file behind; name it first of the fixtures."""
    gc.collect()
    threads, files = live_threads(), open_files()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while True:
        gc.collect()
        left = [name for name in live_threads() if name not in threads]
        open_now = open_files()
        if not left and len(open_now) <= len(files):
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert not left, f"threads left behind: {left}"
    assert open_now == files


@pytest.fixture(scope="session")
def camera() -> Iterator[RtspServer]:
    """A server that all tests share, and none stops: /cam with AAC, /mute without, /phone PCMU."""
    mounts = {
        "/cam": launch(video(), sound()),
        "/mute": launch(video()),
        "/phone": launch(video(), sound("mulawenc", "rtppcmupay")),
    }
    with RtspServer(mounts) as server:
        yield server
