"""Everything beside the picture, through every container: kept, converted, or named."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Sound, make_clip
from ffprobe import Probe, needs_ffmpeg
from numpy.typing import NDArray

from streamlight.errors import SinkError
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

pytestmark = needs_ffmpeg

SRT = """1
00:00:00,100 --> 00:00:00,300
Hello <i>world</i>

2
00:00:00,320 --> 00:00:00,800
second line
and a third

"""
VTT = (
    "WEBVTT\n\n00:00.100 --> 00:00.300\nHello <i>world</i>\n\n"
    "00:00.320 --> 00:00.800\nsecond line\nand a third\n"
)
LINES = [(0.1, 0.3, "Hello <i>world</i>"), (0.32, 0.8, "second line\nand a third")]
ASS = """[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,16,&Hffffff
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.10,0:00:00.50,Default,,0,0,0,,{\\pos(3,3)}styled
"""
FAST = EncoderOptions(preset="ultrafast")


def ffmpeg(folder: Path, *arguments: str) -> None:
    command = ["ffmpeg", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, cwd=folder)


def copy(source: Path, target: Path) -> list[str]:
    """Write a source again; return the sink's notes."""
    options = EncoderOptions() if target.suffix == ".webm" else FAST
    with FileSource(source) as frames, FileSink(target, frames, options) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
        return sink.notes


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Matroska with three kinds of subtitles, a font, a cover and a time code."""
    make_clip(tmp_path / "plain.mkv", frames=25, sound=[Sound("libmp3lame")])
    (tmp_path / "a.srt").write_text(SRT)
    (tmp_path / "a.vtt").write_text(VTT)
    (tmp_path / "a.ass").write_text(ASS)
    (tmp_path / "f.ttf").write_bytes(bytes(range(256)))
    ffmpeg(tmp_path, "-f", "lavfi", "-i", "testsrc=s=32x32", "-frames:v", "1", "c.jpg")
    ffmpeg(
        tmp_path,
        *("-i", "plain.mkv", "-i", "a.srt", "-i", "a.ass", "-i", "a.vtt"),
        *("-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c", "copy"),
        *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=deu"),
        *("-disposition:s:0", "forced", "-metadata:s:v:0", "timecode=01:00:00:00"),
        *("-attach", "f.ttf", "-metadata:s:t:0", "mimetype=font/ttf"),
        *("-attach", "c.jpg", "-metadata:s:t:1", "mimetype=image/jpeg"),
        *("-metadata:s:t:1", "filename=cover.jpg", "rich.mkv"),
    )
    return tmp_path / "rich.mkv"


def text_of(path: Path, stream: int) -> list[tuple[float, float, str]]:
    """Lines of a subtitle stream, as ffmpeg reads them: start, end, text."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:s:{stream}", "-f", "srt", "-"]
    srt = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = []
    for block in srt.strip().split("\n\n"):
        _, span, *text = block.splitlines()
        start, end = (seconds(moment) for moment in span.split(" --> "))
        lines.append((start, end, "\n".join(text)))
    return lines


def seconds(moment: str) -> float:
    hours, minutes, rest = moment.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))


def names(path: Path) -> list[str]:
    return [str(s.get("codec_name", s["codec_type"])) for s in Probe(path).streams]


def test_matroska_keeps_subtitles_fonts_cover_and_time_code(rich: Path) -> None:
    target = rich.with_name("out.mkv")
    assert copy(rich, target) == []
    after = Probe(target)
    before = Probe(rich)
    kinds = [(s["codec_type"], s.get("codec_name")) for s in before.streams]
    assert sorted(map(str, kinds)) == sorted(
        str((s["codec_type"], s.get("codec_name"))) for s in after.streams
    )
    assert [s["tags"].get("language") for s in after.of_type("subtitle")] == ["eng", "deu", None]
    assert after.of_type("subtitle")[0]["disposition"]["forced"] == 1
    (font,) = after.of_type("attachment")
    assert (font["tags"]["filename"], font["tags"]["mimetype"]) == ("f.ttf", "font/ttf")
    cover = after.of_type("video")[1]
    assert cover["disposition"]["attached_pic"] == 1
    assert cover["tags"]["filename"] == "cover.jpg"
    assert after.video["tags"]["TIMECODE"] == "01:00:00:00"
    with av.open(str(target)) as container:
        (stream,) = [s for s in container.streams if s.type == "attachment"]
        assert isinstance(stream, av.stream.AttachmentStream)
        assert stream.data == bytes(range(256))
    assert [p.digest for p in before.packets(6)] == [p.digest for p in after.packets(5)]


