"""The log of libav, on for a moment only."""

import gc
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest
from clips import make_clip
from numpy.typing import NDArray

from streamlight.sources.chroma import chroma_location_of
from streamlight.sources.libav_log import libav_log


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    assert av.logging.get_level() is None, "an earlier test has left the log on"
    yield
    assert av.logging.get_level() is None


def test_two_at_once_leave_the_log_off() -> None:
    """Each puts back what it found: overlapping, the second would find the first one's level."""
    is_inside, seen = threading.Event(), list[int | None]()

    def second() -> None:
        is_inside.wait(5)
        with libav_log(av.logging.INFO, of_all_threads=False):
            seen.append(av.logging.get_level())

    thread = threading.Thread(target=second)
    thread.start()
    with libav_log(av.logging.ERROR, of_all_threads=True):
        is_inside.set()
        time.sleep(0.1)
        assert av.logging.get_level() == av.logging.ERROR and not seen
    thread.join(5)
    assert seen == [av.logging.INFO]


def test_one_within_another_puts_its_level_back() -> None:
    with libav_log(av.logging.WARNING, of_all_threads=True):
        with libav_log(av.logging.INFO, of_all_threads=False):
            assert av.logging.get_level() == av.logging.INFO
        assert av.logging.get_level() == av.logging.WARNING


def test_an_error_turns_it_off() -> None:
    with pytest.raises(ZeroDivisionError), libav_log(av.logging.INFO, of_all_threads=True):
        raise ZeroDivisionError


def test_an_exception_of_a_signal_at_its_beginning_turns_it_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_skip_repeated, calls = av.logging.set_skip_repeated, list[bool]()

    def interrupted(skips: bool) -> None:
        calls.append(skips)
        if len(calls) == 1:
            raise KeyboardInterrupt
        set_skip_repeated(skips)

    monkeypatch.setattr(av.logging, "set_skip_repeated", interrupted)
    with pytest.raises(KeyboardInterrupt), libav_log(av.logging.INFO, of_all_threads=True):
        pass
    assert calls == [False, True]


def test_no_garbage_is_collected_within() -> None:
    """It may hold a decoder, whose threads wait with a message for the lock of who frees it."""

    class Node:
        itself: object = None

    with libav_log(av.logging.INFO, of_all_threads=True):
        node = Node()
        node.itself = node
        alive = weakref.ref(node)
        del node
        kept = [[index] for index in range(200_000)]  # enough for several collections
        assert alive() is not None
        del kept
    assert gc.isenabled()


def test_many_threads_that_ask_end_with_it_off_and_with_an_answer(tmp_path: Path) -> None:
    with av.open(make_clip(tmp_path / "clip.mp4", frames=1)) as container:
        picture = next(container.decode(video=0))
    answers: list[str] = []

    def ask() -> None:
        for _ in range(20):
            answers.append(chroma_location_of(picture))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 120 and set(answers) == {"left"}


def test_a_damaged_file_is_closed_while_its_decoder_logs(tmp_path: Path) -> None:
    """In a process of its own: what hangs here holds Python's lock."""
    clip = make_clip(tmp_path / "clip.mkv", picture=noise, size=(320, 180), frames=40)
    data, rng = bytearray(clip.read_bytes()), random.Random(3)  # noqa: S311
    for _ in range(60):
        data[rng.randrange(len(data) // 20, len(data))] ^= rng.randrange(1, 255)
    clip.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _CLOSING, str(clip)], timeout=120, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


_CLOSING = """
import sys
from pathlib import Path
import av
from streamlight.sources.libav_log import libav_log
from streamlight.sources.opening import close_input, open_input

for index in range(12):
    container = open_input(Path(sys.argv[1]))
    video = container.streams.video[0]
    video.thread_type, video.codec_context.thread_count = "FRAME", 4
    count = 0
    for packet in container.demux(video):
        try:
            count += len(packet.decode())
        except av.error.FFmpegError:
            pass
        if count > index % 12:
            break
    del packet
    with libav_log(av.logging.ERROR, of_all_threads=True):
        close_input(container)
        del video, container
"""


def noise(index: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
