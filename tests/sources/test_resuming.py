"""Going on where an earlier run stopped: exactly the rest of what one run yields."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clips import Picture, dim, make_clip
from test_trimming import GOP

from streamlight.errors import SourceError
from streamlight.frame import Frame
from streamlight.sources import FileSource

VARIABLE = [i + i // 3 + 7 * (i // 11) for i in range(80)]

CLIPS: list[tuple[str, dict[str, Any]]] = [
    ("x264.mp4", {"options": GOP}),
    ("x264.mkv", {"options": GOP}),
    ("x264.ts", {"options": GOP}),
    ("x264.h264", {"options": GOP, "muxer": "h264"}),
    ("vfr.mp4", {"options": GOP, "pts": VARIABLE, "time_base": Fraction(1, 30)}),
    ("vfr.mkv", {"options": GOP, "pts": VARIABLE, "time_base": Fraction(1, 30)}),
    ("open.mp4", {"options": {**GOP, "x264-params": "open-gop=1:bframes=3"}}),
    ("open.ts", {"options": {**GOP, "x264-params": "open-gop=1:bframes=3"}}),
    ("refresh.mp4", {"options": {**GOP, "x264-params": "intra-refresh=1"}}),
    ("hidden.mp4", {"options": GOP, "pts": range(-9, 71), "time_base": Fraction(1, 25)}),
    ("open.mkv", {"codec": "libx265", "options": {"x265-params": "keyint=12:log-level=none"}}),
    ("mpeg2.ts", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}}),
    ("mpeg4.avi", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
    ("vp9.webm", {"codec": "libvpx-vp9", "options": {"g": "12", "deadline": "realtime"}}),
    ("field.mp4", {"options": {**GOP, "x264-params": "tff=1"}}),
]


def moving(index: int, width: int, height: int) -> Picture:
    return dim(3 * index, width, height)


def facts(frame: Frame) -> tuple[int, int, int, bytes]:
    return frame.pts, frame.duration, frame.index, frame.image.tobytes()


def rest(path: Path, after: Frame, **options: Any) -> Iterator[tuple[int, int, int, bytes]]:
    with FileSource(
        path, resume_after_pts=after.pts, resume_index=after.index + 1, **options
    ) as source:
        yield from map(facts, source)


@pytest.mark.parametrize(("name", "how"), CLIPS, ids=[name for name, _ in CLIPS])
@pytest.mark.parametrize(
    "options",
    [{}, {"denoise": "strong"}, {"start_s": 0.5, "end_s": 2.9}, {"filters": "fps=20"}],
    ids=["plain", "denoise", "part", "fps"],
)
def test_what_is_yielded_is_the_rest_of_an_uninterrupted_run(
    tmp_path: Path, name: str, how: dict[str, Any], options: dict[str, Any]
) -> None:
    clip = make_clip(tmp_path / name, **{"frames": 80, "picture": moving, **how})
    with FileSource(clip, **options) as source:
        frames = list(source)
    for number in (0, len(frames) // 3, len(frames) * 3 // 5, len(frames) - 2):
        expected = [facts(frame) for frame in frames[number + 1 :]]
        assert list(rest(clip, frames[number], **options)) == expected, number


def test_there_may_be_nothing_left(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=40)
    with FileSource(clip) as source:
        frames = list(source)
        info = source.info
    with FileSource(clip, resume_after_pts=frames[-1].pts, resume_index=40) as source:
        assert source.info == info
        assert list(source) == []


def test_what_lies_before_is_not_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=400, options=GOP)
    with FileSource(clip) as source:
        frames = list(source)
    with FileSource(clip, resume_after_pts=frames[350].pts) as source:
        assert len(list(source)) == 49
        assert source._reading.has_skipped
        assert source._reading.damage.packets_read < 200


def test_a_time_that_no_frame_has_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=40)
    with pytest.raises(SourceError, match="has no frame to resume after"):
        FileSource(clip, resume_after_pts=1)


def test_a_filter_that_counts_frames_is_run_from_the_beginning(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=80, options={**GOP, "g": "9"})
    with FileSource(clip, filters="framestep=2") as source:
        frames = list(source)
    expected = [facts(frame) for frame in frames[36:]]
    assert list(rest(clip, frames[35], filters="framestep=2")) == expected


def test_the_size_is_that_of_the_first_frame_of_the_file(tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{width}.ts", codec="mpeg2video", frames=60, size=(width, 48))
        for width in (64, 96)
    ]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with FileSource(clip) as source:
        frames = list(source)
    assert list(rest(clip, frames[100])) == [facts(frame) for frame in frames[101:]]
