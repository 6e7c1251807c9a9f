"""--start, --end and --duration: the frames, the sound and the rest of a part, from 0 on."""

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clips import Sound, Subtitle, make_clip, number_of
from ffprobe import needs_ffmpeg

from streamlight.errors import SourceError, UsageError
from streamlight.sources import FileSource
from streamlight.sources.window import Window, cut_chapters

GOP = {"g": "12", "keyint_min": "12", "sc_threshold": "0"}

CLIPS: list[tuple[str, dict[str, Any]]] = [
    ("x264.mp4", {"options": GOP}),
    ("x264.mkv", {"options": GOP}),
    ("x264.mov", {"options": GOP}),
    ("x264.ts", {"options": GOP}),
    ("x264.flv", {"options": GOP}),
    ("open.mp4", {"options": {**GOP, "x264-params": "open-gop=1:bframes=3"}}),
    ("open.ts", {"options": {**GOP, "x264-params": "open-gop=1:bframes=3"}}),
    ("mpeg2.ts", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}}),
    ("mpeg4.avi", {"codec": "mpeg4", "options": {"g": "12"}}),
    ("late.mp4", {"options": GOP, "pts": range(12, 102), "time_base": Fraction(1, 25)}),
]
IDS = [name for name, _ in CLIPS]
PARTS = [(None, 1.0), (1.5, 2.2), (2.71, None), (0.5, 0.9)]


def clip_with_sound(path: Path, how: dict[str, Any]) -> Path:
    codec = "mp2" if path.suffix in (".ts", ".avi") else "aac"
    return make_clip(path, frames=90, sound=[Sound(codec, duration_s=3.6)], **how)


class Read:
    """All that a source yields."""

    def __init__(self, path: Path, **options: Any) -> None:
        with FileSource(path, **options) as source:
            self.info, self.notes = source.info, source.notes
            self.frames = [(frame.time_s, number_of(frame.image)) for frame in source]
            self.sound = [
                (float(packet.pts * packet.time_base), bytes(packet))
                for packet in source.side.take()
                if packet.pts is not None
            ]
            self.shift_s = float(source.shift_s)


@pytest.mark.parametrize(("name", "how"), CLIPS, ids=IDS)
@pytest.mark.parametrize(("start_s", "end_s"), PARTS, ids=str)
def test_a_part_has_the_frames_and_the_sound_of_its_time(
    tmp_path: Path, name: str, how: dict[str, Any], start_s: float | None, end_s: float | None
) -> None:
    clip = clip_with_sound(tmp_path / name, how)
    whole = Read(clip)
    part = Read(clip, start_s=start_s, end_s=end_s)
    cut_s = part.shift_s - whole.shift_s
    assert cut_s == pytest.approx(start_s or 0, abs=0.04 if name.endswith("avi") else 1e-3)
    first, last = (start_s or -1) - 5e-4, (end_s or 99) - 5e-4
    wanted = [(time_s, number) for time_s, number in whole.frames if first <= time_s < last]
    assert [number for _, number in part.frames] == [number for _, number in wanted]
    assert [t for t, _ in part.frames] == pytest.approx([t - cut_s for t, _ in wanted], abs=1e-5)
    assert part.info.frame_count == pytest.approx(len(wanted), abs=12 if "late" in name else 2)
    # the sound is moved by the same time
    starts_s = {data: time_s for time_s, data in whole.sound}
    assert all(abs(starts_s[data] - cut_s - time_s) < 1e-3 for time_s, data in part.sound)
    packet_s = whole.sound[4][0] - whole.sound[3][0]
    if start_s is not None:
        assert -packet_s - 1e-3 < part.sound[0][0] <= 1e-3 or name == "late.mp4"
    if end_s is not None:
        over_s = 0.04 if name.endswith("avi") else 0  # AVI counts in frames
        assert end_s - cut_s - packet_s - 1e-3 <= part.sound[-1][0] < end_s - cut_s + over_s


def test_a_start_in_a_file_with_an_index_does_not_read_what_lies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=400, options=GOP)
    with FileSource(clip, start_s=14) as source:
        assert [number_of(frame.image) for frame in source] == [i % 32 for i in range(350, 400)]
        assert source._reading.damage.packets_read < 200


def test_a_duration_counts_from_the_start(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=60)
    one = Read(clip, start_s=0.8, duration_s=0.4)
    assert one.frames == Read(clip, start_s=0.8, end_s=1.2).frames
    assert [number for _, number in one.frames] == list(range(20, 30))


@needs_ffmpeg
def test_sound_that_comes_late_in_the_file_is_read_to_the_end_of_the_part(tmp_path: Path) -> None:
    """A transport stream collects sound of little data for 3 seconds before it writes it."""
    clip = tmp_path / "clip.ts"
    command = [
        "/usr/bin/env",
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=64x48:d=12",
    ]
    command += ["-f", "lavfi", "-i", "sine=440:r=16000:d=12", "-c:v", "mpeg2video"]
    command += ["-c:a", "mp2", "-b:a", "8k", "-muxdelay", "6"]
    subprocess.run([*command, clip], check=True)
    part = Read(clip, start_s=1.0, end_s=5.0)
    assert len(part.frames) == 100
    assert 3.9 < part.sound[-1][0] < 4


