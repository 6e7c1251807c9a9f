"""What travels beside the picture: chosen, moved and cut with it, and never dropped silently."""

import subprocess
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Picture, Sound, make_clip
from ffprobe import needs_ffmpeg

from streamlight.sources import FileSource
from streamlight.sources.side_streams import Attachment

FONT = b"not really a font" * 10


def ffmpeg(*arguments: object) -> None:
    subprocess.run(
        ["/usr/bin/env", "ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True
    )


def picture_file(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", 1, path)
    return path


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Matroska with two videos, sound, subtitles, a cover and a font; 4 seconds."""
    font = tmp_path / "plain.ttf"
    font.write_bytes(FONT)
    (tmp_path / "lines.srt").write_text("1\n00:00:00,500 --> 00:00:03,500\na line\n")
    clip = tmp_path / "rich.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4"),
        *("-f", "lavfi", "-i", "sine=440:d=4"),
        *("-f", "lavfi", "-i", "testsrc=s=32x32:r=25:d=4"),
        *("-i", tmp_path / "lines.srt"),
        *("-map", 1, "-map", 0, "-map", 3, "-map", 2),
        *("-c:v", "libx264", "-g", 10, "-c:a", "aac", "-c:s", "srt"),
        *("-disposition:v:0", "default", "-disposition:v:1", "0"),
        *("-attach", font, "-metadata:s:t", "mimetype=font/ttf"),
        *("-attach", picture_file(tmp_path / "cover.png")),
        *("-metadata:s:t:1", "mimetype=image/png", "-metadata:s:t:1", "filename=cover.png"),
        clip,
    )
    return clip


@needs_ffmpeg
def test_every_stream_is_handed_on_in_the_order_of_the_input(rich: Path) -> None:
    with FileSource(rich) as source:
        side = source.side
        kinds = [(stream.index, stream.type) for stream in side.streams]
        assert kinds == [(0, "audio"), (2, "subtitle"), (3, "video"), (5, "video")]
        assert side.position == 1
        assert side.dropped == []
        assert [(a.name, a.mimetype, a.data) for a in side.attachments] == [
            ("plain.ttf", "font/ttf", FONT)
        ]
        assert isinstance(side.attachments[0], Attachment)
        assert source.notes == []
        assert len(list(source)) == 100
        counts = Counter(packet.stream_index for packet in side.take())
    assert counts[2] == counts[5] == 1
    assert counts[3] == 100
    assert counts[0] > 160


@needs_ffmpeg
def test_a_part_takes_the_cover_once_and_a_further_video_from_a_key_frame(rich: Path) -> None:
    with FileSource(rich, start_s=1.3, end_s=2.5) as source:
        assert len(list(source)) == 30
        packets = list(source.side.take())
    assert Counter(packet.stream_index for packet in packets)[5] == 1
    further = [packet for packet in packets if packet.stream_index == 3]
    assert further[0].is_keyframe
    times = sorted(float(p.pts * p.time_base) for p in further if p.pts is not None)
    assert times[0] == pytest.approx(0.3, abs=0.03), "the key frame at 1.6"
    assert times[-1] == pytest.approx(1.16, abs=0.03)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_cover_is_handed_on_once_where_reading_begins_in_the_middle(
    tmp_path: Path, name: str
) -> None:
    clip = make_clip(tmp_path / f"bare-{name}", frames=400, options={"g": "10"})
    cover = picture_file(tmp_path / "cover.png")
    covered = tmp_path / name
    if name.endswith("mp4"):
        how = ["-i", cover, "-map", 0, "-map", 1, "-disposition:v:1", "attached_pic"]
    else:
        how = ["-attach", cover, "-metadata:s:t", "mimetype=image/png"]
    ffmpeg("-i", clip, *how, "-c", "copy", covered)
    with FileSource(covered, start_s=14) as source:
        assert [stream.index for stream in source.side.streams] == [1]
        assert len(list(source)) == 50
        assert source._reading.has_skipped
        (packet,) = source.side.take()
    assert bytes(packet) == cover.read_bytes()


@needs_ffmpeg
def test_a_source_that_copies_nothing_holds_no_packet(rich: Path) -> None:
    with FileSource(rich, copy_streams=False) as source:
        assert source.side.streams == []
        assert source.side.attachments == []
        assert source.side.position == 0
        assert source.notes == []
        assert len(list(source)) == 100
        assert list(source.side.take()) == []


@needs_ffmpeg
def test_a_time_code_is_handed_on_and_an_unknown_stream_is_named(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mov"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-timecode", "01:02:03:04"),
        *("-c:v", "libx264", clip),
    )
    with FileSource(clip) as source:
        assert [(stream.index, stream.type) for stream in source.side.streams] == [(1, "data")]
        assert source.side.streams[0].metadata["timecode"] == "01:02:03:04"
        assert source.metadata[1]["timecode"] == "01:02:03:04"
        assert source.notes == []
    with FileSource(clip, start_s=0.4) as source:
        assert source.metadata[1]["timecode"] == "01:02:03:14"
    data = clip.read_bytes()
    assert data.count(b"tmcd") >= 2
    clip.write_bytes(data.replace(b"tmcd", b"xxxx"))
    with FileSource(clip) as source:
        assert source.side.dropped == ["data stream 1 (unknown codec, eng)"]
        assert source.notes == ["data stream 1 (unknown codec, eng) is not copied"]


def test_sound_in_a_coarse_unit_is_cut_to_less_than_a_millisecond(tmp_path: Path) -> None:
    """AVI counts MP3 in packets of 26 ms."""
    clip = make_clip(
        tmp_path / "clip.avi",
        codec="mpeg4",
        frames=60,
        sound=[Sound("libmp3lame", duration_s=2.4)],
    )
    with av.open(str(clip)) as container:
        unit = container.streams.audio[0].time_base
        assert unit is not None
        assert unit > Fraction(1, 100)
        whole = [p.pts * unit for p in container.demux(audio=0) if p.pts is not None]
    with FileSource(clip, start_s=1.0) as source:
        assert len(list(source)) > 30
        cut = [p.pts * p.time_base for p in source.side.take() if p.pts is not None]
    assert len(cut) > 20
    for time_s in cut:
        nearest = min(whole, key=lambda other: abs(other - 1 - time_s))
        assert abs(nearest - 1 - time_s) < Fraction(1, 10_000)


@needs_ffmpeg
def test_sound_that_an_edit_list_hides_is_left_out_but_for_what_decoders_need(
    tmp_path: Path,
) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4", frames=75, options={"g": "75"}, sound=[Sound(duration_s=3.0)]
    )
    trimmed = tmp_path / "trimmed.mp4"
    ffmpeg("-ss", 1.5, "-i", clip, "-c", "copy", trimmed)
    with av.open(str(trimmed)) as container:
        sound = list(container.demux(audio=0))
        times = [float(p.pts * p.time_base) for p in sound if p.pts is not None]
    assert min(times) < -0.5
    with FileSource(trimmed) as source:
        frames = list(source)
        kept = [float(p.pts * p.time_base) for p in source.side.take() if p.pts is not None]
    assert frames[0].pts == 0
    assert -0.25 < kept[0] < -0.1
    assert len(kept) == sum(time_s > -0.2 - 1024 / 44_100 for time_s in times)


def noise(index: int, width: int, height: int) -> Picture:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def test_streams_that_appear_in_the_middle_do_not_stop_the_reading(tmp_path: Path) -> None:
    silent = make_clip(
        tmp_path / "silent.ts",
        codec="mpeg2video",
        size=(640, 480),
        frames=12,
        picture=noise,
        options={"qmin": "1", "qmax": "1", "g": "1", "b": "999M"},
    )
    assert silent.stat().st_size > 5_500_000, "more than is looked at to open it"
    loud = make_clip(
        tmp_path / "loud.ts",
        codec="mpeg2video",
        size=(640, 480),
        sound=[Sound("mp2", duration_s=0.4)] * 9,
    )
    clip = tmp_path / "clip.ts"
    clip.write_bytes(silent.read_bytes() + loud.read_bytes() + silent.read_bytes())
    with FileSource(clip) as source:
        assert source.side.streams == []
        assert sum(1 for _ in source) == 12 + 10 + 12
