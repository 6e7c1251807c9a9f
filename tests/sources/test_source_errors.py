"""Inputs that are missing, damaged, cut off or not videos: one clear error, or a counted skip."""

import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.stream
import numpy as np
import pytest
from clips import Sound, Subtitle, dim, grey_picture, make_clip, number_of, to_frame

from streamlight.color import ColorSpec
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


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_file_that_is_cut_off_gives_its_frames_and_then_fails(tmp_path: Path, name: str) -> None:
    clip = make_clip(
        tmp_path / name,
        frames=100,
        picture=dim,
        muxer_options={"movflags": "faststart"} if name.endswith("mp4") else {},
    )
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    seen = 0
    with FileSource(clip) as source:
        with pytest.raises(SourceError, match=r"cut off after \d+ .*--keep-partial") as caught:
            for _ in source:
                seen += 1
        assert ("of 100 frames" in str(caught.value)) == name.endswith("mp4")
    assert 20 < seen < 80


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
def test_a_change_of_size_in_mid_stream_ends_with_its_place_and_a_remedy(
    tmp_path: Path, name: str, codec: str, muxer: str | None
) -> None:
    clip = make_clip(tmp_path / name, codec=codec, muxer=muxer)
    other = make_clip(tmp_path / f"other-{name}", codec=codec, muxer=muxer, size=(96, 64))
    clip.write_bytes(clip.read_bytes() + other.read_bytes())
    seen: list[int] = []
    with (
        FileSource(clip) as source,
        pytest.raises(SourceError, match=r"from 64x48 to 96x64 at frame (9|10); cut the file"),
    ):
        seen.extend(number_of(frame.image) for frame in source)
    assert seen == list(range(len(seen)))
    assert len(seen) >= 9


def test_recordings_joined_byte_by_byte_are_refused_where_the_clock_jumps_back(
    tmp_path: Path,
) -> None:
    clip = make_clip(tmp_path / "clip.ts", frames=40, sound=[Sound(duration_s=1.6)])
    clip.write_bytes(clip.read_bytes() * 2)
    with pytest.raises(SourceError, match=r"clock jumps back to 0\.\d s.*ffmpeg -f concat"):
        read_all(clip)


def test_a_source_that_failed_to_open_holds_no_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=3)
    flip_bits(clip, range(3))
    held = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else set()
    with pytest.raises(SourceError, match="no picture could be decoded; the file is damaged"):
        FileSource(clip)
    if held:
        assert set(os.listdir("/proc/self/fd")) == held
