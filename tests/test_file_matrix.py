"""`enhance_file` from end to end over what people's files are; ffprobe and `verify_file` judge.

Every value of a column meets a few of the other columns, not all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import Picture, Sound, make_clip
from ffprobe import Probe, needs_ffmpeg

import streamlight
from streamlight.color import ColorSpec, Matrix, Range
from streamlight.verify import verify_file

pytestmark = needs_ffmpeg

FRAMES = 9
VARIABLE = (0, 3, 4, 9, 10, 20, 21, 30, 31)
UNCHANGED = streamlight.Look(strength=0)
ANY = ColorSpec()
LIMITED = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1)
FULL = ColorSpec(Matrix.BT709, Range.FULL, 1, 1)
OLD_FULL = ColorSpec(Matrix.SMPTE170M, Range.FULL, 6, 6)
WIDE = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, 9, 14)
RGB = ColorSpec(Matrix.RGB, Range.FULL, 1, 1)


@dataclass(frozen=True, slots=True)
class Case:
    """A clip, and the container that it goes to.

    Attributes:
        source: extension of the clip.
        codec: encoder of libavcodec, for the clip.
        pixel_format: of the clip.
        target: extension of the output.
        size: width and height.
        color: tags of the clip.
        rotation: degrees counter-clockwise.
        is_variable: whether the frames are apart by times of their own.
        sound: codec of the sound; "" for none.
        notes: beginnings of all that is said of the output.
    """

    source: str
    codec: str
    pixel_format: str = "yuv420p"
    target: str = "mkv"
    size: tuple[int, int] = (64, 48)
    color: ColorSpec = ANY
    rotation: int = 0
    is_variable: bool = False
    sound: str = ""
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        """Name the case as pytest shall show it."""
        words = [f"{self.source}-{self.codec}-{self.pixel_format}", f"to-{self.target}"]
        words += ["x".join(map(str, self.size))] if self.size != (64, 48) else []
        words += [f"matrix{self.color.matrix}-range{self.color.range}"] * (self.color != ANY)
        words += [f"turned{self.rotation}"] * bool(self.rotation) + ["vfr"] * self.is_variable
        return "-".join([*words, self.sound] if self.sound else words)


OPTIONS = {
    "libx264": {"g": "6", "bf": "2"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:bframes=2:keyint=6"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "mpeg4": {"g": "6", "q": "2"},
    "prores_ks": {},
}

TITLE = "metadata (title) is left out: a .ts file holds none"
ALPHA = "the transparency of the picture is left out"
CONTAINER_CASES = [
    # containers, with the codecs that live in them
    Case("mp4", "libx264", target="mp4", sound="aac"),
    Case("mp4", "libx264", target="mkv", sound="aac", is_variable=True),
    Case("mp4", "libx264", target="mov", sound="aac", rotation=90),
    Case("mp4", "libx264", target="ts", sound="aac", notes=[TITLE]),
    Case("mov", "libx264", target="avi", sound="pcm_s16le"),
    Case("mp4", "libx264", target="avi"),
    Case("mp4", "libx264", target="webm"),
    Case("mov", "libx264", target="mp4", sound="aac", color=LIMITED),
    Case("mov", "libx264", target="mov", sound="pcm_s16le", rotation=-90),
    Case("mkv", "libx264", target="mkv", sound="flac", is_variable=True),
    Case("mkv", "libx264", target="mp4", sound="aac", is_variable=True),
    Case("mkv", "libx264", target="webm", sound="libopus"),
    Case("webm", "libvpx-vp9", target="webm", sound="libopus"),
    Case("webm", "libvpx-vp9", target="mkv", sound="libopus", is_variable=True),
    Case("webm", "libvpx-vp9", target="mp4", sound="libopus"),
    Case("avi", "mpeg4", target="avi", sound="libmp3lame"),
    Case("avi", "mpeg4", target="mkv", sound="libmp3lame"),
    Case("avi", "mpeg4", target="mp4", sound="libmp3lame"),
    Case("avi", "mjpeg", "yuvj420p", target="mp4"),
    Case("ts", "libx264", target="ts", sound="mp2"),
    Case("ts", "libx264", target="mp4", sound="aac"),
    Case("ts", "mpeg2video", target="mkv", sound="mp2"),
    Case("ts", "libx265", target="mp4", sound="aac"),
]
OTHER_CASES = [
    # samplings and depths
    Case("mp4", "libx264", "yuv422p", target="mp4", color=LIMITED),
    Case("mp4", "libx264", "yuv444p", target="mkv", color=LIMITED),
    Case("mkv", "libx264", "gray", target="mp4", color=LIMITED),
    Case("mp4", "libx264", "nv12", target="mov", color=FULL),
    Case("mkv", "libx264rgb", "rgb24", target="mkv", color=RGB),
    Case("mp4", "libx265", "yuv422p", target="mp4", color=LIMITED),
    Case("mkv", "libx265", "yuv444p", target="mkv", color=FULL),
    Case("mkv", "libx265", "gbrp", target="mp4", color=RGB),
    Case("mp4", "libx265", "gray", target="mp4", color=LIMITED),
    Case("mp4", "libx264", "yuv420p10le", target="mp4", color=LIMITED),
    Case("mkv", "libx265", "yuv420p10le", target="mkv", color=WIDE),
    Case("mkv", "libx265", "yuv422p10le", target="mov", color=LIMITED),
    Case("mkv", "libx265", "yuv444p12le", target="mkv", color=LIMITED),
    Case("webm", "libvpx-vp9", "yuv444p", target="mkv", color=LIMITED),
    Case("webm", "libvpx-vp9", "yuva420p", target="webm", notes=[ALPHA]),
    Case("webm", "libvpx-vp9", "yuva420p", target="mp4", notes=[ALPHA]),
    Case("mkv", "ffv1", "yuv420p", target="mkv"),
    Case("mkv", "ffv1", "yuv422p", target="mov", color=LIMITED),
    Case("mkv", "ffv1", "yuv444p10le", target="mkv", color=LIMITED),
    Case("mkv", "ffv1", "gray", target="mkv"),
    Case("mkv", "ffv1", "bgr0", target="mkv", color=RGB),
    Case("avi", "ffv1", "yuv422p", target="mkv"),
    Case("mov", "prores_ks", "yuv422p10le", target="mov", color=LIMITED, sound="pcm_s16le"),
    Case("mov", "prores_ks", "yuv444p10le", target="mp4", color=LIMITED),
    Case("mov", "mjpeg", "yuvj422p", target="mov"),
    Case("mkv", "mjpeg", "yuvj444p", target="mp4", is_variable=True),
    # ranges and matrices
    Case("mp4", "libx264", target="mkv", color=FULL),
    Case("mp4", "libx264", target="mp4", color=OLD_FULL),
    Case("mkv", "libx265", "yuv420p", target="ts", color=FULL, notes=[TITLE]),
    Case("mp4", "libx264", target="webm", color=OLD_FULL),
    # turned
    Case("mp4", "libx265", target="mp4", rotation=180),
    Case("mov", "mjpeg", "yuvj420p", target="mp4", rotation=90),
    Case("mp4", "mpeg4", target="mkv", rotation=90, is_variable=True),
    # sizes
    Case("mkv", "ffv1", "yuv444p", size=(1, 1)),
    Case("mkv", "ffv1", "yuv420p", size=(1, 1)),
    Case("mkv", "ffv1", "bgr0", target="mp4", size=(1, 1), color=RGB),
    Case("mp4", "libx264", target="mp4", size=(2, 2)),
    Case("mkv", "libvpx-vp9", target="mp4", size=(3, 5)),
    Case("mkv", "ffv1", "gray", target="mov", size=(3, 5)),
    Case("mkv", "libvpx-vp9", target="webm", size=(3, 5)),
    Case("webm", "libvpx-vp9", target="mp4", size=(161, 121), sound="libopus"),
    Case("mkv", "ffv1", "yuv422p", target="mkv", size=(161, 121), color=LIMITED),
    Case("mkv", "ffv1", "yuv420p10le", target="mp4", size=(161, 121), color=LIMITED),
    Case("mkv", "libx264", "yuv444p", target="ts", size=(161, 121), notes=[TITLE]),
    Case("avi", "mjpeg", "yuvj420p", target="avi", size=(161, 121)),
]


QUICK_CASES = [*CONTAINER_CASES, *OTHER_CASES[::3]]
SLOW_CASES = [case for case in OTHER_CASES if case not in QUICK_CASES]


@pytest.fixture(scope="module")
def enhancer() -> Iterator[streamlight.Enhancer]:
    """One network for all cases; the smallest and fastest, whose result no case looks at."""
    with streamlight.Enhancer.open(
        "gladnet-fast", "openvino", parallel=None, sampling="nearest"
    ) as opened:
        yield opened


def moving(index: int, width: int, height: int) -> Picture:
    """A dark picture that is another in every frame, so that the order can be seen."""
    y, x = np.mgrid[:height, :width] + 5 * index
    channels = [20 + (11 * x * (c + 1) + 7 * y * (3 - c)) // 4 % 90 for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def sound_times_s(probe: Probe) -> dict[str, float]:
    """Presentation time of each packet of sound that states one, by what is in it."""
    packets = probe.packets(probe.of_type("audio")[0]["index"])
    return {packet.digest: packet.pts_s for packet in packets if packet.pts_s is not None}


def assert_together(before: Probe, after: Probe) -> None:
    """Same frames, as far apart; picture and sound are too, where both have a time.

    Where sound starts before 0 and the container has no such times, all starts later.
    """
    assert len(after.frame_times_s) == FRAMES
    moved = np.array(after.frame_times_s) - before.frame_times_s
    np.testing.assert_allclose(moved, moved[0], rtol=0, atol=1e-3)
    if not before.of_type("audio"):
        return
    one, other = sound_times_s(before), sound_times_s(after)
    sound = [other[digest] - one[digest] for digest in one.keys() & other.keys()]
    np.testing.assert_allclose(sound, moved[0], rtol=0, atol=1e-3)
    # AVI leaves out what is before 0; ADTS headers make other packets of AAC
    assert sound or {".ts"} & {before.path.suffix, after.path.suffix}


def clip_of(case: Case, folder: Path) -> Path:
    """Make the clip of a case."""
    return make_clip(
        folder / f"in.{case.source}",
        codec=case.codec,
        pixel_format=case.pixel_format,
        size=case.size,
        frames=FRAMES,
        pts=VARIABLE if case.is_variable else None,
        time_base=Fraction(1, 30) if case.is_variable else None,
        rate=30 if case.is_variable else 25,
        color=case.color,
        picture=moving,
        rotation=case.rotation,
        sound=[Sound(case.sound, rate_hz=48_000, duration_s=0.4)] if case.sound else [],
        metadata={"title": "a night"},
        options=OPTIONS.get(case.codec),
    )


@pytest.mark.parametrize(
    "case",
    [*QUICK_CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW_CASES)],
    ids=str,
)
@pytest.mark.usefixtures("no_thread_left")
def test_what_goes_in_comes_out(tmp_path: Path, enhancer: streamlight.Enhancer, case: Case) -> None:
    clip, target = clip_of(case, tmp_path), tmp_path / f"out.{case.target}"
    extra = ("cpu-used=8", "deadline=realtime") if case.target == "webm" else ()
    encoder = streamlight.EncoderOptions(
        crf=2, preset=None if case.target == "webm" else "ultrafast", extra=extra
    )
    result = streamlight.enhance_file(
        clip, target, enhancer=enhancer, look=UNCHANGED, encoder=encoder
    )
    assert result.output == target
    before, after = Probe(clip), Probe(target)
    assert_together(before, after)
    assert (after.video["width"], after.video["height"]) == case.size
    assert after.rotation == before.rotation
    assert len(after.of_type("audio")) == bool(case.sound)
    found = verify_file(clip, target, deep=True, expected=result.expected)
    assert [str(difference) for difference in found.differences] == []
    assert len(result.notes) == len(case.notes), result.notes
    assert all(map(str.startswith, result.notes, case.notes)), result.notes
