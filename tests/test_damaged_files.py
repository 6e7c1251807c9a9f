"""Damaged files of every kind: an output or one clear error, in little time, and nothing else."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from clips import Sound, Subtitle, dim, make_clip
from damage import damaged

LIMIT_S = 20.0
"""For one file of 24 frames, which takes about 0.1 s: longer is a hang."""

WORKERS = 2
PLAIN, ALL = 120, 500

ONCE_FAILED = (530, 649, 2465, 3785, 4324)
"""Of 5000 that were tried."""

TARGETS = {
    "b-frames.mp4": (".mp4", ".mkv"),
    "srt.mkv": (".mkv", ".mp4"),
    "mpeg2.ts": (".ts", ".mkv"),
    "mpeg4.avi": (".avi", ".mkv"),
    "vp9.webm": (".mkv", ".mov"),
    "h264.flv": (".mp4", ".mkv"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one variant.

    Attributes:
        name: of the variant.
        said: the error's words; "" for an output.
        failure: what should not have happened; "" for nothing.
    """

    name: str
    said: str
    failure: str


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one whole clip of each kind, of 24 frames."""
    folder = tmp_path_factory.mktemp("whole")

    def make(name: str, sound: str, codec: str = "libx264", **how: object) -> None:
        make_clip(
            folder / name,
            codec=codec,
            frames=24,
            picture=dim,
            sound=[Sound(sound, rate_hz=48_000)],
            metadata={"title": "a night"},
            **how,  # type: ignore[arg-type]
        )

    make("b-frames.mp4", "aac", options={"g": "12", "bf": "2"})
    make("srt.mkv", "aac", options={"g": "12", "bf": "2"}, subtitles=[Subtitle()])
    make("mpeg2.ts", "mp2", "mpeg2video", options={"g": "12", "bf": "2"})
    make("mpeg4.avi", "libmp3lame", "mpeg4", options={"g": "12"})
    make("vp9.webm", "libopus", "libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"})
    make("h264.flv", "aac", options={"g": "12", "bf": "2"})
    return folder


class Worker:
    """A process that copies one damaged file after another, and is replaced when it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def attempt(self, number: int, clip: Path, suffix: str) -> Result:
        name = f"variant {number}: {clip.name} to {suffix}"
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(LIMIT_S, end)
        timer.start()
        try:
            process.stdin.write(json.dumps([number, str(clip), suffix]) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        finally:
            timer.cancel()
        if answer:
            return Result(name, **json.loads(answer))
        code = process.wait()
        self.close()
        for path in self._folder.iterdir():
            path.unlink()
        why = f"hangs after {LIMIT_S:g} s" if is_late.is_set() else f"ends the process with {code}"
        return Result(name, "", why)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("damage_worker.py")), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self._process


def variants(numbers: Iterable[int], clips: Path) -> Iterator[tuple[int, Path, str]]:
    """Give each number a clip and a container, so that every kind of damage meets all of them."""
    names = list(TARGETS)
    for number in numbers:
        name = names[number % len(names)]
        suffixes = TARGETS[name]
        yield number, clips / name, suffixes[number // len(names) % len(suffixes)]


def attempt_all(clips: Path, folder: Path, numbers: range) -> list[Result]:
    """Copy all variants, in processes beside each other."""

    def attempt_share(share: int) -> list[Result]:
        own = folder / str(share)
        own.mkdir()
        worker = Worker(own)
        try:
            return [worker.attempt(*v) for v in variants(numbers[share::WORKERS], clips)]
        finally:
            worker.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return [result for share in pool.map(attempt_share, range(WORKERS)) for result in share]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(range(PLAIN), id="few"),
        pytest.param(range(PLAIN, ALL), id="many", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_file_gives_an_output_or_one_clear_error_and_leaves_nothing(
    tmp_path: Path, clips: Path, numbers: range
) -> None:
    results = attempt_all(clips, tmp_path, numbers)
    assert len(results) == len(numbers)
    assert [f"{result.name}: {result.failure}" for result in results if result.failure] == []
    # damage that stops everything, or nothing at all, would prove little
    outcomes = Counter(bool(result.said) for result in results)
    assert min(outcomes[True], outcomes[False]) > len(numbers) // 10


def test_variants_that_once_failed(tmp_path: Path, clips: Path) -> None:
    """Streams that begin in mid-file, and sound without channels."""
    worker = Worker(tmp_path)
    try:
        results = [worker.attempt(*variant) for variant in variants(ONCE_FAILED, clips)]
    finally:
        worker.close()
    assert [f"{result.name}: {result.failure}" for result in results if result.failure] == []


def test_every_variant_is_damaged_in_a_way_of_its_own(clips: Path) -> None:
    made = {}
    for number, clip, _ in variants(range(ALL), clips):
        whole = clip.read_bytes()
        spoiled = damaged(whole, number)
        assert whole != spoiled == damaged(whole, number)
        made[number] = (clip, spoiled)
    assert len(set(made.values())) > 0.98 * ALL
