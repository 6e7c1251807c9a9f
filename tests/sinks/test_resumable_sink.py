"""A job in several runs: the file is as if it had been written at once, in every container."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import Sound, Subtitle, dim, make_clip
from ffprobe import Probe, needs_ffmpeg
from fidelity import NEARLY_LOSSLESS, assert_same_pictures
from resumable_job import run_job
from resumed import assert_as_if_written_at_once, numbers_of, write_at_once

from streamlight.errors import SinkError, SourceError, UsageError
from streamlight.sinks import EncoderOptions
from streamlight.sinks.journal import Journal, unfinished_job
from streamlight.sinks.output_file import OutputFile
from streamlight.sinks.resumable import ResumableSink
from streamlight.sources import FileSource

pytestmark = needs_ffmpeg

FRAMES = 40
TIMES = [t + t // 7 * 3 + (t % 7 == 3) for t in range(FRAMES)]
"""A variable rate, in thirtieths of a second."""

VARIABLE: dict[str, Any] = {"pts": TIMES, "time_base": Fraction(1, 30), "rate": 30}

WAYS: list[tuple[str, str, EncoderOptions]] = [
    ("out.mp4", "h264", EncoderOptions()),
    ("out.mov", "h264", EncoderOptions(gop=3)),
    ("out.mkv", "h264", EncoderOptions(preset="ultrafast")),
    ("out.mp4", "hevc", EncoderOptions(codec="hevc", preset="ultrafast")),
    ("out.mkv", "hevc", EncoderOptions(codec="hevc", pix_fmt="yuv420p10le")),
    ("out.webm", "vp9", EncoderOptions(codec="vp9")),
    ("out.mkv", "av1", EncoderOptions(codec="av1", preset="13")),
    ("out.mkv", "ffv1", EncoderOptions(codec="ffv1")),
    ("out.mov", "prores", EncoderOptions(codec="prores")),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of variable rate, with B-frames."""
    return make_clip(tmp_path_factory.mktemp("in") / "clip.mkv", **VARIABLE)


def run_thrice(clip: Path, target: Path, options: EncoderOptions | None = None, **how: Any) -> None:
    """Interrupt a job by a stop and by a kill, and complete it."""
    stopped = run_job(clip, target, options, frames=9, **how)
    killed = run_job(clip, target, options, frames=17, is_killed=True, **how)
    rest = run_job(clip, target, options, **how)
    assert stopped[-1] + 1 == killed[0]  # what was written before a stop is kept
    assert killed[0] < rest[0] <= killed[-1] + 1
    assert not list(target.parent.glob(".*"))


