"""An output that is as its input, and outputs that are not: each is spoiled in one way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Picture, Sound, Subtitle, make_clip
from ffprobe import needs_ffmpeg

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SinkError, SourceError, VerificationError
from streamlight.sources.inventory import read_content
from streamlight.verify import Expectation, verify_file
from streamlight.verify.files import compare_contents

TAGS = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1)
TITLE = {"title": "a night"}
PTS = (0, 3, 4, 9, 10, 12, 15, 16, 20, 22, 26, 27)
"""Of a variable frame rate, in 1/30 s."""


def scene(index: int, width: int, height: int) -> Picture:
    """A dark picture with blobs that wander, so that each frame differs from the next."""
    y, x = np.mgrid[:height, :width]
    blobs = [
        np.exp(-((x - width * (0.5 + 0.4 * np.sin(index * a))) ** 2 + (y - height / 2) ** 2) / 40)
        for a in (0.7, 1.3)
    ]
    ground = 10 + 8 * (np.sin(x / 5) + np.cos(y / 7))
    luma = (ground + 60 * sum(blobs)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=-1)


def brighter(index: int, width: int, height: int) -> Picture:
    """The scene through a curve, as enhancing does it."""
    dark = scene(index, width, height) / 255
    return np.asarray(255 * dark**0.5, np.uint8)


def made(path: Path, **changes: Any) -> Path:
    """Write a clip with all that a file may have; `changes` are those of `make_clip`."""
    properties: dict[str, Any] = {
        "picture": scene,
        "pts": PTS,
        "time_base": Fraction(1, 30),
        "rate": 30,
        "color": TAGS,
        "options": {"crf": "4"},
        "sound": [Sound(duration_s=0.9, metadata={"language": "eng"})],
        "metadata": TITLE,
    }
    if path.suffix == ".mkv":
        properties["subtitles"] = [Subtitle(metadata={"language": "fra"})]
    return make_clip(path, **(properties | changes))


def remuxed(
    source: Path,
    target: Path,
    *,
    omit: tuple[int, ...] = (),
    edit: Callable[[av.Packet[Any]], bool] = lambda packet: True,
    chapters: list[tuple[float, float, str]] | None = None,
) -> Path:
    """Copy the packets of a file for which `edit`, which may change them, returns true."""
    with av.open(str(source)) as one, av.open(str(target), "w") as other:
        other.metadata.update(one.metadata)
        if chapters:
            other.set_chapters(
                [
                    {
                        "id": number,
                        "start": int(1000 * start),
                        "end": int(1000 * end),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for number, (start, end, title) in enumerate(chapters)
                ]
            )
        streams = {
            s.index: other.add_stream_from_template(s) for s in one.streams if s.index not in omit
        }
        for stream in one.streams:
            if stream.index in streams:
                streams[stream.index].metadata.update(stream.metadata)
        for packet in one.demux():
            stream = packet.stream
            if packet.size and stream.index in streams and edit(packet):
                packet.stream = streams[stream.index]
                other.mux(packet)
    return target


def parts(source: Path, target: Path, *, deep: bool = False, **expected: Any) -> list[str]:
    """Name what differs."""
    found = verify_file(source, target, deep=deep, expected=Expectation(**expected))
    return [difference.part for difference in found.differences]


@pytest.mark.parametrize("target", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("source", ["in.mp4", "in.mov", "in.mkv"])
def test_a_faithful_output_differs_in_nothing(tmp_path: Path, source: str, target: str) -> None:
    subtitles = [Subtitle()] if source.endswith("mkv") and target.endswith("mkv") else []
    clip = made(tmp_path / source, subtitles=subtitles)
    output = made(tmp_path / target, picture=brighter, subtitles=subtitles)
    found = verify_file(clip, output, deep=True)
    assert found.differences == ()
    assert found.frames == len(PTS)
    assert found.match is not None
    assert found.match.told_apart == len(PTS) - 1
    found.check(output)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pts": (*PTS[:5], *PTS[6:])}, "frames"),
        ({"pts": (*PTS, 30)}, "frames"),
        ({"pts": PTS[:-3]}, "frames"),
        ({"pts": (*PTS[:5], 11, *PTS[6:])}, "frame times"),
        ({"sound": [Sound(duration_s=0.9, start_s=0.02)]}, "times of audio stream 1 (aac)"),
        ({"sound": [Sound(duration_s=0.7)]}, "audio stream 1 (aac)"),
        ({"sound": [Sound(duration_s=0.9, codec="ac3")]}, "codec of audio stream 1 (aac)"),
        ({"sound": []}, "audio streams"),
        ({"subtitles": []}, "subtitle streams"),
        ({"subtitles": [Subtitle("else")]}, "subtitle stream 2 (subrip)"),
        ({"subtitles": [Subtitle(start_s=0.2)]}, "times of subtitle stream 2 (subrip)"),
        ({"color": ColorSpec(Matrix.SMPTE170M, Range.LIMITED, 1, 1)}, "colour matrix"),
        ({"color": ColorSpec(Matrix.BT709, Range.FULL, 1, 1)}, "colour range"),
        ({"color": ColorSpec(Matrix.BT709, Range.LIMITED, 9, 1)}, "colour primaries"),
        ({"color": ColorSpec(Matrix.BT709, Range.LIMITED, 1, 13)}, "colour transfer"),
        ({"size": (64, 46)}, "size"),
        ({"sample_aspect_ratio": Fraction(4, 3)}, "shape of the pixels"),
        ({"rotation": 90}, "rotation"),
        ({"metadata": {}}, "metadata title"),
    ],
)
def test_what_is_spoiled_is_named(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    clip = made(tmp_path / "in.mkv")
    output = made(tmp_path / "out.mkv", picture=brighter, **changes)
    assert expected in parts(clip, output)


@needs_ffmpeg
def test_the_shape_of_pixels_may_be_stated_by_the_container_alone(tmp_path: Path) -> None:
    plain = made(tmp_path / "p.mkv", codec="ffv1", options={}, sound=[])
    clip = tmp_path / "in.mkv"
    command = ["ffmpeg", "-v", "error", "-i", str(plain), "-map", "0", "-c", "copy"]
    subprocess.run([*command, "-aspect", "16/9", str(clip)], check=True)
    shape: dict[str, Any] = {"sample_aspect_ratio": Fraction(4, 3), "sound": []}
    assert parts(clip, made(tmp_path / "out.mkv", picture=brighter, **shape)) == []
    assert parts(clip, plain) == ["shape of the pixels"]


@pytest.mark.parametrize("target", ["out.mp4", "out.avi"])
def test_ffv1_without_tags_is_as_players_guess(tmp_path: Path, target: str) -> None:
    plain: dict[str, Any] = {"sound": [], "subtitles": [], "metadata": {}, "pts": None}
    output = made(tmp_path / target, codec="ffv1", options={}, color=None, **plain)
    untagged = made(tmp_path / "untagged.mkv", color=None, **plain)
    assert parts(untagged, output) == []
    guessed = ColorSpec(Matrix.SMPTE170M, Range.LIMITED)
    assert parts(untagged, output, color=guessed) == []
    full = made(tmp_path / "full.mkv", color=ColorSpec(Matrix.BT709, Range.FULL), **plain)
    assert parts(full, output) == ["colour matrix", "colour range"]


def test_fewer_bits_and_coarser_chroma_are_named(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4", pixel_format="yuv444p")
    output = made(tmp_path / "out.mp4", picture=brighter)
    assert parts(clip, output) == ["chroma sampling"]
    assert parts(clip, output, chroma="4:2:0") == []
    assert parts(output, clip) == [], "more is no loss"


def test_names_of_the_streams_are_compared(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mkv", video_metadata={"language": "deu", "title": "view"})
    sound = [Sound(duration_s=0.9, metadata={"language": "ita", "title": "commentary"})]
    output = made(tmp_path / "out.mkv", picture=brighter, sound=sound)
    assert parts(clip, output) == [
        "language of the video",
        "language of audio stream 1 (aac)",
        "title of audio stream 1 (aac)",
        "title of the video",
    ]


def test_chapters_are_compared(tmp_path: Path) -> None:
    plain, bright = made(tmp_path / "p.mkv"), made(tmp_path / "b.mkv", picture=brighter)
    chapters = [(0.0, 0.4, "dusk"), (0.4, 1.0, "night")]
    clip = remuxed(plain, tmp_path / "in.mkv", chapters=chapters)
    assert parts(clip, remuxed(bright, tmp_path / "same.mkv", chapters=chapters)) == []
    assert parts(clip, bright) == ["chapters"]
    moved = [(0.0, 0.5, "dusk"), (0.5, 1.0, "morning")]
    other = remuxed(bright, tmp_path / "moved.mkv", chapters=moved)
    assert parts(clip, other) == ["title of chapter 2", "start of chapter 2"]


@pytest.mark.parametrize(("source", "target"), [("in.mkv", "out.mp4"), ("in.mp4", "out.mkv")])
def test_the_chapters_of_an_mp4_are_no_stream(tmp_path: Path, source: str, target: str) -> None:
    chapters = [(0.0, 0.4, "dusk"), (0.4, 0.9, "night")]
    sound = [] if target == "out.mp4" else [Sound(duration_s=0.9)]  # or Matroska starts later
    plain = made(tmp_path / "p.mp4", sound=sound)
    bright = made(tmp_path / "b.mp4", sound=sound, picture=brighter)
    clip = remuxed(plain, tmp_path / source, chapters=chapters)
    assert parts(clip, remuxed(bright, tmp_path / target, chapters=chapters)) == []


def test_the_time_code_that_a_muxer_makes_is_no_stream(tmp_path: Path) -> None:
    code = {"timecode": "01:00:00:00"}
    clip = made(tmp_path / "in.mkv", video_metadata=code, metadata={}, subtitles=[])
    output = made(tmp_path / "out.mov", video_metadata=code, metadata={}, picture=brighter)
    with av.open(str(output)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "data"]
    assert parts(clip, output) == []


@needs_ffmpeg
def test_sound_that_an_edit_list_hides_may_be_left_out(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole.mp4", options={"crf": "4", "g": "4"})
    clip, output = tmp_path / "in.mp4", tmp_path / "out.mkv"
    command = ["ffmpeg", "-v", "error", "-ss", "0.5", "-i", str(whole), "-c", "copy", str(clip)]
    subprocess.run(command, check=True)
    hidden = read_content(clip, decode=False).streams[0].hidden
    assert hidden > 5
    seen = 0

    def later(packet: av.Packet[Any]) -> bool:
        nonlocal seen
        seen += packet.stream.type == "audio"
        return not packet.is_discard or (packet.stream.type == "audio" and seen > hidden - 3)

    remuxed(clip, output, edit=later)
    assert parts(clip, output) == []


def test_one_packet_of_sound_with_other_bytes_is_found(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4")
    good = made(tmp_path / "good.mp4", picture=brighter)
    seen = 0

    def spoil(packet: av.Packet[Any]) -> bool:
        nonlocal seen
        seen += packet.stream.type == "audio"
        if packet.stream.type == "audio" and seen == 10:
            packet.update(bytes(packet.size))
        return True

    output = remuxed(good, tmp_path / "out.mp4", edit=spoil)
    found = verify_file(clip, output).differences
    assert [str(difference) for difference in found] == [
        "audio stream 1 (aac): the same bytes expected, 1 packet differs, number 9 found"
    ]


@pytest.mark.parametrize(
    ("slip_s", "expected"), [(0.0005, []), (0.002, ["times of audio stream 1 (aac)"])]
)
def test_sound_may_slip_by_less_than_a_millisecond(
    tmp_path: Path, slip_s: float, expected: list[str]
) -> None:
    clip = made(tmp_path / "in.mp4")
    sound = [Sound(duration_s=0.9, start_s=slip_s, metadata={"language": "eng"})]
    exact = {"movie_timescale": "90000"}
    output = made(tmp_path / "out.mp4", picture=brighter, sound=sound, muxer_options=exact)
    assert parts(clip, output) == expected


def test_a_transport_stream_may_come_out_starting_at_zero(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.ts", subtitles=[], metadata={}, sound=[Sound("mp2", duration_s=0.9)])
    sound = [Sound("mp2", duration_s=0.9)]
    output = made(tmp_path / "out.mkv", picture=brighter, subtitles=[], sound=sound)
    assert parts(clip, output) == []


def test_aac_of_a_transport_stream_is_the_same_without_its_headers(tmp_path: Path) -> None:
    plain = made(tmp_path / "plain.mp4")
    bright = made(tmp_path / "out.mp4", picture=brighter)
    clip = remuxed(plain, tmp_path / "in.ts")
    found = [name for name in parts(clip, bright) if not name.startswith("metadata")]
    assert found == []


def test_a_clip_that_starts_late_must_not_come_out_starting_elsewhere(tmp_path: Path) -> None:
    late = tuple(time + 15 for time in PTS)
    clip = made(tmp_path / "in.mkv", pts=late, sound=[], subtitles=[])
    same = made(tmp_path / "same.mkv", pts=late, picture=brighter, sound=[], subtitles=[])
    moved = made(tmp_path / "moved.mkv", picture=brighter, sound=[], subtitles=[])
    assert parts(clip, same) == []
    assert "frame times" in parts(clip, moved)


def test_what_was_left_out_on_purpose_is_no_difference(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mkv")
    output = made(tmp_path / "out.mkv", picture=brighter, subtitles=[], metadata={})
    assert parts(clip, output) == ["subtitle streams", "metadata title"]
    omitted = frozenset({2})
    assert parts(clip, output, omitted=omitted, lost_metadata=frozenset({"title"})) == []


def test_converted_sound_keeps_its_times(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mov", sound=[Sound("pcm_s16be", duration_s=0.9)])
    for start_s, differs in ((0.0, []), (0.02, ["times of audio stream 1 (pcm_s16be)"])):
        sound = [Sound("pcm_s16le", duration_s=0.9, start_s=start_s)]
        output = made(tmp_path / f"{start_s}.mov", picture=brighter, sound=sound)
        assert parts(clip, output, converted={1: "pcm_s16le"}) == differs
        assert "codec of audio stream 1 (pcm_s16be)" in parts(clip, output)


def test_recordings_that_were_joined_may_come_out_without_the_jump(tmp_path: Path) -> None:
    """Each stretch of the input's clock is moved by its own time, sound and picture alike."""
    sound = [Sound("mp2", duration_s=0.96)]
    one, other = (
        made(tmp_path / f"{n}.ts", subtitles=[], sound=sound, metadata={}, pts=None, frames=29)
        for n in range(2)
    )
    clip = tmp_path / "in.ts"
    clip.write_bytes(one.read_bytes() + other.read_bytes())
    content = read_content(clip, decode=True)
    assert (np.diff(content.video.times_s) < 0).sum() == 1, "the clock jumps back"
    assert parts_moved(clip, moved_s=1.0) == []
    assert parts_moved(clip, moved_s=1.0, sound_too_s=0.02) == ["times of audio stream 1 (mp2)"]


