"""`enhance_file` from end to end: real decoder, network and encoder; ffmpeg looks at the result."""

import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Picture, Sound, dim, make_clip
from ffprobe import Probe, needs_ffmpeg, psnr_db
from fidelity import (
    assert_same_description,
    assert_same_pictures,
    assert_same_side_streams,
    assert_same_times,
)
from numpy.typing import NDArray

import streamlight
from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image
from streamlight.pipeline import Outcome, PipelineReport, Prior

STRICT = streamlight.ReaderOptions(strict=True)
NEARLY_LOSSLESS = streamlight.EncoderOptions(crf=1, preset="ultrafast")
UNCHANGED = streamlight.Look(strength=0)
MODEL = "gladnet-fast"
NETWORK: dict[str, Any] = {"model": MODEL, "sampling": "nearest"}
"""One look a picture, where no picture is looked at: the default's many take seconds."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@needs_ffmpeg
@pytest.mark.parametrize("matrix", [Matrix.BT709, Matrix.SMPTE170M])
@pytest.mark.parametrize("range_", [Range.LIMITED, Range.FULL])
def test_without_strength_the_output_is_the_input(tmp_path: Path, matrix: int, range_: int) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        size=(98, 62),
        pts=(0, 3, 4, 9, 10, 20),
        time_base=Fraction(1, 30),
        picture=dim,
        color=ColorSpec(matrix, range_),
        options={"crf": "1"},
        sound=[Sound()],
        metadata={"title": "a night"},
    )
    target = tmp_path / "out.mp4"
    result = streamlight.enhance_file(
        clip, target, model=MODEL, look=UNCHANGED, encoder=NEARLY_LOSSLESS
    )
    assert result.output == target
    assert result.notes == []
    assert result.report.outcome is Outcome.END_OF_STREAM
    assert result.report.frames_out == 6
    before, after = Probe(clip), Probe(target)
    assert_same_times(before, after)
    assert_same_side_streams(before, after)
    assert_same_description(before, after)
    assert_same_pictures(before, after)


def mean_level(path: Path) -> float:
    with streamlight.FileSource(path) as source:
        return float(np.mean([frame.image.mean() for frame in source]))


def test_a_dark_clip_comes_out_brighter(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    streamlight.enhance_file(clip, tmp_path / "out.mp4", model=MODEL)
    assert mean_level(tmp_path / "out.mp4") > 1.5 * mean_level(clip)


def test_each_frame_is_what_the_enhancer_makes_of_it(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv", pixel_format="yuv444p", picture=dim, options={"qp": "0"}
    )
    encoder = streamlight.EncoderOptions(crf=0, preset="ultrafast")
    streamlight.enhance_file(
        clip, tmp_path / "out.mkv", model=MODEL, encoder=encoder, smoothing_s=0
    )
    with (
        streamlight.FileSource(clip) as before,
        streamlight.FileSource(tmp_path / "out.mkv") as after,
        streamlight.Enhancer.open(MODEL) as enhancer,
    ):
        for one, other in zip(before, after, strict=True):
            difference = np.abs(enhancer(one.image).astype(int) - other.image)
            assert difference.max() <= 3  # rounding to YCbCr and back


def flat(index: int, width: int, height: int) -> Picture:
    """Dark, and different in every quarter, so that halves cannot be mistaken."""
    image = np.full((height, width, 3), 20, np.uint8)
    image[: height // 2, : width // 2] = (40, 20, 20)
    image[height // 2 :, width // 2 :] = (20, 20, 40)
    return image


def enhanced_for_a_viewer(clip: Path, target: Path, compare: str) -> NDArray[np.uint8]:
    """Enhance, and turn the first picture as a player does."""
    look = streamlight.Look(compare=compare)  # type: ignore[arg-type]
    streamlight.enhance_file(
        clip, target, model=MODEL, look=look, encoder=NEARLY_LOSSLESS, overwrite=True
    )
    picture: NDArray[np.uint8] = Probe(target).decode(rotate=True)[0]
    return picture


@needs_ffmpeg
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_comparing_shows_the_input_to_the_left_of_the_viewer(tmp_path: Path, degrees: int) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        size=(96, 64),
        frames=2,
        picture=flat,
        options={"crf": "1"},
        rotation=degrees,
    )
    target = tmp_path / "out.mp4"
    before = Probe(clip).decode(rotate=True)[0]
    height, width = before.shape[:2]
    after = enhanced_for_a_viewer(clip, target, "none")
    assert after.mean() > 1.3 * before.mean()

    side = enhanced_for_a_viewer(clip, target, "side")
    assert side.shape == (height, 2 * width, 3)
    inner = slice(4, -4)  # chroma of the halves mixes where they meet
    assert psnr_db(side[None, :, :width][:, :, inner], before[None, :, inner]) > 40
    assert psnr_db(side[None, :, width:][:, :, inner], after[None, :, inner]) > 40

    split = enhanced_for_a_viewer(clip, target, "split")
    assert split.shape == (height, width, 3)
    left, right = slice(0, width // 2 - 4), slice(width // 2 + 4, width)
    assert psnr_db(split[None, :, left], before[None, :, left]) > 40
    assert psnr_db(split[None, :, right], after[None, :, right]) > 40


def test_the_caller_hears_of_the_start_and_of_the_progress(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    opened: list[tuple[int | None, str]] = []
    reports: list[PipelineReport] = []

    def on_open(source: streamlight.FileSource, enhancer: streamlight.Enhancer) -> None:
        opened.append((source.info.frame_count, enhancer.model.name))

    streamlight.enhance_file(
        clip,
        tmp_path / "out.mp4",
        model=MODEL,
        on_open=on_open,
        on_progress=reports.append,
    )
    assert opened == [(10, MODEL)]
    assert reports[-1].frames_out == 10


class StopAfter:
    """Sets an event once a few frames are written."""

    def __init__(self, frames: int) -> None:
        self.event = threading.Event()
        self._frames = frames

    def __call__(self, report: PipelineReport) -> None:
        if report.frames_out >= self._frames:
            self.event.set()


@pytest.fixture
def slow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a run of 200 frames take seconds."""
    reconstruct = streamlight.Enhancer.reconstruct

    def slow(self: streamlight.Enhancer, image: Image, prior: Prior) -> Image:
        time.sleep(0.02)
        return reconstruct(self, image, prior)

    monkeypatch.setattr(streamlight.Enhancer, "reconstruct", slow)