@pytest.mark.parametrize(
    ("name", "codec", "options"), WAYS, ids=[f"{codec}-{name[4:]}" for name, codec, _ in WAYS]
)
def test_every_codec_is_joined_as_if_written_at_once(
    clip: Path, tmp_path: Path, name: str, codec: str, options: EncoderOptions
) -> None:
    target = tmp_path / name
    run_thrice(clip, target, options)
    assert Probe(target).video["codec_name"] == codec
    assert numbers_of(target) == [index % 32 for index in range(FRAMES)]
    reference = write_at_once(clip, tmp_path / f"at-once.{name}", options)
    assert_as_if_written_at_once(target, reference)


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "ts", "avi"])
def test_what_travels_beside_the_picture_is_joined_too(tmp_path: Path, extension: str) -> None:
    has_text = extension not in ("ts", "avi")
    clip = make_clip(
        tmp_path / "in.mkv",
        frames=50,
        sound=[Sound(duration_s=2.5), Sound(start_s=0.0, duration_s=1.0, layout="stereo")],
        subtitles=[Subtitle(start_s=0.1, end_s=1.3)] if has_text else [],
        metadata={"title": "A night"},
    )
    target = tmp_path / f"out.{extension}"
    run_thrice(clip, target)
    assert len(Probe(target).of_type("audio")) == 2
    reference = write_at_once(clip, tmp_path / f"at-once.{extension}")
    assert_as_if_written_at_once(target, reference)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("in.ts", {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}}),
        ("in.mp4", {"rate": Fraction(30000, 1001), "rotation": 90}),
        ("in.mkv", {"pts": range(12, 52), "time_base": Fraction(1, 30)}),
    ],
    ids=["transport stream", "turned", "late"],
)
def test_every_source_is_gone_on_with(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    clip = make_clip(tmp_path / name, sound=[Sound()], **({"frames": FRAMES} | how))
    run_thrice(clip, tmp_path / "out.mp4")
    reference = write_at_once(clip, tmp_path / "at-once.mp4")
    assert_as_if_written_at_once(tmp_path / "out.mp4", reference)


def test_a_part_of_a_file_is_gone_on_with(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mkv",
        frames=100,
        options={"g": "12"},
        sound=[Sound(duration_s=4.0)],
        subtitles=[Subtitle(start_s=0.5, end_s=1.5), Subtitle(start_s=2.5, end_s=3.5)],
    )
    part: dict[str, Any] = {"start_s": 1.01, "end_s": 3.02}
    run_thrice(clip, tmp_path / "out.mp4", reading=part)
    reference = write_at_once(clip, tmp_path / "at-once.mp4", **part)
    assert_as_if_written_at_once(tmp_path / "out.mp4", reference)


def test_the_pictures_are_those_of_the_source(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=FRAMES, size=(96, 64), picture=dim)
    run_thrice(clip, tmp_path / "out.mkv", NEARLY_LOSSLESS)
    assert_same_pictures(Probe(clip), Probe(tmp_path / "out.mkv"))


def test_filters_of_single_pictures_are_gone_on_with(clip: Path, tmp_path: Path) -> None:
    run_thrice(clip, tmp_path / "out.mp4", post_filter="scale=32:24,hflip")
    video = Probe(tmp_path / "out.mp4").video
    assert (video["width"], video["height"], int(video["nb_frames"])) == (32, 24, FRAMES)


@pytest.mark.parametrize("chain", ["tmix=frames=3", "scale=32:24,fade=in:0:9", "hue=h=n"])
def test_filters_that_know_the_past_are_refused(clip: Path, tmp_path: Path, chain: str) -> None:
    with pytest.raises(UsageError, match="--resume cannot begin in the middle"):
        run_job(clip, tmp_path / "out.mp4", post_filter=chain)
    assert not list(tmp_path.iterdir())


def test_a_job_can_end_between_the_last_frame_and_the_file(clip: Path, tmp_path: Path) -> None:
    run_job(clip, tmp_path / "out.mp4", frames=FRAMES)
    assert run_job(clip, tmp_path / "out.mp4") == []
    assert numbers_of(tmp_path / "out.mp4") == [index % 32 for index in range(FRAMES)]


def test_segments_of_single_frames_are_joined(clip: Path, tmp_path: Path) -> None:
    for _ in range(5):
        run_job(clip, tmp_path / "out.mp4", frames=1)
    run_job(clip, tmp_path / "out.mp4")
    reference = write_at_once(clip, tmp_path / "at-once.mp4")
    assert_as_if_written_at_once(tmp_path / "out.mp4", reference)


def test_slow_work_is_kept_after_a_while(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlight.sinks.resumable._PATIENCE_S", 0.0)
    with Journal(tmp_path / "out.mp4", clip, {}) as journal, FileSource(clip) as source:
        sink = ResumableSink(journal, source)
        for frame in source:
            sink.write(frame)
        ends = [segment.end_s for segment in journal.segments]
    assert len(ends) == 1  # of 1 s at least, though 10 s are the usual
    assert 0.8 < ends[0] < 1.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"job": {"model": "other"}}, 'model was "none" and is "other" now'),
        ({"options": EncoderOptions(codec="hevc")}, 'the encoder was "libx264" and is "libx265"'),
        ({"options": EncoderOptions(preset="ultrafast")}, "the encoder's header was"),
        ({"options": EncoderOptions(crf=30)}, "encoder.crf was not given and is 30 now"),
        ({"post_filter": "hflip"}, '--post-filter was not given and is "hflip" now'),
        ({"size": (32, 24)}, r"the size was \[64, 48\] and is \[32, 24\] now"),
    ],
    ids=["model", "codec", "preset", "quality", "filter", "size"],
)
def test_another_job_is_refused(
    clip: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    target = tmp_path / "out.mp4"
    run_job(clip, target, frames=9)
    with pytest.raises(UsageError, match=message) as error:
        run_job(clip, target, **change)
    assert f"delete {tmp_path / '.out.mp4.resume'} to start anew" in str(error.value)
    assert run_job(clip, target)[0] == 9  # and nothing is lost


def test_another_input_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=FRAMES)
    run_job(clip, tmp_path / "out.mp4", frames=9)
    with clip.open("ab") as file:
        file.write(b"more")
    with pytest.raises(UsageError, match="the size of the input was"):
        run_job(clip, tmp_path / "out.mp4")
    clip.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        run_job(clip, tmp_path / "out.mp4")


def test_options_may_change_as_long_as_nothing_is_kept(clip: Path, tmp_path: Path) -> None:
    run_job(clip, tmp_path / "out.mp4", frames=2, is_killed=True)
    run_job(clip, tmp_path / "out.mp4", EncoderOptions(codec="hevc"), job={"model": "other"})
    assert Probe(tmp_path / "out.mp4").video["codec_name"] == "hevc"