def parts_moved(clip: Path, *, moved_s: float, sound_too_s: float = 0.0) -> list[str]:
    """Compare a file with itself when its second stretch is later by `moved_s`."""
    before, after = (read_content(clip, decode=True) for _ in range(2))
    times, sounds = after.video.times_s, np.array(after.streams[0].times_s)
    times += moved_s * (np.arange(len(times)) > np.diff(times).argmin())
    second = np.arange(len(sounds)) > np.diff(sounds).argmin()
    after.streams[0].times_s = list(sounds + (moved_s + sound_too_s) * second)
    return [d.part for d in compare_contents(before, after, Expectation())]


def test_fonts_are_missed_only_in_matroska(tmp_path: Path) -> None:
    clip = tmp_path / "in.mkv"
    with av.open(str(made(tmp_path / "p.mp4", sound=[]))) as plain, av.open(str(clip), "w") as out:
        video = out.add_stream_from_template(plain.streams.video[0])
        out.add_attachment("f.ttf", "font/ttf", bytes(99))
        for packet in plain.demux():
            if packet.size:
                packet.stream = video
                out.mux(packet)
    for name, differs in (("out.mp4", []), ("out.mkv", ["attachment streams"])):
        output = made(tmp_path / name, sound=[], subtitles=[], metadata={}, picture=brighter)
        assert parts(clip, output) == differs


