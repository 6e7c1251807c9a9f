"""kill -9 at random moments of a resumable job: nothing is lost."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import resumable_job
from clips import Sound, Subtitle, make_clip
from ffprobe import Probe, needs_ffmpeg
from resumable_job import run_job
from resumed import assert_as_if_written_at_once, numbers_of, write_at_once

from streamlight.sinks import EncoderOptions

pytestmark = needs_ffmpeg

FRAMES = 120
TESTS = Path(resumable_job.__file__).parents[1]


def moments(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 (the same moments in every run)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variable rate, B-frames, sound and subtitles."""
    steps = moments(5)
    pts = [0]
    while len(pts) < FRAMES:
        pts.append(pts[-1] + steps.choice([1, 1, 1, 2, 3]))
    return make_clip(
        tmp_path_factory.mktemp("in") / "clip.mkv",
        pts=pts,
        time_base=Fraction(1, 30),
        rate=30,
        sound=[Sound(duration_s=pts[-1] / 30)],
        subtitles=[Subtitle(start_s=0.1, end_s=0.3)],
        metadata={"title": "A night"},
    )


class Killed:
    """A process that works on a job until it is killed with SIGKILL.

    Attributes:
        frames: numbers of the frames that it wrote.
    """

    def __init__(
        self, clip: Path, target: Path, codec: str, *, after: int | str, delay_s: float
    ) -> None:
        """Kill it `delay_s` after a number of frames, or after it says a word."""
        self.frames: list[int] = []
        with working(clip, target, codec) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._take(line)
                if line.strip() == after or len(self.frames) == after:
                    break
            time.sleep(delay_s)
            process.kill()
            for line in process.stdout:
                self._take(line)
            assert process.wait() == -signal.SIGKILL

    def _take(self, line: str) -> None:
        if line.startswith("frame"):
            self.frames.append(int(line.split()[1]))


@contextmanager
def working(clip: Path, target: Path, codec: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that works on the job; it is gone afterwards."""
    command = [sys.executable, resumable_job.__file__, str(clip), str(target), codec]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(TESTS.parent)}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_nothing_is_lost(runs: list[Killed], longest: int) -> None:
    """Each run goes on where the one before was, or at most one segment earlier."""
    for run, following in pairwise(runs):
        done, begun = run.frames[-1] + 1, following.frames[0]
        assert done - longest < begun <= done + 1  # one may have been written and not told
        assert following.frames == list(range(begun, begun + len(following.frames)))


@pytest.mark.slow
def test_a_job_that_is_killed_ten_times_loses_nothing(clip: Path, tmp_path: Path) -> None:
    target, at = tmp_path / "out.mp4", moments(1)
    runs = [
        Killed(clip, target, "h264", after=at.randint(8, 16), delay_s=at.uniform(0, 0.03))
        for _ in range(10)
    ]
    assert_nothing_is_lost(runs, longest=8)
    assert runs[-1].frames[0] > 40
    assert not target.exists()
    with working(clip, target, "h264") as process:
        assert process.wait(30) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert_as_if_written_at_once(target, write_at_once(clip, tmp_path / "at-once.mp4"))
    assert numbers_of(target) == [index % 32 for index in range(FRAMES)]


def test_a_job_that_is_killed_while_it_joins_loses_nothing(clip: Path, tmp_path: Path) -> None:
    target, ffv1 = tmp_path / "out.mkv", EncoderOptions(codec="ffv1")
    for delay_s in (0.0, 0.001):
        Killed(clip, target, "ffv1", after="joining", delay_s=delay_s)
        assert not target.exists()
    run_job(clip, target, ffv1)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
    assert_as_if_written_at_once(target, write_at_once(clip, tmp_path / "at-once.mkv", ffv1))


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
@pytest.mark.parametrize("seed", range(4))
def test_jobs_that_are_killed_at_any_moment_lose_nothing(
    noisy_clip: Path, tmp_path: Path, codec: str, seed: int
) -> None:
    """Large packets: many kills come while the journal writes."""
    clip, target, at = noisy_clip, tmp_path / "out.mkv", moments(seed)
    runs = [
        Killed(clip, target, codec, after=at.randint(1, 20), delay_s=at.uniform(0, 0.1))
        for _ in range(2)
    ]
    assert_nothing_is_lost(runs, longest=6)
    options = EncoderOptions(codec=codec)
    run_job(clip, target, options)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
    assert_as_if_written_at_once(target, write_at_once(clip, tmp_path / "at-once.mkv", options))
    if codec == "ffv1":
        assert (Probe(target).decode() == Probe(tmp_path / "at-once.mkv").decode()).all()


@pytest.fixture(scope="module")
def noisy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noisy")
    return make_clip(folder / "clip.mkv", frames=80, size=(320, 240), picture=_noise)


def _noise(index: int, width: int, height: int) -> Any:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
