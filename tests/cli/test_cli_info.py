"""`streamlight info`: what it finds in real files, with ffprobe as the judge of the facts."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cli_runs import run_here
from clips import Picture, Sound, Subtitle, dim, make_clip
from ffprobe import Probe, needs_ffmpeg
from PIL import Image, ImageCms

from streamlight.color import ColorSpec, Matrix, Range

SHARED = Path(__file__).parents[3] / "shared" / "video"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent here")


def facts_of(path: Path, *options: str) -> dict[str, Any]:
    done = run_here("info", path, "--json", *options)
    (facts,) = json.loads(done.out)["files"]
    return dict(facts)


def lines_of(path: Path, *options: str) -> dict[str, str]:
    """Read the lines "name  text" of a file."""
    done = run_here("info", path, *options)
    assert done.code == 0, done.err
    pairs = (line.split(maxsplit=1) for line in done.out.splitlines()[1:])
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def grey_of(level: int) -> Any:
    def picture(index: int, width: int, height: int) -> Picture:
        return np.full((height, width, 3), level, np.uint8)

    return picture


def test_what_a_file_states_is_told(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv",
        size=(64, 48),
        frames=12,
        picture=dim,
        color=ColorSpec(Matrix.BT709, Range.FULL, 1, 13),
        sample_aspect_ratio=Fraction(4, 3),
        sound=[Sound(duration_s=0.4, start_s=0.04, metadata={"language": "eng"})],
        subtitles=[Subtitle(metadata={"language": "fra", "title": "words"})],
        metadata={"title": "a night"},
    )
    facts = facts_of(clip)
    video = facts["video"]
    assert facts["schema"] == 1
    assert facts["kind"] == "video"
    assert facts["can_be_enhanced"] is True
    assert facts["metadata"]["title"] == "a night"
    assert (video["width"], video["height"]) == (64, 48)
    assert (video["display_width"], video["display_height"]) == (85, 48)
    assert video["sample_aspect_ratio"] == "4/3"
    assert video["average_rate"] == "25"
    assert video["matrix"] == {"value": 1, "name": "bt709", "origin": "stated"}
    assert video["range"] == {"value": 2, "name": "full", "origin": "stated"}
    assert video["transfer"]["name"] == "iec61966-2-1"
    assert (video["bits"], video["chroma"], video["chroma_location"]) == (8, "4:2:0", "left")
    assert video["timing"]["is_variable"] is False
    assert video["hdr"] is None
    assert [s["type"] for s in facts["streams"]] == ["video", "audio", "subtitle"]
    assert [s["language"] for s in facts["streams"]] == [None, "eng", "fra"]
    assert facts["streams"][2]["title"] == "words"
    assert facts["streams"][1]["detail"] == "44100 Hz, mono"
    text = lines_of(clip)
    assert text["picture"] == "64x48, pixels 4:3, shown as 85x48"
    assert text["rate"] == "25 fps, constant: 40.00 ms a frame"
    assert text["colour"].startswith("matrix bt709, range full, primaries bt709")
    assert text["metadata"].startswith("title=a night")


def test_what_is_not_stated_is_guessed_and_said_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    video = facts_of(clip)["video"]
    assert video["matrix"] == {"value": 6, "name": "smpte170m", "origin": "guessed"}
    assert video["range"] == {"value": 1, "name": "limited", "origin": "guessed"}
    assert lines_of(clip)["colour"].startswith("matrix smpte170m (guessed as players do), range")


def test_a_variable_frame_rate_is_seen(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", pts=(0, 3, 4, 9, 10, 20), time_base=Fraction(1, 30))
    timing = facts_of(clip)["video"]["timing"]
    assert timing["is_variable"] is True
    assert (timing["shortest_ms"], timing["longest_ms"]) == (33.333, 333.333)
    assert "variable: 33.33 to 333.33 ms a frame" in lines_of(clip)["rate"]


def test_rounding_to_milliseconds_is_no_variable_rate(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=30, rate=30)
    assert facts_of(clip)["video"]["timing"]["is_variable"] is False


@pytest.mark.parametrize(
    ("degrees", "text"),
    [
        (90, "shown as 48x64 (turned 90 degrees counter-clockwise)"),
        (-90, "shown as 48x64 (turned 90 degrees clockwise)"),
        (180, "shown as 64x48 (turned 180 degrees)"),
    ],
)
def test_a_turned_picture_is_told(tmp_path: Path, degrees: int, text: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=(64, 48), rotation=degrees)
    assert facts_of(clip)["video"]["rotation_degrees"] == degrees
    assert facts_of(clip)["video"]["is_mirrored"] is False
    assert lines_of(clip)["picture"] == f"64x48, {text}"


def test_a_mirrored_picture_is_told(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4")
    with av.open(str(plain)) as one, av.open(str(tmp_path / "clip.mp4"), "w") as other:
        stream = other.add_stream_from_template(one.streams.video[0])
        stream.set_display_rotation(0, hflip=True)
        for packet in one.demux(video=0):
            if packet.size:
                packet.stream = stream
                other.mux(packet)
    assert facts_of(tmp_path / "clip.mp4")["video"]["is_mirrored"] is True
    assert lines_of(tmp_path / "clip.mp4")["picture"].endswith("(mirrored)")


@pytest.mark.parametrize(
    ("level", "word", "verdict"),
    [
        (20, "dark", "worth it"),
        (90, "dim", "worth it"),
        (160, "bright", "not worth it: bright already"),
    ],
)
def test_brightness_decides_what_is_worth_it(
    tmp_path: Path, level: int, word: str, verdict: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=grey_of(level))
    brightness = facts_of(clip)["brightness"]
    assert brightness["word"] == word
    assert abs(brightness["mean_luma"] - level) < 1.5
    assert lines_of(clip)["enhancing"] == verdict


def test_brightness_is_sampled_over_the_whole_file(tmp_path: Path) -> None:
    def dawn(index: int, width: int, height: int) -> Picture:
        return np.full((height, width, 3), 10 if index < 40 else 200, np.uint8)

    clip = make_clip(tmp_path / "clip.mp4", frames=100, picture=dawn)
    brightness = facts_of(clip)["brightness"]
    assert (brightness["samples"], brightness["is_worth_enhancing"]) == (5, True)
    assert abs(brightness["mean_luma"] - (2 * 10 + 3 * 200) / 5) < 2
    assert lines_of(clip)["enhancing"] == "worth it in parts: some frames are dark"


@needs_ffmpeg
def test_an_interlaced_video_is_told(tmp_path: Path) -> None:
    flags = {"flags": "+ildct+ilme", "top": "1", "x264-params": "interlaced=1:tff=1"}
    clip = make_clip(tmp_path / "clip.mp4", options=flags, picture=dim)
    assert Probe(clip).video["field_order"] in ("tt", "tb")
    assert facts_of(clip)["video"]["is_interlaced"] is True
    assert lines_of(clip)["scan"] == "interlaced, top first"


def test_hdr_and_its_mastering_metadata_are_told(tmp_path: Path) -> None:
    parameters = (
        "log-level=none:hdr10=1:max-cll=900,300:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    )
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", 25, options={"x265-params": parameters})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, 16
        for index in range(3):
            frame = av.VideoFrame(64, 64, "yuv420p10le")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = facts_of(path)["video"]
    assert (video["bits"], video["transfer"]["name"]) == (10, "smpte2084")
    assert video["hdr"] == {
        "transfer": "PQ",
        "dolby_vision_profile": None,
        "has_hdr10_plus": False,
        "mastering_min_nits": 0.005,
        "mastering_max_nits": 1000.0,
        "max_cll_nits": 900,
        "max_fall_nits": 300,
    }
    text = "PQ, mastered at 0.005 to 1000 cd/m2, MaxCLL 900, MaxFALL 300"
    assert lines_of(path)["HDR"] == text


def test_deep_counts_the_frames_and_the_damage(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=20, picture=dim)
    assert facts_of(clip)["video"]["frames_counted"] is None
    assert facts_of(clip, "--deep")["video"]["frames_counted"] == 20
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][10]
    assert packet.pos is not None
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    clip.write_bytes(data)
    facts = facts_of(clip, "--deep")
    assert facts["problems"] == ["1 damaged packet was skipped"]
    assert facts["video"]["frames_counted"] == 19


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    whole = make_clip(
        tmp_path / "whole.mp4", frames=40, picture=dim, muxer_options={"movflags": "+faststart"}
    )
    clip = tmp_path / "clip.mp4"
    data = whole.read_bytes()
    clip.write_bytes(data[: len(data) * 2 // 3])
    (problem,) = facts_of(clip)["problems"]
    assert problem.startswith("the file is cut off: ")
    assert "of 40 frames are there" in problem


def test_a_bad_file_is_one_line_and_the_others_are_shown(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing of the kind")
    done = run_here("info", bad, clip, tmp_path / "gone.mp4")
    assert done.code == 1
    assert len(done.lines) == 2
    assert done.lines[0].startswith(f"error: {bad}: not a video, or damaged beyond reading")
    assert done.lines[1] == f"error: {tmp_path / 'gone.mp4'}: no such file"
    assert done.out.startswith(f"{clip}: QuickTime / MOV, 0.400 s")
    files = json.loads(run_here("info", "--json", bad, clip).out)["files"]
    assert files[0]["error"].startswith(f"{bad}: not a video")
    assert files[1]["video"]["width"] == 64


def test_a_name_cannot_give_orders_to_the_terminal(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", metadata={"title": "a\x1b[31mred\nline"})
    assert "\x1b" not in run_here("info", clip).out


def test_a_picture_is_described(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Model 1"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    profile: Any = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.new("RGB", (60, 40), (30, 30, 30)).save(path, exif=exif, icc_profile=profile.tobytes())
    facts = facts_of(path)
    picture = facts["picture"]
    assert (facts["kind"], facts["container"], facts["video"]) == ("picture", "JPEG", None)
    assert (picture["width"], picture["height"], picture["bits"]) == (60, 40, 8)
    assert (picture["display_width"], picture["display_height"]) == (40, 60)
    assert picture["icc_profile"] == "sRGB built-in"
    assert picture["taken_at"] == "2024:05:06 07:08:09"
    assert picture["camera"] == "Maker Model 1"
    assert abs(facts["brightness"]["mean_luma"] - 30) < 1
    text = lines_of(path)
    assert text["picture"] == "60x40, shown as 40x60 (EXIF orientation 6)"
    assert text["enhancing"] == "worth it"


@pytest.mark.parametrize("name", ["photo.png", "photo.tif"])
def test_sixteen_bits_are_seen(tmp_path: Path, name: str) -> None:
    levels = np.full((40, 60), 80 * 257, np.uint16)
    Image.fromarray(levels).save(tmp_path / name)
    facts = facts_of(tmp_path / name)
    assert facts["picture"]["bits"] == 16
    assert abs(facts["brightness"]["mean_luma"] - 80) < 1


def test_a_damaged_picture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8 no picture")
    done = run_here("info", path)
    assert done.code == 1
    assert done.err == f"error: {path}: not a picture, or damaged beyond reading\n"
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    facts = facts_of(path)
    assert "the picture cannot be decoded" in facts["problems"][0]
    assert facts["can_be_enhanced"] is False


@needs_shared
@needs_ffmpeg
@pytest.mark.parametrize(
    "name",
    [
        "bt601.mov",
        "dim_room_rotated90.mp4",
        "hevc_10bit.mp4",
        "sample.avi",
        "sample.flv",
        "sample_av1.mp4",
        "sample_h262_mpeg_audio.ts",
        "sample_with_srt.mkv",
        "vfr_444.mp4",
        "vp9_odd_161x121.webm",
    ],
)
def test_a_shared_clip_is_described_as_ffprobe_does(name: str) -> None:
    facts, probe = facts_of(SHARED / name), Probe(SHARED / name)
    video, judge = facts["video"], probe.video
    assert facts["problems"] == []
    assert [s["codec"] for s in facts["streams"]] == [s["codec_name"] for s in probe.streams]
    assert (video["width"], video["height"]) == (judge["width"], judge["height"])
    assert video["pixel_format"] == judge["pix_fmt"]
    assert video["rotation_degrees"] == probe.rotation
    for ours, theirs in (("primaries", "color_primaries"), ("transfer", "color_transfer")):
        assert video[ours]["name"] == judge.get(theirs, "unspecified")
    is_stated = judge.get("color_space", "unknown") != "unknown"
    assert video["matrix"]["origin"] == ("stated" if is_stated else "guessed")
    assert video["range"]["name"] == {"pc": "full"}.get(judge.get("color_range", "tv"), "limited")
    steps = np.diff(probe.frame_times_s)
    assert video["timing"]["is_variable"] == bool(np.ptp(steps) > 1.5e-3)
    for stream in probe.of_type("audio")[:1]:
        offset_s = float(stream["start_time"]) - float(judge["start_time"])
        assert abs(video["audio_offset_s"] - offset_s) < 1e-3


@needs_shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bear-640x360-v_frag-cenc-mdat.mp4", "the video is encrypted (DRM)"),
        ("invalid-bitstream.webm", "no picture could be decoded"),
        ("sample_ac3.ts", "there is no video in it (it holds: audio)"),
        ("truncated_no_moov_or_tail.mp4", "the file is cut off: 86 of 149 frames"),
    ],
)
def test_a_broken_shared_clip_says_what_is_wrong(name: str, expected: str) -> None:
    assert facts_of(SHARED / "broken" / name)["problems"][0].startswith(expected)


@needs_shared
def test_dolby_vision_hlg_and_an_edit_list_are_seen() -> None:
    video = facts_of(SHARED / "hlg10_rotated_editlist_1080p.mp4")["video"]
    assert video["hdr"]["transfer"] == "HLG"
    assert video["hdr"]["dolby_vision_profile"] == "8.4", "as ffprobe's DOVI record says"
    assert video["frames_hidden"] == 9