def test_a_stopped_run_leaves_nothing(tmp_path: Path, slow_network: None) -> None:
    clip, stop = make_clip(tmp_path / "clip.mp4", frames=200), StopAfter(3)
    result = streamlight.enhance_file(
        clip, tmp_path / "out.mp4", model=MODEL, stop=stop.event, on_progress=stop
    )
    assert result.report.outcome is Outcome.STOPPED
    assert result.output is None
    assert names(tmp_path) == ["clip.mp4"]


def test_a_stopped_run_can_keep_what_is_done(tmp_path: Path, slow_network: None) -> None:
    clip, stop = make_clip(tmp_path / "clip.mp4", frames=200), StopAfter(3)
    result = streamlight.enhance_file(
        clip,
        tmp_path / "out.mp4",
        model=MODEL,
        stop=stop.event,
        on_progress=stop,
        keep_partial=True,
    )
    assert result.report.outcome is Outcome.STOPPED
    assert result.output == tmp_path / "out.mp4"
    assert frames_of(tmp_path / "out.mp4") == result.report.frames_out >= 3
    assert names(tmp_path) == ["clip.mp4", "out.mp4"]


def test_a_run_that_was_stopped_before_it_began_keeps_no_empty_file(tmp_path: Path) -> None:
    clip, stop = make_clip(tmp_path / "clip.mp4"), threading.Event()
    stop.set()
    result = streamlight.enhance_file(
        clip, tmp_path / "out.mp4", **NETWORK, stop=stop, keep_partial=True
    )
    assert result.output is None
    assert names(tmp_path) == ["clip.mp4"]


def cut_off(path: Path) -> Path:
    clip = make_clip(path, frames=100, picture=dim, muxer_options={"movflags": "faststart"})
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    return clip


def test_a_run_that_fails_leaves_nothing(tmp_path: Path, no_thread_left: None) -> None:
    clip = cut_off(tmp_path / "clip.mp4")
    with pytest.raises(streamlight.SourceError, match="the file is cut off after"):
        streamlight.enhance_file(clip, tmp_path / "out.mp4", **NETWORK, reader=STRICT)
    assert names(tmp_path) == ["clip.mp4"]


def test_a_run_that_fails_can_keep_what_is_done(tmp_path: Path) -> None:
    clip = cut_off(tmp_path / "clip.mp4")
    with pytest.raises(streamlight.SourceError, match="the file is cut off after"):
        streamlight.enhance_file(
            clip, tmp_path / "out.mp4", **NETWORK, reader=STRICT, keep_partial=True
        )
    assert frames_of(tmp_path / "out.mp4") > 10
    assert names(tmp_path) == ["clip.mp4", "out.mp4"]


def test_of_a_file_that_is_cut_off_there_is_all_up_to_the_cut(tmp_path: Path) -> None:
    clip = cut_off(tmp_path / "clip.mp4")
    result = streamlight.enhance_file(clip, tmp_path / "out.mp4", **NETWORK)
    assert result.is_cut_off
    assert any("the file is cut off after" in note for note in result.notes)
    assert 10 < frames_of(tmp_path / "out.mp4") == result.report.frames_out < 100


def test_damage_is_noted_and_strict_refuses_it(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", codec="mpeg4", frames=20, picture=dim)
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][10]
    assert packet.pos is not None
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    clip.write_bytes(data)
    result = streamlight.enhance_file(clip, tmp_path / "out.mp4", **NETWORK)
    assert result.notes == ["1 damaged packet of the video was skipped"]
    assert result.report.frames_out == 19
    with pytest.raises(streamlight.SourceError, match="the video is damaged near its packet"):
        streamlight.enhance_file(
            clip, tmp_path / "out.mp4", **NETWORK, reader=STRICT, overwrite=True
        )
    assert frames_of(tmp_path / "out.mp4") == 19, "the older output is kept"


def test_a_wrong_target_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the network was opened")

    monkeypatch.setattr(streamlight.Enhancer, "open", never)
    with pytest.raises(streamlight.UsageError, match="input and output are the same file"):
        streamlight.enhance_file(clip, clip, overwrite=True)
    with pytest.raises(streamlight.SinkError, match="unknown extension"):
        streamlight.enhance_file(clip, tmp_path / "out.xyz")
    with pytest.raises(streamlight.SourceError, match="no such file"):
        streamlight.enhance_file(tmp_path / "missing.mp4", tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


@needs_ffmpeg
def test_as_many_frames_at_once_as_asked_with_the_same_result(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=(98, 62), frames=9, picture=dim)
    seen: list[int] = []

    def note(source: object, enhancer: streamlight.Enhancer) -> None:
        seen.append(enhancer.parallel)

    targets = [tmp_path / f"{streams}.mp4" for streams in (1, 3)]
    for streams, target in zip((1, 3), targets, strict=True):
        streamlight.enhance_file(clip, target, model=MODEL, streams=streams, on_open=note)
    assert seen == [1, 3]
    assert_same_pictures(Probe(targets[0]), Probe(targets[1]), least_psnr_db=60)