@pytest.mark.parametrize("filters", [None, "null"])
@pytest.mark.parametrize("denoise", ["off", "strong"])
def test_filters_over_time_see_what_lies_around_the_part(
    tmp_path: Path, filters: str | None, denoise: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=60, options=GOP)
    options = {"filters": filters, "denoise": denoise}
    whole, part = Read(clip, **options), Read(clip, start_s=1.2, end_s=1.6, **options)
    assert [number for _, number in part.frames] == [number for _, number in whole.frames[30:40]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end_s": 1.0, "duration_s": 1.0}, "--end and --duration: give one of them"),
        ({"start_s": -1.0}, "--start -1: must be 0 or more"),
        ({"duration_s": 0.0}, "--duration 0: must be more than 0"),
        ({"start_s": 2.0, "end_s": 2.0}, "--end 2: must be after the start, 2"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, options: dict[str, float], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        FileSource(tmp_path / "missing.mp4", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts", "clip.mkv"])
def test_a_start_behind_the_end_is_refused_with_the_duration(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / name, frames=25)
    with pytest.raises(SourceError, match=r"--start 7 is behind the end .* it lasts [01]\.\d+ s"):
        FileSource(clip, start_s=7)


def test_a_part_without_a_frame_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", pts=[0, 50], time_base=Fraction(1, 25))
    with pytest.raises(SourceError, match="there is no picture in the part that is asked for"):
        FileSource(clip, start_s=0.5, end_s=1.0)


@pytest.mark.parametrize(
    ("span", "part", "kept"),
    [
        ((1.0, 2.0), (0.5, 3.0), (0.5, 1.5)),
        ((0.2, 2.0), (1.0, 3.0), (0.0, 1.0)),
        ((1.0, 3.4), (0.5, 2.0), (0.5, 1.5)),
        ((0.2, 0.9), (1.0, 3.0), None),
        ((2.5, 3.0), (1.0, 2.0), None),
    ],
    ids=["inside", "begins before", "ends after", "before", "after"],
)
def test_subtitles_are_cut_to_the_part(
    tmp_path: Path,
    span: tuple[float, float],
    part: tuple[float, float],
    kept: tuple[float, float] | None,
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=90, subtitles=[Subtitle("a line", *span)])
    with FileSource(clip, start_s=part[0], end_s=part[1]) as source:
        assert list(source)
        spans = [
            (float(p.pts * p.time_base), float((p.pts + (p.duration or 0)) * p.time_base))
            for p in source.side.take()
            if p.pts is not None
        ]
    assert spans == ([pytest.approx(kept, abs=1e-3)] if kept else [])


def test_a_subtitle_that_began_long_before_the_start_is_found(tmp_path: Path) -> None:
    subtitle = Subtitle("a line", 1.0, 30.0)
    clip = make_clip(tmp_path / "clip.mkv", frames=600, options=GOP, subtitles=[subtitle])
    with FileSource(clip, start_s=20) as source:
        assert len(list(source)) == 100
        (packet,) = source.side.take()
    assert packet.pts == 0
    assert packet.duration is not None
    assert float(packet.duration * packet.time_base) == pytest.approx(10, abs=1e-3)


def test_chapters_are_moved_cut_and_left_out() -> None:
    def chapter(start: int, end: int) -> Any:
        return {"id": start, "start": start, "end": end, "time_base": Fraction(1), "metadata": {}}

    chapters = [chapter(0, 10), chapter(10, 20), chapter(20, 30), chapter(30, 40)]
    kept = cut_chapters(chapters, Fraction(15), Fraction(10))
    assert [(c["start"], c["end"]) for c in kept] == [(0, 5), (5, 10)]
    assert cut_chapters(chapters, Fraction(0), None) == chapters


@pytest.mark.parametrize(
    ("window", "unit", "ticks"),
    [
        (Window.of(1.1, 2.2, None), Fraction(1, 1000), (1100, 2200)),
        (Window.of(1.01, 1.05, None), Fraction(1, 25), (26, 27)),
        (Window.of(0.04, 0.08, None), Fraction(1, 25), (1, 2)),
        (Window.of(None, None, 0.5), Fraction(1, 90_000), (0, 45_000)),
        (Window.of(1 / 3, None, None), Fraction(1, 30), (10, None)),
    ],
)
def test_marks_fall_on_the_frame_that_they_name(
    window: Window, unit: Fraction, ticks: tuple[int, int | None]
) -> None:
    start, end = window.in_ticks(unit)
    tolerance = Fraction(1, 2000) / unit
    assert ticks[0] - tolerance <= start <= ticks[0]
    assert end == ticks[1] if ticks[1] is None or end is None else ticks[1] - tolerance <= end
