"""A process that copies damaged files, one for each line it reads, and says what came of it.

It is a process of its own so that a crash inside a codec has a name, and a hang has an end.
"""

import json
import os
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import av
import av.logging
from damage import damaged

from streamlight.errors import StreamlightError
from streamlight.frame import Image
from streamlight.pipeline import Pipeline, Prior
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource
from streamlight.sources.probe import probe_video
from streamlight.verify import verify_file

THREADS = {"MainThread"}


class Unchanged:
    """Stands for the network, and leaves every picture as it is."""

    parallel = 1

    def estimate(self, image: Image, time_s: float) -> Prior | None:
        return None

    def reconstruct(self, image: Image, prior: Prior | None) -> Image:
        return image


def copy(source: Path, target: Path) -> int:
    """Write what can be read of a damaged file; return how many pictures that is."""
    codec = {".webm": "vp9", ".avi": "h264"}.get(target.suffix, "auto")
    extra = ("cpu-used=8", "deadline=realtime") if codec == "vp9" else ()
    preset = None if codec == "vp9" else "ultrafast"
    options = EncoderOptions(codec=codec, preset=preset, extra=extra)
    with FileSource(source) as frames, FileSink(target, frames, options) as sink:
        Pipeline(frames, Unchanged(), sink).run()
        return sink.frames_written


def pictures_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def open_files() -> Counter[str]:
    """What this process has open, by name."""
    links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
    return Counter(os.readlink(link) for link in links if link.is_symlink())


def attempt(source: Path, folder: Path, suffix: str) -> str:
    """Copy, and look at what is left; return the error's words, "" for none.

    Raises:
        AssertionError: something is left behind, or the output is not whole.
    """
    target = folder / f"out{suffix}"
    before = open_files()
    try:
        written = copy(source, target)
        said = ""
    except StreamlightError as error:
        said = str(error)
        assert said, "an error without a word"
        assert "\n" not in said, f"an error of several lines: {said}"
        assert "Traceback" not in said
    left = {path.name for path in folder.iterdir()} - {source.name}
    assert left == (set() if said else {target.name}), f"left behind: {left}"
    threads = {thread.name for thread in threading.enumerate()} - THREADS
    assert not threads, f"threads left behind: {threads}"
    assert not (left_open := open_files() - before), f"left open: {left_open}"
    if not said:
        assert pictures_in(target) == written, "the output has not all pictures"
        try:
            verify_file(source, target)
        except StreamlightError as error:
            assert "\n" not in str(error)
        target.unlink()
    try:
        probe_video(source, deep=True)
    except StreamlightError as error:
        assert "\n" not in str(error)
    return said


def main() -> None:
    """Read lines of JSON (number, clip, suffix of the output); answer each with one."""
    av.logging.set_level(None)
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        number, clip, suffix = json.loads(line)
        source = folder / f"in{Path(clip).suffix}"
        source.write_bytes(damaged(Path(clip).read_bytes(), number))
        failure = said = ""
        try:
            said = attempt(source, folder, suffix)
        except BaseException:
            failure = traceback.format_exc()
        for path in folder.iterdir():
            path.unlink()
        print(json.dumps({"said": said, "failure": failure}), flush=True)


if __name__ == "__main__":
    main()
