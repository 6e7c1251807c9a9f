"""Files that were written, as ffprobe sees them: times, sound, subtitles, names, shape."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import Sound, Subtitle, make_clip, number_of
from ffprobe import Probe, needs_ffmpeg
from fidelity import (
    assert_same_description,
    assert_same_pictures,
    assert_same_side_streams,
    assert_same_times,
    copy_clip,
)

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SinkError
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

pytestmark = needs_ffmpeg

CONTAINERS = ["out.mp4", "out.m4v", "out.mov", "out.mkv"]
THIRTIETH = Fraction(1, 30)
VARIABLE = (0, 3, 4, 9, 10, 20, 21, 30)

TIMED: list[tuple[str, dict[str, Any], str]] = [
    ("cfr.mp4", {}, "out.mp4"),
    ("vfr.mp4", {"pts": VARIABLE, "time_base": THIRTIETH}, "out.mp4"),
    ("vfr.mp4", {"pts": VARIABLE, "time_base": THIRTIETH}, "out.mkv"),
    ("vfr.mkv", {"pts": VARIABLE, "time_base": THIRTIETH}, "out.mov"),
    ("ntsc.mp4", {"rate": Fraction(30000, 1001)}, "out.mp4"),
    ("late.mkv", {"pts": range(12, 20), "time_base": THIRTIETH}, "out.mp4"),
    ("hidden.mp4", {"pts": range(-3, 7), "time_base": THIRTIETH}, "out.mkv"),
    ("slow.mkv", {"rate": Fraction(1, 3), "frames": 3}, "out.mkv"),
    ("single.mp4", {"frames": 1}, "out.mp4"),
    ("b-frames.ts", {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}}, "out.mp4"),
    ("film.avi", {"codec": "mpeg4"}, "out.mkv"),
]


@pytest.mark.parametrize(
    ("name", "how", "container"), TIMED, ids=[f"{name}-{out}" for name, _, out in TIMED]
)
def test_every_frame_is_written_at_its_time(
    tmp_path: Path, name: str, how: dict[str, Any], container: str
) -> None:
    clip, target = make_clip(tmp_path / name, **how), tmp_path / container
    copy_clip(clip, target)
    before, after = Probe(clip), Probe(target)
    assert_same_times(before, after)
    assert numbers_of(target) == numbers_of(clip)


@pytest.mark.parametrize(("container", "frames"), [("out.mp4", 1), ("out.mkv", 2)])
def test_a_hevc_video_of_few_frames_starts_when_it_should(
    tmp_path: Path, container: str, frames: int
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=frames)
    hevc = EncoderOptions(codec="hevc", encoder="libx265", preset="medium")
    for attempt in range(6):  # what is not initialised is right now and then
        target = tmp_path / f"{attempt}-{container}"
        copy_clip(clip, target, hevc)
        assert_same_times(Probe(clip), Probe(target))
        with av.open(str(target)) as file:
            times = [(p.pts, p.dts) for p in file.demux(video=0) if p.size]
        assert all(dts in (pts, None) for pts, dts in times), times  # Matroska has no dts


@pytest.mark.parametrize("container", ["out.mp4", "out.mkv"])
def test_the_last_frame_is_shown_as_long_as_in_the_source(tmp_path: Path, container: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", rate=Fraction(1, 3), frames=3)
    copy_clip(clip, tmp_path / container)
    after = Probe(tmp_path / container)
    assert float(after.format["duration"]) == pytest.approx(9, abs=0.01)
    assert Fraction(after.video["avg_frame_rate"]) == Fraction(1, 3)


@pytest.mark.parametrize("source", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize("container", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("bframes", [0, 2])
def test_a_file_of_varying_rate_lasts_as_long_as_its_source(
    tmp_path: Path, source: str, container: str, bframes: int
) -> None:
    """Its last frame is a short one, and before it comes a pause that the mean rate knows of."""
    silent, clip = make_clip(tmp_path / "25fps.mp4", frames=30), tmp_path / source
    chain = "select='not(mod(n,7))+lt(n,10)',setpts='PTS+gt(N,11)*15/TB'"
    command = ["ffmpeg", "-v", "error", "-i", str(silent), "-vf", chain, "-fps_mode", "vfr"]
    command += ["-bf", str(bframes), "-video_track_timescale", "25000", str(clip)]
    subprocess.run(command, check=True)
    copy_clip(clip, tmp_path / container)
    for path in (clip, tmp_path / container):
        assert float(Probe(path).format["duration"]) == pytest.approx(16.16, abs=0.02)


@pytest.mark.parametrize(
    "name", ["Movie: part 1.mp4", "file:x.mp4", "concat:a|b.mp4", "http:x.mp4"]
)
def test_a_colon_in_a_relative_name_makes_no_protocol_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    clip.rename(name)
    copy_clip(Path(name), Path(f"12:30 {name}"))
    assert numbers_of(tmp_path / f"12:30 {name}") == list(range(10))


def numbers_of(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [number_of(p.to_ndarray(format="rgb24")) for p in container.decode(video=0)]


@pytest.mark.parametrize("container", CONTAINERS)
def test_sound_names_tags_and_pictures_are_kept_in_every_container(
    tmp_path: Path, container: str
) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv",
        codec="libx264",
        options={"crf": "1"},
        color=ColorSpec(Matrix.BT709, Range.FULL, primaries=1, transfer=1),
        sample_aspect_ratio=Fraction(4, 3),
        sound=[
            Sound("aac", metadata={"language": "fra"}),
            Sound("libmp3lame", start_s=0.2, metadata={"language": "eng"}),
        ],
        metadata={"title": "a night", "comment": "dark"},
        video_metadata={"language": "ita"},
    )
    target = tmp_path / container
    copy_clip(clip, target)
    before, after = Probe(clip), Probe(target)
    assert [s["codec_type"] for s in after.streams] == ["video", "audio", "audio"]
    assert after.video["tags"]["language"] == "ita"
    assert after.tags["title"] == "a night"
    assert_same_times(before, after)
    assert_same_side_streams(before, after)
    assert_same_description(before, after)
    assert_same_pictures(before, after)


def test_subtitles_and_dispositions_are_kept_in_matroska(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv",
        sound=[Sound("libmp3lame", metadata={"language": "deu", "title": "mono"})],
        subtitles=[
            Subtitle("one", metadata={"language": "fra", "title": "for all"}),
            Subtitle("two", start_s=0.1, end_s=5.0),
        ],
        sound_first=True,
    )
    mark_as_default(clip, 2)
    copy_clip(clip, tmp_path / "out.mkv")
    before, after = Probe(clip), Probe(tmp_path / "out.mkv")
    assert [s["codec_type"] for s in after.streams] == [s["codec_type"] for s in before.streams]
    assert [s["disposition"]["default"] for s in after.streams] == [0, 0, 1, 0]
    assert_same_side_streams(before, after)


def mark_as_default(clip: Path, stream: int) -> None:
    marked = clip.with_suffix(".marked.mkv")
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-map", "0", "-c", "copy"]
    command += ["-disposition", "0", f"-disposition:{stream}", "default", str(marked)]
    subprocess.run(command, check=True)
    marked.replace(clip)


@pytest.mark.parametrize("container", ["out.mp4", "out.mov"])
def test_sound_of_mp4_starts_within_a_tenth_of_a_millisecond(
    tmp_path: Path, container: str
) -> None:
    clip = make_clip(
        tmp_path / "clip.mov",
        rate=Fraction(30000, 1001),
        sound=[Sound(start_s=1940 / 44100 + 1024 / 44100)],  # 0.043991 s and AAC's own delay
        muxer_options={"movie_timescale": "90000"},
    )
    copy_clip(clip, tmp_path / container)
    starts_s = [
        float(Probe(f).of_type("audio")[0]["start_time"]) for f in (clip, tmp_path / container)
    ]
    assert starts_s[0] == pytest.approx(0.043991, abs=1e-5)
    assert starts_s[1] == pytest.approx(starts_s[0], abs=1e-4)


def test_chapters_are_kept_or_named(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "plain.mkv")
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=120\ntitle=dusk\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=120\nEND=400\ntitle=night\n"
    )
    command = ["ffmpeg", "-v", "error", "-i", "plain.mkv", "-i", "chapters.txt", "-c", "copy"]
    subprocess.run([*command, "clip.mkv"], check=True, cwd=tmp_path)
    for container in ("out.mkv", "out.mp4"):
        copy_clip(tmp_path / "clip.mkv", tmp_path / container)
        chapters = Probe(tmp_path / container).chapters
        assert [c["tags"]["title"] for c in chapters] == ["dusk", "night"]
        assert [float(c["start_time"]) for c in chapters] == [0, 0.12]
    assert clip.exists()
    for container in ("out.avi", "out.ts"):
        target = tmp_path / container
        with FileSource(tmp_path / "clip.mkv") as source, FileSink(target, source) as sink:
            kind = target.suffix
            assert f"chapters are left out: a {kind} file holds none" in sink.notes


@pytest.mark.parametrize("degrees", [90, 180, -90])
@pytest.mark.parametrize("container", ["out.mp4", "out.mkv"])
def test_rotation_is_kept(tmp_path: Path, degrees: int, container: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", rotation=degrees)
    copy_clip(clip, tmp_path / container)
    after = Probe(tmp_path / container)
    assert abs(after.rotation) == abs(degrees)
    assert after.rotation == Probe(clip).rotation


@pytest.mark.parametrize(
    ("width", "height", "pixel_format", "container"),
    [
        (1, 1, "yuv444p", "out.mp4"),
        (1, 1, "yuv444p", "out.mkv"),
        (3, 5, "yuv444p", "out.mp4"),
        (161, 121, "yuv444p", "out.mkv"),
        (160, 121, "yuv422p", "out.mp4"),
        (161, 120, "yuv444p", "out.mp4"),
    ],
)
def test_odd_sizes_are_kept_by_a_finer_chroma(
    tmp_path: Path, width: int, height: int, pixel_format: str, container: str
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", codec="libvpx-vp9", size=(width, height), frames=4)
    copy_clip(clip, tmp_path / container)
    after = Probe(tmp_path / container)
    assert (after.video["width"], after.video["height"]) == (width, height)
    assert after.video["pix_fmt"] == pixel_format
    assert_same_pictures(Probe(clip), after)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "kept"),
    [
        ("libx264", "yuv420p", "yuv420p"),
        ("libx264", "yuv422p", "yuv422p"),
        ("libx264", "yuv444p", "yuv444p"),
        ("ffv1", "gray", "yuv420p"),
        ("ffv1", "bgr0", "yuv444p"),
    ],
)
def test_the_sampling_of_chroma_is_kept(
    tmp_path: Path, codec: str, pixel_format: str, kept: str
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", codec=codec, pixel_format=pixel_format)
    copy_clip(clip, tmp_path / "out.mp4")
    assert Probe(tmp_path / "out.mp4").video["pix_fmt"] == kept


def test_a_stream_that_no_container_can_hold_comes_with_the_command_that_drops_it(
    tmp_path: Path,
) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="mpeg4", sound=[Sound("adpcm_yamaha")])
    with pytest.raises(SinkError, match=r"ffmpeg -i \S+clip.avi -map 0 -map -0:1 -c copy"):
        copy_clip(clip, tmp_path / "out.mkv", EncoderOptions(codec="hevc"))  # which AVI cannot hold


def test_pcm_without_a_channel_layout_goes_into_mp4(tmp_path: Path) -> None:
    """AVI states the number of channels only, which MP4 would refuse when it is complete."""
    clip = make_clip(
        tmp_path / "clip.avi", codec="mpeg4", sound=[Sound("pcm_s16le", layout="stereo")]
    )
    with av.open(str(clip)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    copy_clip(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].layout.name == "stereo"


def test_sound_whose_clock_steps_back_is_moved_and_not_refused(tmp_path: Path) -> None:
    """Two short recordings, joined byte by byte."""
    clip = make_clip(tmp_path / "clip.ts", codec="mpeg2video", sound=[Sound("mp2", duration_s=0.4)])
    clip.write_bytes(clip.read_bytes() * 2)
    before = [packet.digest for packet in Probe(clip).packets(1)]
    for container in ("out.mp4", "out.mkv"):
        copy_clip(clip, tmp_path / container)
        after = Probe(tmp_path / container)
        assert len(after.frame_times_s) == 20
        copies = after.packets(1)
        assert [p.digest for p in copies] == before
        times = [p.pts_s for p in copies if p.pts_s is not None]
        assert times == sorted(times)


def test_packets_of_the_sound_lie_beside_the_pictures_they_belong_to(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=75, sound=[Sound(duration_s=3)])
    copy_clip(clip, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        kinds_at = [
            (packet.stream.type, float(packet.pts * packet.time_base))
            for packet in container.demux()
            if packet.pts is not None and packet.time_base
        ]
    assert {kind for kind, _ in kinds_at} == {"video", "audio"}
    assert furthest_apart_s(kinds_at) < 0.5


def furthest_apart_s(kinds_at: Sequence[tuple[str, float]]) -> float:
    """How far, in the order of the file, the two streams run apart."""
    latest = {"video": 0.0, "audio": 0.0}
    apart = 0.0
    for kind, time_s in kinds_at:
        latest[kind] = max(latest[kind], time_s)
        apart = max(apart, abs(latest["video"] - latest["audio"]))
    return apart


def test_a_picture_of_another_size_can_be_written(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    with (
        FileSource(clip) as source,
        FileSink(tmp_path / "out.mp4", source, size=(32, 24)) as sink,
    ):
        for frame in source:
            sink.write(type(frame)(frame.image[::2, ::2].copy(), frame.pts, frame.time_base, 0))
        sink.finish()
    video = Probe(tmp_path / "out.mp4").video
    assert (video["width"], video["height"]) == (32, 24)
