import os
import pty
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runs import DONE, FAST, dark_clip, run, start

from streamlight.cli.progress import ProgressBar, describe, format_duration
from streamlight.pipeline import Rate


def read_terminal(*arguments: str | Path, cache: Path) -> tuple[int, str]:
    """Run with stderr on a terminal of its own; return the exit code and what it showed."""
    terminal, its_end = pty.openpty()
    process = start(cache, *arguments, stderr=its_end)
    os.close(its_end)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: the process has closed its end
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    process.communicate(timeout=60)
    return process.returncode, shown.decode()


def test_a_terminal_gets_a_bar_that_vanishes(tmp_path: Path) -> None:
    clip = dark_clip(tmp_path / "night.mp4", frames=60)
    code, shown = read_terminal("file", clip, "-o", tmp_path / "out.mp4", *FAST, cache=tmp_path)
    assert code == 0
    assert re.search(r"\d+/60 frames, \d+\.\d fps, ETA [-\d]+:[-\d]+", shown)
    assert re.search(r"frames, .*(decode|estimate|reconstruct|encode) \(\d+ % busy\)", shown)
    assert "\x1b[2K" in shown, "the bar is erased at the end"
    last = shown.rstrip().splitlines()[-1]
    assert last.endswith("% busy)")
    assert "out.mp4: 60 frames in" in last


def test_quiet_shows_no_bar_on_a_terminal(tmp_path: Path) -> None:
    clip = dark_clip(tmp_path / "night.mp4")
    shown = read_terminal("file", clip, "-o", tmp_path / "out.mp4", "-q", *FAST, cache=tmp_path)
    assert shown == (0, "")


def test_there_is_no_bar_and_no_escape_code_in_a_pipe(tmp_path: Path) -> None:
    clip = dark_clip(tmp_path / "night.mp4", frames=60)
    done = run(tmp_path, "file", clip, "-o", tmp_path / "out.mp4", *FAST)
    assert done.code == 0
    assert "\x1b" not in done.err and "\r" not in done.err
    assert len(done.lines) == 2


def test_the_bar_is_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar.update(DONE, 12)
    assert capsys.readouterr() == ("", "")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    for second in range(1, 11):  # ten seconds of start-up, one frame each
        rate.update(replace(DONE, wall_s=float(second), frames_out=second))
    for second in range(11, 21):
        last = rate.update(replace(DONE, wall_s=float(second), frames_out=10 + 20 * (second - 10)))
    assert last == pytest.approx(20.0)


def test_the_text_of_the_bar() -> None:
    report = replace(DONE, frames_out=34, wall_s=2.0)
    text = describe(report, 149, 46.0)
    assert text == "34/149 frames, 46.0 fps, ETA 0:02, reconstruct (90 % busy)"
    assert describe(report, None, 46.0) == "34 frames, 46.0 fps, reconstruct (90 % busy)"
    assert "ETA -:--" in describe(report, 149, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-:--"), (0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3723, "1:02:03")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text