@pytest.mark.parametrize("container", [".mp4", ".mov"])
def test_mp4_gets_text_as_its_own_and_names_what_it_cannot_hold(rich: Path, container: str) -> None:
    target = rich.with_name(f"out{container}")
    notes = copy(rich, target)
    after = Probe(target)
    left_out = ["subtitle stream 3 (ssa, deu)", "the attachment f.ttf"]
    covers = [s for s in after.of_type("video") if s["disposition"]["attached_pic"]]
    if container == ".mp4":
        assert [s["codec_name"] for s in covers] == ["mjpeg"]
    else:
        left_out.insert(1, "the cover picture (mjpeg)")
    assert notes == [
        f"{what} is left out: a {container} file cannot hold it; write out.mkv to keep it"
        for what in left_out
    ]
    texts = after.of_type("subtitle")
    assert [s["codec_name"] for s in texts] == ["mov_text", "mov_text"]
    assert texts[0]["tags"]["language"] == "eng"
    for index in range(2):
        assert text_of(target, index) == LINES
    (code,) = after.of_type("data")
    assert (code["codec_tag_string"], code["tags"]["timecode"]) == ("tmcd", "01:00:00:00")


@pytest.mark.parametrize(
    ("made_as", "name", "container", "becomes"),
    [
        ("mov_text", "clip.mp4", ".mkv", "subrip"),
        ("mov_text", "clip.mp4", ".mov", "mov_text"),
        ("mov_text", "clip.mov", ".mp4", "mov_text"),
        ("srt", "clip.mkv", ".mp4", "mov_text"),
        ("webvtt", "clip.mkv", ".mov", "mov_text"),
        ("webvtt", "clip.mkv", ".mkv", "webvtt"),
        ("srt", "clip.mkv", ".webm", "webvtt"),
    ],
)
def test_text_is_converted_with_its_times_and_italics(
    tmp_path: Path, made_as: str, name: str, container: str, becomes: str
) -> None:
    plain = make_clip(tmp_path / "plain.mkv", frames=25)
    (tmp_path / "a.srt").write_text(SRT)
    streams = ("-map", "0", "-map", "1", "-c", "copy", "-c:s", made_as)
    ffmpeg(tmp_path, "-i", plain.name, "-i", "a.srt", *streams, name)
    target = tmp_path / f"out{container}"
    assert copy(tmp_path / name, target) == []
    assert Probe(target).of_type("subtitle")[0]["codec_name"] == becomes
    assert text_of(target, 0) == LINES


