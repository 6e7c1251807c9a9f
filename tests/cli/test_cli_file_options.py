"""The options of `streamlight file` that reach into reading, writing and checking."""

import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cli_runs import FAST, dark_clip, frames_of, has_sound, read_json, run_here
from PIL import Image

from streamlight import Enhancer
from streamlight.cli.times import parse_time
from streamlight.errors import UsageError
from streamlight.frame import Frame
from streamlight.sinks.video_track import VideoTrack


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return dark_clip(tmp_path / "night.mp4", frames=40)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90), ("1.5", 1.5), ("1:30", 90), ("1:02:03.25", 3723.25)),
        *(("90s", 90), ("1.5m", 90), ("2h", 7200)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time("--start", text) == seconds
    assert parse_time("--start", None) is None


@pytest.mark.parametrize(
    "text", ["", "-1", "1:2:3:4", "1.5:30", "nan", "1e3", "::", "s", "1:30m", "2d", "5 s"]
)
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(UsageError, match="expected seconds, such as"):
        parse_time("--start", text)


def test_verify_says_that_the_output_is_faithful(clip: Path, tmp_path: Path) -> None:
    target, report = tmp_path / "out.mkv", tmp_path / "report.json"
    done = run_here("file", clip, "-o", target, "--verify", "frames", "--report", report, *FAST)
    assert done.code == 0
    assert done.lines[-1].startswith(f"{target}: verified, 40 frames with the input's times")
    assert read_json(report)["verification"]["differences"] == []


def test_verify_exits_with_3_when_a_frame_is_missing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = VideoTrack.write

    def forgetful(self: VideoTrack, frame: Frame) -> None:
        if frame.index != 7:
            write(self, frame)

    monkeypatch.setattr(VideoTrack, "write", forgetful)
    target, report = tmp_path / "out.mp4", tmp_path / "report.json"
    done = run_here(
        "file", clip, "-o", target, "-q", "--verify", "streams", "--report", report, *FAST
    )
    assert done.code == 3
    assert done.lines[-1].startswith(
        f"error: {target}: differs from its input: frames: 40 expected"
    )
    assert read_json(report)["exit_code"] == 3


def test_a_part_of_the_video_with_its_sound(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "part.mp4"
    part = ("--start", "0:00.1", "--duration", "0.2")
    assert run_here("file", clip, "-o", target, *part, "--verify", "streams", *FAST).code == 0
    assert 0 < frames_of(target) < 40
    assert has_sound(target) == has_sound(clip)


@pytest.mark.parametrize("inputs", [1, 2])
def test_streams_reach_the_network(clip: Path, tmp_path: Path, inputs: int) -> None:
    sources = [clip, shutil.copy(clip, tmp_path / "again.mp4")][:inputs]
    asked: list[int | None] = []
    opened = Enhancer.open

    def note(*arguments: Any, **options: Any) -> Enhancer:
        asked.append(options["parallel"])
        return opened(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Enhancer, "open", note)
        done = run_here("file", *sources, "-o", f"{tmp_path}/out/", "--streams", "3", *FAST)
    assert done.code == 0, done.err
    assert set(asked) == {3}


def test_a_folder_of_videos_and_pictures(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    clip.rename(folder / "night.mp4")
    Image.new("RGB", (64, 48), (9, 8, 7)).save(folder / "dark.png")
    (folder / "bad.mp4").write_text("no video")
    done = run_here("file", folder, "-o", f"{tmp_path}/bright/", *FAST)
    assert done.code == 1
    assert "2 done, 1 failed" in done.lines[-1]
    names = sorted(path.name for path in (tmp_path / "bright").iterdir())
    assert names == ["dark.bright.png", "night.bright.mp4"]
    (folder / "bad.mp4").unlink()
    again = run_here("file", folder, "-o", f"{tmp_path}/bright/", "--skip-existing", *FAST)
    assert again.code == 0
    assert "2 skipped" in again.lines[-1]


def test_a_picture_comes_out_brighter(tmp_path: Path) -> None:
    source, target = tmp_path / "dark.png", tmp_path / "bright.jpg"
    Image.new("RGB", (64, 48), (12, 10, 8)).save(source)
    assert run_here("file", source, "-o", target, *FAST).code == 0
    with Image.open(target) as bright:
        assert np.asarray(bright).max() > 20


def test_encoder_and_filters_reach_the_output(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    chains = ("--filter", "crop=32:32", "--post-filter", "hflip")
    options = ("--codec", "ffv1", "--verify", "streams", "--model", "gladnet-fast")
    done = run_here("file", clip, "-o", target, *chains, *options)
    assert done.code == 0, done.err
    with av.open(str(target)) as written:
        video = written.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("ffv1", 32, 32)
    wrong = run_here("file", clip, "-o", tmp_path / "o.mp4", "--filter", "nosuch", *FAST)
    assert wrong.code == 2
    assert wrong.err.count("No such filter: 'nosuch'") == 1