@needs_ffmpeg
def test_converted_subtitles_keep_their_words_and_times(tmp_path: Path) -> None:
    subtitles = [Subtitle("<i>a</i> line", 0.1, 0.3)]
    clip = made(tmp_path / "in.mkv", subtitles=subtitles)
    for text, start_s, differs in (
        ("a line", 0.1, []),
        ("another", 0.1, ["subtitle stream 2 (subrip)"]),
        ("a line", 0.15, ["times of subtitle stream 2 (subrip)"]),
    ):
        output = tmp_path / f"{text}{start_s}.mp4"
        made_with_mov_text(output, text, start_s)
        assert parts(clip, output, converted={2: "mov_text"}) == differs
        assert "codec of subtitle stream 2 (subrip)" in parts(clip, output)


def made_with_mov_text(path: Path, text: str, start_s: float) -> None:
    """Write the bright clip with one line of 3GPP timed text."""
    bright = made(path.with_suffix(".plain.mp4"), picture=brighter)
    words = path.with_suffix(".srt")
    words.write_text(f"1\n00:00:00,{1000 * start_s:03.0f} --> 00:00:00,400\n{text}\n")
    command = ["ffmpeg", "-v", "error", "-i", str(bright), "-i", str(words)]
    command += ["-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", str(path)]
    subprocess.run(command, check=True)


