"""Frames of a file: which, in which order, when shown, and what is known of them beforehand."""

import gc
import weakref
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.stream
import numpy as np
import pytest
from clips import Sound, Subtitle, bars, grey, grey_picture, make_clip, number_of, to_frame
from ffprobe import Probe, needs_ffmpeg

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Frame
from streamlight.sources import FileSource

FORMATS: list[tuple[str, dict[str, Any]]] = [
    ("x264.mp4", {}),
    ("x264.mov", {}),
    ("x264.mkv", {}),
    ("x265.mp4", {"codec": "libx265"}),
    ("vp9.webm", {"codec": "libvpx-vp9"}),
    ("ffv1.mkv", {"codec": "ffv1"}),
    ("mpeg2.ts", {"codec": "mpeg2video"}),
    ("mpeg2-b.ts", {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}}),
    ("mpeg4.avi", {"codec": "mpeg4"}),
    ("mjpeg.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    ("x264.flv", {}),
]
VARIABLE = (0, 3, 4, 9, 10, 20, 21, 30)
THIRTIETH = Fraction(1, 30)


def read(path: Path, **options: Any) -> list[Frame]:
    with FileSource(path, **options) as source:
        return list(source)


def numbers(frames: Sequence[Frame]) -> list[int]:
    return [number_of(frame.image) for frame in frames]


def times_s(frames: Sequence[Frame]) -> list[float]:
    return [frame.time_s for frame in frames]


@pytest.mark.parametrize(("name", "how"), FORMATS, ids=[name for name, _ in FORMATS])
def test_every_frame_comes_once_in_order_at_a_constant_rate(
    tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    frames = read(make_clip(tmp_path / name, **how))
    assert numbers(frames) == list(range(10))
    assert [frame.index for frame in frames] == list(range(10))
    steps = np.diff(times_s(frames))
    np.testing.assert_allclose(steps, 0.04, atol=1e-9)
    assert all(frame.duration * frame.time_base == Fraction(1, 25) for frame in frames)


def test_the_test_clip_has_pictures_that_are_coded_out_of_their_order(tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "clip.mp4"))) as clip:
        coded = [packet.pts for packet in clip.demux(video=0) if packet.pts is not None]
    assert coded != sorted(coded)


@pytest.mark.parametrize(("name", "unit_s"), [("clip.mp4", 0), ("clip.mov", 0), ("clip.mkv", 1e-3)])
def test_variable_times_are_kept(tmp_path: Path, name: str, unit_s: float) -> None:
    frames = read(make_clip(tmp_path / name, pts=VARIABLE, time_base=THIRTIETH))
    assert numbers(frames) == list(range(len(VARIABLE)))
    expected = [float(pts * THIRTIETH) for pts in VARIABLE]
    np.testing.assert_allclose(times_s(frames), expected, rtol=0, atol=unit_s / 2 + 1e-9)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize(
    ("end_s", "durations_s"), [(None, [0.04, 9.96, 0.04]), (5, [0.04, 4.96])], ids=str
)
def test_a_frame_is_shown_until_the_next_or_the_end(
    tmp_path: Path, name: str, end_s: float | None, durations_s: list[float]
) -> None:
    how: dict[str, Any] = {"pts": (0, 1, 250), "time_base": Fraction(1, 25)}
    frames = read(make_clip(tmp_path / name, **how), end_s=end_s)
    shown_s = [float(frame.duration * frame.time_base) for frame in frames]
    assert shown_s == pytest.approx(durations_s, abs=1e-3)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_first_frame_that_is_shown_later_than_0_stays_there(tmp_path: Path, name: str) -> None:
    clip = make_clip(
        tmp_path / name,
        pts=range(12, 20),
        time_base=THIRTIETH,
        muxer_options={"movie_timescale": "90000"} if name.endswith("mp4") else {},
    )
    assert times_s(read(clip))[0] == pytest.approx(0.4, abs=1e-9)


