"""Colours that were written, against the float definition and against ffmpeg's decoder."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import LUMA_WEIGHTS, bars, dim, make_clip, yuv_to_rgb
from ffprobe import Probe, needs_ffmpeg
from fidelity import LOSSLESS, assert_same_description, assert_same_pictures, copy_clip
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range

SIZE = (176, 192)
RANGES = [Range.LIMITED, Range.FULL]


def stored_yuv(path: Path) -> NDArray[np.uint8]:
    """Samples of the first picture as they lie in the file: (H, W, 3) of 4:4:4."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name in ("yuv444p", "yuvj444p")
        planes = [np.frombuffer(memoryview(plane), np.uint8) for plane in frame.planes]
        rows = [p.reshape(frame.height, -1)[:, : frame.width] for p in planes]
    return np.stack(rows, axis=-1)


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_each_matrix_and_range_survives_the_way_through_rgb(
    tmp_path: Path, matrix: int, range_: int
) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv",
        pixel_format="yuv444p",
        size=SIZE,
        frames=1,
        picture=bars,
        color=ColorSpec(matrix, range_),
        options={"qp": "0"},
    )
    copy_clip(clip, tmp_path / "out.mkv", LOSSLESS)
    is_full = range_ == Range.FULL
    meant = yuv_to_rgb(stored_yuv(clip), matrix, is_full)
    written = yuv_to_rgb(stored_yuv(tmp_path / "out.mkv"), matrix, is_full)
    error = written - meant
    assert np.abs(error).max() < 4  # each step rounds to whole levels
    assert np.abs(error).mean() < 0.5
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.25, "a drift of colour"


@needs_ffmpeg
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", [Matrix.BT709, Matrix.SMPTE170M, Matrix.BT2020_NCL])
def test_ffmpeg_sees_the_same_tags_and_a_dark_picture_unchanged(
    tmp_path: Path, matrix: int, range_: int
) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        size=SIZE,
        frames=3,
        picture=dim,
        color=ColorSpec(matrix, range_, primaries=matrix, transfer=14),
        options={"qp": "0"},
    )
    copy_clip(clip, tmp_path / "out.mp4")
    before, after = Probe(clip), Probe(tmp_path / "out.mp4")
    assert before.video["color_space"] == {1: "bt709", 6: "smpte170m", 9: "bt2020nc"}[matrix]
    assert_same_description(before, after)
    assert_same_pictures(before, after, least_psnr_db=48)


@needs_ffmpeg
def test_three_generations_neither_drift_nor_blur(tmp_path: Path) -> None:
    """Chroma that moves by half a pixel each time gives 38 dB here."""
    first = make_clip(tmp_path / "clip.mp4", size=SIZE, frames=2, picture=dim, options={"qp": "0"})
    clip = first
    for generation in range(3):
        copy_clip(clip, tmp_path / f"{generation}.mp4", LOSSLESS)
        clip = tmp_path / f"{generation}.mp4"
    assert_same_pictures(Probe(first), Probe(clip), least_psnr_db=48)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("size", "matrix"), [((64, 48), "smpte170m"), ((64, 576), "bt470bg"), ((1280, 16), "bt709")]
)
def test_a_guess_is_written_down_so_that_players_make_the_same(
    tmp_path: Path, size: tuple[int, int], matrix: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size=size, frames=1)
    copy_clip(clip, tmp_path / "out.mp4")
    video = Probe(tmp_path / "out.mp4").video
    assert (video["color_space"], video["color_range"]) == (matrix, "tv")
    assert "color_primaries" not in video, "what was never used is not guessed"


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("png.mov", {"codec": "png", "pixel_format": "rgb24"}),
        ("rgb.mkv", {"codec": "libx264rgb", "pixel_format": "rgb24", "options": {"qp": "0"}}),
        ("full.mkv", {"codec": "ffv1", "color": ColorSpec(Matrix.BT709, Range.FULL)}),
        ("grey.mkv", {"codec": "ffv1", "pixel_format": "gray"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_look_the_same_as_yuv(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    clip = make_clip(tmp_path / name, size=SIZE, frames=2, picture=dim, **how)
    copy_clip(clip, tmp_path / "out.mp4", LOSSLESS)
    # not 45 dB: ffmpeg before 7 takes the chroma to lie half a pixel beside where H.264 puts it
    assert_same_pictures(Probe(clip), Probe(tmp_path / "out.mp4"), least_psnr_db=43)
