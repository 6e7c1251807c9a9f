"""Inputs that are missing, damaged, cut off or not videos: one clear error, or a counted skip."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.stream
import numpy as np
import pytest
from clips import Sound, Subtitle, bars, dim, grey_picture, make_clip, number_of, to_frame

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources import FileSource


def read_all(path: Path, *, strict: bool = False) -> int:
    with FileSource(path, strict=strict) as source:
        return sum(1 for _ in source)


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("not a video\n" * 50)


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "no such file"),
        (folder, "is a folder; a video file was expected"),
        (empty, "the file is empty"),
        (text, "not a video, or damaged beyond reading"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(SourceError, match=f"clip.mp4: {message}"):
        FileSource(path)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        FileSource(tmp_path / ("long" * 100))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    clip.chmod(0)
    with pytest.raises(SourceError, match="no permission to read it"):
        FileSource(clip)


def silence() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
    frame.sample_rate, frame.pts = 44100, 0
    return frame


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        stream = container.add_stream("aac", 44100)
        container.mux([*stream.encode(silence()), *stream.encode(None)])
    with pytest.raises(UnsupportedSourceError, match=r"no video in it \(it holds: audio\)"):
        FileSource(tmp_path / "song.mp4")


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        sound = container.add_stream("aac", 44100)
        cover = container.add_stream("mjpeg", 1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = to_frame(grey_picture(3, 32, 32), "yuvj420p", ColorSpec())
        picture.pts = 0
        container.mux([*cover.encode(picture), *cover.encode(None)])
        container.mux([*sound.encode(silence()), *sound.encode(None)])
    with pytest.raises(UnsupportedSourceError, match="there is no video in it"):
        FileSource(tmp_path / "song.mp4")


def cut_off(path: Path) -> Path:
    """A clip of which 6 tenths of the bytes are left."""
    clip = make_clip(
        path,
        codec="mpeg4" if path.suffix == ".avi" else "libx264",
        frames=100,
        picture=dim,
        muxer_options={"movflags": "faststart"} if path.suffix == ".mp4" else {},
    )
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    return clip


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.flv"])
def test_a_file_that_is_cut_off_gives_everything_up_to_the_cut(tmp_path: Path, name: str) -> None:
    with FileSource(cut_off(tmp_path / name)) as source:
        frames = list(source)
        note = source.notes[-1]
    assert 20 < len(frames) < 90
    assert note.startswith("the file is cut off after ")
    if name.endswith("mp4"):
        assert note == f"the file is cut off after {len(frames)} of 100 frames"
    places = [(frame.time_s - frames[0].time_s) * 25 for frame in frames]
    assert places == pytest.approx([round(place) for place in places], abs=0.05)
    assert places[:-4] == pytest.approx(range(len(frames) - 4), abs=0.05)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.flv"])
def test_strict_fails_where_a_file_is_cut_off(tmp_path: Path, name: str) -> None:
    clip = cut_off(tmp_path / name)
    with pytest.raises(SourceError, match=rf"{name}: the file is cut off after \d+"):
        read_all(clip, strict=True)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_strict_gives_every_frame_before_the_cut(tmp_path: Path, name: str) -> None:
    clip = cut_off(tmp_path / name)
    found = []
    with (
        FileSource(clip, strict=True) as source,
        pytest.raises(SourceError, match="is cut off after") as raised,
    ):
        for frame in source:
            found.append(frame.index)
    assert found == list(range(read_all(clip)))
    assert f"after {len(found)} " in str(raised.value)


def test_a_part_of_a_file_that_is_cut_off_later_is_whole(tmp_path: Path) -> None:
    with FileSource(cut_off(tmp_path / "clip.mp4"), strict=True, end_s=1.0) as source:
        assert len(list(source)) == 25
        assert source.notes == []


def test_a_part_that_reaches_to_the_cut_says_so(tmp_path: Path) -> None:
    clip = cut_off(tmp_path / "clip.mp4")
    whole = read_all(clip)
    with FileSource(clip, start_s=1.0) as source:
        assert len(list(source)) == whole - 25
        assert source.notes == [f"the file is cut off after {whole} of 100 frames"]


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=100, picture=dim)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="not a video, or damaged beyond reading"):
        FileSource(clip)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_whole_file_is_not_taken_for_one_that_is_cut_off(tmp_path: Path, name: str) -> None:
    """Pictures that stand for seconds, and a subtitle that outlasts them."""
    subtitles = [Subtitle(start_s=1, end_s=30)] if name.endswith("mkv") else []
    clip = make_clip(tmp_path / name, rate=Fraction(1, 3), frames=4, subtitles=subtitles)
    assert read_all(clip) == 4


def flip_bits(clip: Path, packets: Iterable[int]) -> None:
    """Damage the video packets with those numbers, in the order of the file."""
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        found = [p for p in container.demux(video=0) if p.size and p.pos is not None]
    for number in packets:
        start = found[number].pos
        assert start is not None
        for position in range(start, start + found[number].size):
            data[position] ^= 0xFF
    clip.write_bytes(data)


DAMAGE = [("libx264", {"bf": "0"}), ("mpeg4", {})]


@pytest.mark.parametrize(("codec", "options"), DAMAGE, ids=[codec for codec, _ in DAMAGE])
def test_damaged_packets_are_skipped_and_counted(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec=codec, frames=20, options=options, picture=dim)
    flip_bits(clip, (8, 13))
    with FileSource(clip) as source:
        frames = list(source)
    assert source.damaged_packets == 2
    assert [frame.index for frame in frames] == list(range(18))
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(19 / 25), "the rest keeps its time"


@pytest.mark.parametrize(("codec", "options"), DAMAGE, ids=[codec for codec, _ in DAMAGE])
def test_strict_fails_at_the_first_damaged_packet(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec=codec, frames=20, options=options, picture=dim)
    assert read_all(clip, strict=True) == 20
    flip_bits(clip, [13])
    with pytest.raises(SourceError, match=r"clip.mp4: the video is damaged near its packet 1\d"):
        read_all(clip, strict=True)


def test_strict_finds_damage_that_decoders_conceal(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=20, picture=dim)
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][10]
    assert packet.pos is not None
    for position in range(packet.pos + 12, packet.pos + packet.size):
        data[position] ^= 0xFF  # behind the header
    clip.write_bytes(data)
    assert read_all(clip) == 20
    with pytest.raises(SourceError, match="damaged near its packet"):
        read_all(clip, strict=True)


@pytest.mark.parametrize(
    ("name", "codec", "muxer"),
    [
        ("clip.ts", "mpeg2video", None),
        ("clip.ts", "libx264", None),
        ("clip.h264", "libx264", "h264"),
    ],
    ids=["mpeg2.ts", "x264.ts", "x264.h264"],
)
def test_a_change_of_size_in_mid_stream_is_scaled_to_the_first(
    tmp_path: Path, name: str, codec: str, muxer: str | None
) -> None:
    clip = make_clip(tmp_path / name, codec=codec, muxer=muxer)
    other = make_clip(tmp_path / f"other-{name}", codec=codec, muxer=muxer, size=(96, 64))
    clip.write_bytes(clip.read_bytes() + other.read_bytes())
    with FileSource(clip) as source:
        frames = list(source)
        notes = [note for note in source.notes if "picture changes" in note]
    assert [number_of(frame.image) for frame in frames] == [*range(10), *range(10)]
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert notes == [
        "the picture changes from 64x48 to 96x64 at frame 10; all are brought to the form of "
        "the first, 64x48 yuv420p"
    ]


def test_a_change_of_pixel_format_and_colours_in_mid_stream_changes_no_colour(
    tmp_path: Path,
) -> None:
    formats = {"yuv420p": Matrix.SMPTE170M, "yuv444p": Matrix.BT709}
    parts = [
        make_clip(
            tmp_path / f"{name}.h264",
            pixel_format=name,
            picture=bars,
            size=(96, 64),
            muxer="h264",
            color=ColorSpec(matrix, Range.LIMITED),
            options={"qp": "1"},
        )
        for name, matrix in formats.items()
    ]
    clip = tmp_path / "both.h264"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with FileSource(clip) as source:
        frames = list(source)
        assert source.pixel_format.name == "yuv420p"
        assert any("from yuv420p to yuv444p at frame 10" in note for note in source.notes)
    for one, other in zip(frames[:10], frames[10:], strict=True):
        inner = np.abs(one.image.astype(int) - other.image)[4:12, 4:12]
        assert inner.max() <= 6


def test_a_size_that_changes_all_the_time_is_told_a_few_times_only(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.ts", codec="mpeg2video", frames=3)
    large = make_clip(tmp_path / "large.ts", codec="mpeg2video", frames=3, size=(96, 64))
    clip = tmp_path / "clip.ts"
    clip.write_bytes((small.read_bytes() + large.read_bytes()) * 4)
    with FileSource(clip) as source:
        assert len(list(source)) == 24
        notes = [note for note in source.notes if "picture changes" in note]
    assert len(notes) == 4
    assert notes[-1] == "the picture changes its form more often"


def test_a_change_of_the_shape_of_pixels_is_told(tmp_path: Path) -> None:
    clip = tmp_path / "clip.h264"
    parts = [
        make_clip(tmp_path / f"{n}.h264", muxer="h264", sample_aspect_ratio=Fraction(n, 3))
        for n in (4, 5)
    ]
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with FileSource(clip) as source:
        assert source.sample_aspect_ratio == Fraction(4, 3)
        assert len(list(source)) == 20
        assert source.notes == ["the shape of the pixels changes; that of the first ones is kept"]


def test_transparency_is_left_out_with_a_note(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mov"
    with av.open(str(clip), "w") as container:
        video = container.add_stream("png", 25)
        video.width, video.height, video.pix_fmt = 64, 48, "rgba"
        for index in range(3):
            image = np.full((48, 64, 4), 40 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgba")
            frame.pts = index
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    with FileSource(clip) as source:
        assert source.notes == ["the transparency of the picture is left out"]
        assert [int(frame.image.mean()) for frame in source] == [0, 40, 80]


def test_the_rest_of_a_file_whose_decoder_gives_up_is_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=20, picture=dim)
    flip_bits(clip, range(10, 20))
    with FileSource(clip) as source:
        assert len(list(source)) == 10
        assert source.damaged_packets == 10


def decoded_one_by_one(clip: Path) -> list[float]:
    """Times of the pictures that a decoder with one thread makes, damage or not."""
    times = []
    with av.open(str(clip)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for packet in container.demux(video=0):
            with suppress(av.error.InvalidDataError):
                times += [frame.time for frame in packet.decode()]
    return times


@pytest.mark.parametrize(("codec", "options"), DAMAGE, ids=[codec for codec, _ in DAMAGE])
@pytest.mark.parametrize("number", range(13, 20))
def test_damage_near_the_end_takes_no_other_picture_with_it(
    tmp_path: Path, codec: str, options: dict[str, str], number: int
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec=codec, frames=20, options=options, picture=dim)
    flip_bits(clip, [number])
    with FileSource(clip) as source:
        times = [frame.time_s for frame in source]
        assert source.damaged_packets == 1
    assert times == pytest.approx(decoded_one_by_one(clip))
    with pytest.raises(SourceError, match="damaged near its packet"):
        read_all(clip, strict=True)


def damage_transport_stream(clip: Path, start: float, end: float) -> None:
    """Overwrite a part of the packets, of 188 bytes each, but not their heads."""
    data = bytearray(clip.read_bytes())
    count = len(data) // 188
    for number in range(int(start * count), int(end * count)):
        data[number * 188 : (number + 1) * 188] = b"\x47\x1f\xff\x10" + b"\xff" * 184
    clip.write_bytes(data)


def test_a_transport_stream_with_a_hole_goes_on_behind_it(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.ts",
        frames=60,
        picture=dim,
        options={"g": "10"},
        sound=[Sound("mp2", duration_s=2.4)],
    )
    damage_transport_stream(clip, 0.4, 0.5)
    with FileSource(clip) as source:
        frames = list(source)
        assert any(n.startswith("parts of the video are missing at ") for n in source.notes)
    assert 40 < len(frames) < 60
    assert frames[-1].time_s == pytest.approx(59 / 25, abs=0.03), "the rest keeps its time"
    with pytest.raises(SourceError, match="damaged near"):
        read_all(clip, strict=True)


def test_a_source_that_failed_to_open_holds_no_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=3)
    flip_bits(clip, range(3))
    held = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()
    with pytest.raises(SourceError, match="no picture could be decoded; the file is damaged"):
        FileSource(clip)
    if held:
        assert set(os.listdir("/proc/self/fd")) == held