def test_a_trimmed_output_is_compared_with_its_part(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4", options={"crf": "4", "g": "1", "bf": "0"})
    kept = [time for time in PTS if 9 <= time < 22]

    def part(index: int, width: int, height: int) -> Picture:
        return brighter(PTS.index(kept[index]), width, height)

    output = made(tmp_path / "video.mp4", picture=part, pts=[time - 9 for time in kept], sound=[])
    trim = {"start_s": 0.3, "end_s": 22 / 30, "omitted": frozenset({1})}
    assert parts(clip, output, deep=True, **trim) == []
    assert parts(clip, output, deep=True, start_s=0.3, end_s=0.9, omitted=frozenset({1})) == [
        "frames"
    ]


@pytest.mark.parametrize("after_s", [0.0003, 0.0007])
def test_a_cut_just_after_a_frame_leaves_that_frame_out(tmp_path: Path, after_s: float) -> None:
    clip = made(tmp_path / "in.mp4", sound=[])

    def part(index: int, width: int, height: int) -> Picture:
        return brighter(index + 4, width, height)

    output = made(
        tmp_path / "out.mp4", picture=part, pts=[time - PTS[4] for time in PTS[4:]], sound=[]
    )
    assert parts(clip, output, deep=True, start_s=PTS[3] / 30 + after_s) == []


def test_pictures_decoded_after_one_far_behind_the_end_are_read(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4", pts=(*PTS, 600, 630, 660), options={"bf": "3"}, sound=[])
    output = made(tmp_path / "out.mp4", picture=brighter, sound=[])
    assert parts(clip, output, end_s=1.0) == []


def test_a_transport_stream_whose_clock_starts_late_is_read_to_the_end_of_the_part(
    tmp_path: Path,
) -> None:
    late = {"output_ts_offset": "1000"}
    clip = made(tmp_path / "in.ts", sound=[], metadata={}, muxer_options=late)
    output = made(tmp_path / "out.mp4", picture=brighter, pts=PTS[:8], sound=[])
    assert parts(clip, output, end_s=20 / 30) == []


def test_sound_before_the_first_picture_is_read_where_a_part_starts_near_it(tmp_path: Path) -> None:
    late = [time + 30 for time in PTS]
    clip = made(tmp_path / "in.mkv", pts=late, sound=[Sound(duration_s=1.9)], subtitles=[])
    whole = read_content(clip, decode=True).streams[0]
    part = read_content(clip, decode=True, start_s=0.1).streams[0]
    assert part.times_s == whole.times_s


def test_a_stopped_run_is_compared_as_far_as_it_came(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4")
    sound = [Sound(duration_s=0.5, metadata={"language": "eng"})]
    output = made(tmp_path / "out.mp4", picture=brighter, pts=PTS[:7], sound=sound)
    end = {"audio": 20, "video": 100}

    def before_the_end(packet: av.Packet[Any]) -> bool:
        end[packet.stream.type] -= 1
        return end[packet.stream.type] >= 0

    # the last packet of a stream that ends is another than that of one that goes on
    output = remuxed(output, tmp_path / "cut.mp4", edit=before_the_end)
    assert parts(clip, output) == ["frames", "audio stream 1 (aac)", "duration"]
    assert parts(clip, output, deep=True, is_partial=True) == []


@needs_ffmpeg
def test_neither_chapters_nor_a_subtitle_that_is_left_out_make_a_file_longer(
    tmp_path: Path,
) -> None:
    line = [Subtitle(start_s=0.1, end_s=5.0)]
    clip = made(tmp_path / "in.mkv", sound=[], subtitles=line)
    output = made(tmp_path / "out.mkv", sound=[], subtitles=[], picture=brighter)
    assert parts(clip, output, omitted=frozenset({1})) == []
    chapters = [(0.0, 0.4, "dusk"), (0.4, 3.0, "night")]
    clip = remuxed(output, tmp_path / "chapters.mkv", chapters=chapters)
    bright = made(tmp_path / "bright.mp4", sound=[], picture=brighter)
    assert parts(clip, remuxed(bright, tmp_path / "out.mp4", chapters=chapters)) == []


def test_a_last_frame_that_is_held_too_long_is_found(tmp_path: Path) -> None:
    times = (*range(20), 140, 141)  # a gap of 4 s
    clip = made(tmp_path / "in.mkv", pts=times, sound=[], subtitles=[])
    output = made(tmp_path / "out.mkv", pts=times, picture=brighter, sound=[], subtitles=[])
    before, after = read_content(clip, decode=True), read_content(output, decode=False)
    assert list(compare_contents(before, after, Expectation())) == []
    assert after.duration_s is not None
    after.duration_s += 1.0
    found = list(compare_contents(before, after, Expectation()))
    assert [difference.part for difference in found] == ["duration"]


def test_a_stream_with_nothing_in_the_part_may_be_missing(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4", sound=[Sound(start_s=0.6, duration_s=0.3)])
    for count, differs in ((7, []), (11, ["audio streams"])):
        output = made(tmp_path / f"{count}.mp4", picture=brighter, pts=PTS[:count], sound=[])
        assert parts(clip, output, end_s=(PTS[count] - 0.5) / 30) == differs


def test_a_check_raises_with_the_first_difference(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4")
    output = made(tmp_path / "out.mp4", picture=brighter, pts=PTS[:-1], rotation=180)
    with pytest.raises(VerificationError) as caught:
        verify_file(clip, output).check(output)
    assert str(caught.value).startswith(f"{output}: differs from its input: frames: 12 expected")
    assert str(caught.value).endswith(" more")


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    clip = made(tmp_path / "in.mp4")
    with pytest.raises(SinkError, match=r"the written file cannot be read: .*: no such file"):
        verify_file(clip, tmp_path / "out.mp4")
    with pytest.raises(SourceError, match="no such file"):
        verify_file(tmp_path / "gone.mp4", clip)