def test_places_of_lines_that_a_conversion_loses_are_named(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.webm", codec="libvpx-vp9", frames=10)
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:00.100 --> 00:00.300 line:10%\nup here\n")
    ffmpeg(tmp_path, "-i", plain.name, "-i", "a.vtt", "-c", "copy", "clip.webm")
    notes = copy(tmp_path / "clip.webm", tmp_path / "out.mp4")
    assert notes == ["subtitle stream 1 lost its lines' places on the screen"]
    assert copy(tmp_path / "clip.webm", tmp_path / "out.webm") == []


@pytest.mark.parametrize("picture", ["c.png", "c.jpg"])
@pytest.mark.parametrize("container", [".mp4", ".m4v", ".mkv"])
def test_the_cover_of_mp4_is_kept(tmp_path: Path, picture: str, container: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", sound=[Sound()])
    ffmpeg(tmp_path, "-f", "lavfi", "-i", "testsrc=s=32x32", "-frames:v", "1", picture)
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic")
    ffmpeg(tmp_path, "-i", plain.name, "-i", picture, *maps, "clip.mp4")
    assert copy(tmp_path / "clip.mp4", tmp_path / f"out{container}") == []
    covers = [s for s in Probe(tmp_path / f"out{container}").of_type("video") if is_cover(s)]
    assert len(covers) == 1
    content = Probe(tmp_path / "clip.mp4").packets(2)[0].digest
    assert Probe(tmp_path / f"out{container}").packets(2)[0].digest == content


@pytest.mark.parametrize(
    ("container", "omitted"), [(".mp4", set()), (".mkv", set()), (".mov", {1})]
)
def test_a_cover_counts_as_omitted_only_where_it_is(
    tmp_path: Path, container: str, omitted: set[int]
) -> None:
    make_clip(tmp_path / "plain.mp4")
    ffmpeg(tmp_path, "-f", "lavfi", "-i", "testsrc=s=32x32", "-frames:v", "1", "c.jpg")
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic")
    ffmpeg(tmp_path, "-i", "plain.mp4", "-i", "c.jpg", *maps, "clip.mp4")
    target = tmp_path / f"out{container}"
    with FileSource(tmp_path / "clip.mp4") as frames, FileSink(target, frames, FAST) as sink:
        assert sink.omitted == omitted


def is_cover(stream: dict[str, dict[str, int]]) -> bool:
    return stream["disposition"]["attached_pic"] == 1


@pytest.mark.parametrize(
    ("container", "kept"),
    [(".mov", "tmcd"), (".mp4", "tmcd"), (".mkv", "TIMECODE"), (".ts", "")],
)
def test_the_time_code_of_quicktime_is_kept(tmp_path: Path, container: str, kept: str) -> None:
    plain = make_clip(tmp_path / "plain.mov")
    ffmpeg(tmp_path, "-i", plain.name, "-c", "copy", "-timecode", "10:20:30:12", "clip.mov")
    notes = copy(tmp_path / "clip.mov", tmp_path / f"out{container}")
    after = Probe(tmp_path / f"out{container}")
    if kept == "tmcd":
        (code,) = after.of_type("data")
        assert code["tags"]["timecode"] == "10:20:30:12"
    elif kept:
        assert after.video["tags"][kept] == "10:20:30:12"
    else:
        assert notes == [
            "the time code 10:20:30:12 is left out: a .ts file cannot hold it; "
            "write out.mkv to keep it"
        ]


def data_clip(path: Path, codec: str) -> Path:
    """A clip with ten data packets."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 25)
        video.width, video.height = 64, 48
        data = container.add_data_stream(codec)
        data.time_base = Fraction(1, 90_000)
        for index in range(10):
            picture = av.VideoFrame(64, 48, "yuv420p")
            for plane in picture.planes:
                plane.update(bytes([90]) * plane.buffer_size)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(video.encode(picture))
            packet = av.Packet(b"\x06\x0e+4\x02\x0b\x01\x01" + bytes(8) + bytes([1, index]))
            packet.stream = data
            packet.pts = packet.dts = index * 3600
            packet.duration = 3600
            packet.time_base = Fraction(1, 90_000)
            container.mux(packet)
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "name", "holds"),
    [("klv", "clip.ts", {".ts"}), ("bin_data", "clip.mp4", {".mp4", ".mov"})],
)
@pytest.mark.parametrize("container", [".ts", ".mp4", ".mov", ".mkv"])
def test_data_of_drones_and_cameras_is_kept_or_named(
    tmp_path: Path, codec: str, name: str, holds: set[str], container: str
) -> None:
    clip = data_clip(tmp_path / name, codec)
    notes = copy(clip, tmp_path / f"out{container}")
    after = Probe(tmp_path / f"out{container}")
    if container in holds:
        assert notes == []
        assert after.streams[1]["codec_name"] == codec
        found = [packet.digest for packet in after.packets(1)]
        assert found == [packet.digest for packet in Probe(clip).packets(1)]
    else:
        assert len(after.streams) == 1
        (note,) = notes
        assert note.startswith(f"data stream 1 ({codec}) is left out: a {container} file")


@pytest.mark.parametrize("container", [".mkv", ".mp4", ".mov", ".ts"])
def test_a_second_video_is_copied_packet_by_packet(tmp_path: Path, container: str) -> None:
    one = make_clip(tmp_path / "one.mkv", sound=[Sound("libmp3lame")])
    two = make_clip(tmp_path / "two.mp4", size=(96, 64), codec="libx265")
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "default")
    ffmpeg(tmp_path, "-i", one.name, "-i", two.name, *maps, "-disposition:v:1", "0", "c.mkv")
    assert copy(tmp_path / "c.mkv", tmp_path / f"out{container}") == []
    before, after = Probe(tmp_path / "c.mkv"), Probe(tmp_path / f"out{container}")
    assert [s["codec_name"] for s in after.streams] == ["h264", "mp3", "hevc"]
    assert after.streams[2]["width"] == 96
    if container in (".mp4", ".mov"):
        assert after.streams[2]["codec_tag_string"] == "hvc1"
    if container != ".ts":  # which has start codes instead of lengths
        digests = [[p.digest for p in probe.packets(2)] for probe in (before, after)]
        assert digests[0] == digests[1]


def samples(path: Path) -> NDArray[np.int32]:
    """All samples of the sound, decoded by ffmpeg."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "s32le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.int32)


@pytest.mark.parametrize(
    ("codec", "name", "container", "becomes"),
    [
        ("pcm_mulaw", "clip.avi", ".mkv", "pcm_s16le"),
        ("pcm_s24be", "clip.mov", ".avi", "pcm_s24le"),
        ("pcm_s24be", "clip.mov", ".mkv", "pcm_s24be"),
        ("pcm_u8", "clip.avi", ".mp4", "pcm_s16le"),
        ("flac", "clip.mkv", ".mov", "pcm_s16le"),
        ("alac", "clip.mov", ".mkv", "alac"),
        ("adpcm_ms", "clip.avi", ".mp4", "pcm_s16le"),
        ("adpcm_ima_wav", "clip.avi", ".mkv", "pcm_s16le"),
    ],
)
def test_sound_without_loss_becomes_pcm_sample_for_sample(
    tmp_path: Path, codec: str, name: str, container: str, becomes: str
) -> None:
    sound = Sound(codec, duration_s=0.4, metadata={"language": "eng"})
    video = "mpeg4" if name.endswith("avi") else "libx264"
    clip = make_clip(tmp_path / name, codec=video, sound=[sound])
    target = tmp_path / f"out{container}"
    assert copy(clip, target) == []
    (stream,) = Probe(target).of_type("audio")
    assert stream["codec_name"] == becomes
    differences = samples(clip).astype(np.int64) - samples(target)
    most = 100 << 16 if codec == "adpcm_ima_wav" else 0  # versions of libav round it differently
    assert np.abs(differences).max() <= most
    assert float(stream["start_time"]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("codec", "container", "better"),
    [
        ("libopus", ".mov", "out.mkv"),
        ("ac3", ".webm", "out.mkv"),
        ("pcm_s16le", ".webm", "out.mkv"),
        ("flac", ".ts", "out.mkv"),
        ("pcm_s16le", ".ts", "out.mkv"),
    ],
)
def test_sound_that_would_be_lost_is_refused_with_the_name_that_keeps_it(
    tmp_path: Path, codec: str, container: str, better: str
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", sound=[Sound(codec, rate_hz=48_000)])
    stream = rf"audio stream 1 \({codec.removeprefix('lib')}"
    with pytest.raises(SinkError, match=rf"a {container} file cannot hold {stream}.*write"):
        copy(clip, tmp_path / f"out{container}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mkv"]
    copy(clip, tmp_path / better)


def test_sound_of_windows_media_goes_into_avi(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mkv", frames=25, sound=[Sound("flac")])
    ffmpeg(tmp_path, "-i", "clip.mkv", "-c:v", "wmv2", "-c:a", "wmav2", "clip.wmv")
    with pytest.raises(SinkError, match=r"a .mp4 file cannot hold .*wmav2\); write out.avi"):
        copy(tmp_path / "clip.wmv", tmp_path / "out.mp4")
    copy(tmp_path / "clip.wmv", tmp_path / "out.avi")
    (stream,) = Probe(tmp_path / "out.avi").of_type("audio")
    assert stream["codec_name"] == "wmav2"


def test_rotation_is_refused_where_it_would_be_lost(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", rotation=90)
    for container in (".avi", ".ts"):
        with pytest.raises(SinkError, match=r"turned by 90 degrees, which .* write out.mp4"):
            copy(clip, tmp_path / f"out{container}")
    for container in (".mp4", ".mov", ".mkv"):
        copy(clip, tmp_path / f"out{container}")
        assert Probe(tmp_path / f"out{container}").rotation == 90