def test_frames_before_time_0_are_hidden_as_players_hide_them(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", pts=range(-3, 7), time_base=THIRTIETH)
    frames = read(clip)
    assert numbers(frames) == [3, 4, 5, 6, 7, 8, 9]
    assert times_s(frames)[0] == 0


def test_a_trimmed_clip_gives_the_frames_between_its_marks(tmp_path: Path) -> None:
    """Phones trim by an edit list and leave the other frames in the file."""
    every_tenth = {"g": "10", "keyint_min": "10", "sc_threshold": "0"}
    clip = make_clip(tmp_path / "clip.mp4", frames=32, options=every_tenth)
    trim(clip, first_frame=15, duration_ms=400)
    frames = read(clip)
    assert numbers(frames) == list(range(15, 25))
    assert times_s(frames) == pytest.approx([i / 25 for i in range(10)])


def trim(clip: Path, first_frame: int, duration_ms: int) -> None:
    """Rewrite the one entry of the edit list (ISO/IEC 14496-12, 8.6.6) of an MP4 of 25 fps."""
    data = bytearray(clip.read_bytes())
    entry = data.index(b"elst") + 12  # after type, version and flags, and the number of entries
    start = int.from_bytes(data[entry + 4 : entry + 8], "big")
    with av.open(str(clip)) as container:
        time_base = container.streams.video[0].time_base
    assert time_base is not None
    start += int(Fraction(first_frame, 25) / time_base)
    data[entry : entry + 8] = duration_ms.to_bytes(4, "big") + start.to_bytes(4, "big")
    clip.write_bytes(data)


@pytest.mark.parametrize("rate", [25, 30])
def test_a_raw_stream_without_times_runs_at_the_rate_it_states(tmp_path: Path, rate: int) -> None:
    frames = read(make_clip(tmp_path / "clip.h264", muxer="h264", rate=rate))
    assert numbers(frames) == list(range(10))
    assert times_s(frames) == pytest.approx([i / rate for i in range(10)])


def test_the_last_frame_of_an_avi_with_b_frames_has_no_time_and_gets_one(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="mpeg4", options={"bf": "2", "g": "12"})
    frames = read(clip)
    assert numbers(frames) == list(range(10))
    np.testing.assert_allclose(np.diff(times_s(frames)), 0.04, atol=1e-9)


def test_the_clock_of_a_transport_stream_is_moved_to_start_at_0(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.ts",
        codec="mpeg2video",
        pts=range(250, 260),
        time_base=Fraction(1, 25),
        sound=[Sound("mp2", start_s=10.5)],
    )
    with FileSource(clip) as source:
        frames = list(source)
        packets = list(source.side.take())
        assert source.shift_s > 9
    assert times_s(frames)[0] == pytest.approx(0, abs=1e-4)
    assert packets[0].pts is not None
    assert packets[0].time_base is not None
    sound_s = float(packets[0].pts * packets[0].time_base)
    assert sound_s == pytest.approx(0.5 - 481 / 44100, abs=1e-3)  # less the delay of MP2


def test_the_clock_of_a_single_picture_in_a_transport_stream_starts_at_0(tmp_path: Path) -> None:
    how: dict[str, Any] = {"codec": "mpeg2video", "picture": bars, "size": (320, 240)}
    clip = make_clip(tmp_path / "one.ts", pts=[35], **how)
    with av.open(str(clip)) as container:
        assert container.format.name == "mpegts"
        assert container.start_time is None
    assert times_s(read(clip)) == [0]


def test_times_that_stand_still_are_told_apart(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="mpeg4", pts=[0, 1, 2, 3])
    frames = read(clip, filters="setpts=floor(N/2)")
    assert numbers(frames) == [0, 1, 2, 3]
    assert all(one.pts < other.pts for one, other in pairwise(frames))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "how"),
    [
        *(f for f in FORMATS if "avi" not in f[0]),
        ("vfr.mp4", {"pts": VARIABLE, "time_base": THIRTIETH}),
        ("late.mp4", {"pts": range(12, 20), "time_base": THIRTIETH}),
        ("hidden.mp4", {"pts": range(-3, 7), "time_base": THIRTIETH}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ffprobe_finds_the_same_frames_at_the_same_times(
    tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    clip = make_clip(tmp_path / name, **how)
    with FileSource(clip) as source:
        times = [frame.time_s + float(source.shift_s) for frame in source]
    np.testing.assert_allclose(times, Probe(clip).frame_times_s, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (161, 121), (2, 120)])
def test_odd_sizes_come_as_they_are(tmp_path: Path, width: int, height: int) -> None:
    clip = make_clip(tmp_path / "clip.mkv", codec="libvpx-vp9", size=(width, height), frames=4)
    with FileSource(clip) as source:
        assert (source.info.width, source.info.height) == (width, height)
        frames = list(source)
    assert {frame.image.shape for frame in frames} == {(height, width, 3)}
    assert numbers(frames) == [0, 1, 2, 3]


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_rotation_is_reported_and_the_picture_is_not_turned(tmp_path: Path, degrees: int) -> None:
    clip = make_clip(tmp_path / "clip.mp4", rotation=degrees)
    with FileSource(clip) as source:
        assert source.info.rotation == degrees
        assert (source.info.width, source.info.height) == (64, 48)
        assert next(iter(source)).image.shape == (48, 64, 3)


def test_what_is_known_before_the_first_frame(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        rate=Fraction(30000, 1001),
        color=ColorSpec(Matrix.BT709, Range.FULL, primaries=9, transfer=14),
        sample_aspect_ratio=Fraction(4, 3),
        metadata={"title": "a night"},
        video_metadata={"language": "fra"},
    )
    with FileSource(clip) as source:
        info = source.info
        assert info.rate == Fraction(30000, 1001)
        assert info.frame_count == 10
        assert info.color == ColorSpec(Matrix.BT709, Range.FULL, primaries=9, transfer=14)
        assert not info.is_live
        assert source.sample_aspect_ratio == Fraction(4, 3)
        assert source.metadata[0]["title"] == "a night"
        assert source.metadata[1]["language"] == "fra"
        assert source.notes == []


@pytest.mark.parametrize("rate", [Fraction(1, 3), Fraction(24000, 1001), Fraction(240)])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_any_rate_is_known_beforehand(tmp_path: Path, name: str, rate: Fraction) -> None:
    with FileSource(make_clip(tmp_path / name, rate=rate)) as source:
        assert source.info.rate == pytest.approx(rate, rel=1e-3)


def test_images_belong_to_the_caller_and_stay_valid(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    frames = read(clip)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
    assert numbers(frames) == list(range(10))  # after the source was closed


@pytest.mark.parametrize("chosen", [0, 1])
def test_the_video_stream_marked_as_default_is_read(tmp_path: Path, chosen: int) -> None:
    clip = tmp_path / "two.mkv"
    with av.open(str(clip), "w") as container:
        videos = [container.add_stream("ffv1", 25) for _ in range(2)]
        for index, video in enumerate(videos):
            video.width, video.height = 64, 48
            is_chosen = index == chosen
            video.disposition = av.stream.Disposition.default if is_chosen else 0  # type: ignore[assignment]
        for index, video in enumerate(videos):
            frame = to_frame(grey_picture(index + 1, 64, 48), "yuv420p", ColorSpec())
            frame.pts = 0
            container.mux([*video.encode(frame), *video.encode(None)])
    with FileSource(clip) as source:
        assert numbers(list(source)) == [chosen + 1]
        assert [stream.index for stream in source.side.streams] == [1 - chosen]


def test_sound_and_subtitles_are_handed_on_whole_and_in_order(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv", sound=[Sound("libmp3lame")], subtitles=[Subtitle()], sound_first=True
    )
    with av.open(str(clip)) as container:
        expected = [
            (packet.stream_index, packet.pts, bytes(packet))
            for packet in container.demux(container.streams[0], container.streams[2])
            if packet.size
        ]
    with FileSource(clip) as source:
        assert [stream.type for stream in source.side.streams] == ["audio", "subtitle"]
        assert source.side.position == 1
        assert len(list(source)) == 10
        handed_on = [(p.stream_index, p.pts, bytes(p)) for p in source.side.take()]
        assert list(source.side.take()) == []
    assert len(handed_on) > 30
    assert handed_on == expected


def test_grey_levels_survive_so_that_the_order_can_be_read_back() -> None:
    assert [number_of(grey_picture(i, 4, 4)) for i in range(32)] == list(range(32))
    assert grey(7) == 24


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_source_that_is_let_go_leaves_nothing_to_the_garbage_collector(
    tmp_path: Path, count: int
) -> None:
    """Its decoder's threads would stay until then."""
    clip = make_clip(tmp_path / "clip.mp4", frames=3)
    gc.disable()
    try:
        source = FileSource(clip)
        reader = weakref.ref(source._reading._reader)
        for _ in zip(range(count), source, strict=False):
            pass
        source.close()
        kept = weakref.ref(source)
        del source
        assert (kept(), reader()) == (None, None)
    finally:
        gc.enable()
