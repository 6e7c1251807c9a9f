"""The log of libav, on for a moment only."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.logging
import pytest
from clips import make_clip

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