def test_a_run_that_kept_nothing_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    run_job(clip, tmp_path / "out.mp4", frames=0)
    assert not list(tmp_path.iterdir())
    assert unfinished_job(tmp_path / "out.mp4") is None
    run_job(clip, tmp_path / "out.mp4", frames=1)
    assert unfinished_job(tmp_path / "out.mp4") == tmp_path / ".out.mp4.resume"


def test_two_runs_of_one_job_do_not_meet(clip: Path, tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "out.mp4", clip, {}),
        pytest.raises(SinkError, match="another process is at this job"),
    ):
        Journal(tmp_path / "out.mp4", clip, {})


def test_a_broken_journal_is_told(clip: Path, tmp_path: Path) -> None:
    run_job(clip, tmp_path / "out.mp4", frames=9)
    (tmp_path / ".out.mp4.resume" / "journal.sqlite").write_bytes(b"nonsense" * 8192)
    with pytest.raises(SinkError, match="the kept work is broken; delete it to start anew"):
        run_job(clip, tmp_path / "out.mp4")


def test_a_journal_of_another_layout_is_told(clip: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "out.mp4", clip, {}) as journal:
        journal._database.execute("PRAGMA user_version = 99")
        journal._database.close()
    with pytest.raises(SinkError, match="made by another version of streamlight"):
        run_job(clip, tmp_path / "out.mp4")


def test_a_target_that_exists_is_replaced_only_where_that_is_asked(
    clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("something")
    with pytest.raises(SinkError, match="exists already; -y overwrites it"):
        run_job(clip, target, frames=9)
    assert target.read_text() == "something"
    run_job(clip, target, frames=9, overwrite=True)
    assert target.read_text() == "something"
    run_job(clip, target, overwrite=True)
    assert numbers_of(target) == [index % 32 for index in range(FRAMES)]


def test_a_long_name_has_a_journal_of_its_own(clip: Path, tmp_path: Path) -> None:
    targets = [tmp_path / f"{'x' * 250}{number}.mp4" for number in (1, 2)]
    targets = [path.with_name(path.name[-255:]) for path in targets]
    folders = set()
    for target in targets:
        run_job(clip, target, frames=9)
        folders.add(unfinished_job(target))
    assert len(folders) == 2


def _fill_the_disk(sink: ResumableSink, journal: Journal) -> None:
    (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
    journal._database.execute(f"PRAGMA max_page_count = {pages + 2}")


def test_a_full_disk_keeps_the_closed_segments(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=60, size=(320, 240), picture=_noise)
    target, options = tmp_path / "out.mkv", EncoderOptions(codec="ffv1")
    with Journal(target, clip, {}) as journal, FileSource(clip) as source:
        sink = ResumableSink(journal, source, options, segment_s=0.2)
        with pytest.raises(SinkError) as error:
            for frame in source:
                if frame.index == 12:
                    _fill_the_disk(sink, journal)
                sink.write(frame)
        sink.abort()
        assert len(journal.segments) == 2
    assert str(error.value) == (
        f"{target}: the disk is full. What was done until 0:00:00.360 is kept: the same command "
        "with --resume goes on from there"
    )
    assert run_job(clip, target, options, job={})[0] == 10


@pytest.mark.parametrize("fail_at", [0, 30])
def test_a_join_that_fails_can_be_done_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    mux: Callable[..., None] = OutputFile.mux
    count = 0

    def full(self: OutputFile, packets: Any) -> None:
        nonlocal count
        count += 1
        if count > fail_at:
            raise SinkError("full")
        mux(self, packets)

    with monkeypatch.context() as patch:
        patch.setattr(OutputFile, "mux", full)
        with pytest.raises(SinkError, match=r"^full\. What was done until 0:00:01.8"):
            run_job(clip, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == [".out.mkv.resume"]
    assert run_job(clip, tmp_path / "out.mkv") == []
    assert numbers_of(tmp_path / "out.mkv") == [index % 32 for index in range(FRAMES)]


def test_the_way_back_for_the_enhancer_begins_at_a_segment(clip: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "out.mp4", clip, {}) as journal, FileSource(clip) as source:
        sink = ResumableSink(journal, source, segment_s=0.2)
        assert sink.kept_s is None
        for frame in source:
            sink.write(frame)
        done = journal.segments
        assert sink.kept_s == done[-1].end_s
        assert journal.warm_up_pts(0.0) == done[-1].last_pts
        assert journal.warm_up_pts(1000.0) is None
        begin = journal.warm_up_pts(0.5)
        before = [s for s in done if s.last_pts == begin]
        assert len(before) == 1
        assert 0.5 <= done[-1].end_s - before[0].end_s < 1.0


def _noise(index: int, width: int, height: int) -> Any:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
