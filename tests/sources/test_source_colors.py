"""Decoded colours against the definition of H.273 in float64, which shares no code with swscale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import LUMA_WEIGHTS, Picture, bars, make_clip, rgb_to_yuv, rounded, yuv_to_rgb
from ffprobe import Probe, needs_ffmpeg
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.sources import FileSource

WIDTH, HEIGHT = 176, 192  # 132 blocks of 16x16: each of the 125 colours of `bars`
RANGES = [Range.LIMITED, Range.FULL]
LOSSLESS = {"qp": "0"}


def first_picture(path: Path) -> tuple[Picture, ColorSpec]:
    with FileSource(path) as source:
        return next(iter(source)).image, source.info.color


def bars_clip(path: Path, *, size: tuple[int, int] = (WIDTH, HEIGHT), **how: Any) -> Path:
    return make_clip(path, size=size, frames=1, picture=bars, **how)


def inside_blocks(image: NDArray[Any]) -> NDArray[Any]:
    """Leave out what lies within 4 pixels of another colour: there, subsampled chroma mixes."""
    rows, columns = (np.arange(side) % 16 // 4 for side in image.shape[:2])
    is_inside = np.isin(rows, (1, 2))[:, None] & np.isin(columns, (1, 2))
    return image[is_inside]


def assert_colors(image: Picture, matrix: int, is_full: bool, size: tuple[int, int]) -> None:
    """Compare with what the stored 8-bit YCbCr of `bars` means."""
    stored = rounded(rgb_to_yuv(bars(0, *size), matrix, is_full))
    error = inside_blocks(image - yuv_to_rgb(stored, matrix, is_full))
    assert np.abs(error).max() <= 1
    assert np.abs(error.mean(axis=0)).max() < 0.1, "a drift of colour"
    assert np.abs(error).mean() < 0.5


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_each_matrix_and_range_is_honoured(
    tmp_path: Path, matrix: int, range_: int, pixel_format: str
) -> None:
    tags = ColorSpec(matrix, range_)
    clip = bars_clip(tmp_path / "clip.mkv", pixel_format=pixel_format, color=tags, options=LOSSLESS)
    image, color = first_picture(clip)
    assert (color.matrix, color.range) == (matrix, range_)
    assert_colors(image, matrix, range_ == Range.FULL, (WIDTH, HEIGHT))


def test_the_matrices_differ_so_that_a_wrong_one_would_be_seen(tmp_path: Path) -> None:
    clip = bars_clip(tmp_path / "a.mkv", color=ColorSpec(Matrix.BT709), options=LOSSLESS)
    image, _ = first_picture(clip)
    with pytest.raises(AssertionError):
        assert_colors(image, Matrix.SMPTE170M, False, (WIDTH, HEIGHT))
    with pytest.raises(AssertionError):
        assert_colors(image, Matrix.BT709, True, (WIDTH, HEIGHT))


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [
        (176, 192, Matrix.SMPTE170M),
        (720, 480, Matrix.SMPTE170M),
        (720, 576, Matrix.BT470BG),
        (1280, 16, Matrix.BT709),
        (176, 720, Matrix.BT709),
    ],
)
def test_what_a_file_does_not_state_is_guessed_from_its_size(
    tmp_path: Path, width: int, height: int, matrix: int
) -> None:
    clip = bars_clip(tmp_path / "clip.mkv", size=(width, height), options=LOSSLESS)
    image, color = first_picture(clip)
    assert color == ColorSpec(matrix, Range.LIMITED)
    assert_colors(image, matrix, False, (width, height))


@pytest.mark.parametrize("range_", RANGES)
def test_nv12_is_read_like_yuv420p(tmp_path: Path, range_: int) -> None:
    tags = ColorSpec(Matrix.BT709, range_)
    clip = bars_clip(tmp_path / "clip.mkv", codec="rawvideo", pixel_format="nv12", color=tags)
    image, color = first_picture(clip)
    assert color.range == range_
    assert_colors(image, color.matrix, range_ == Range.FULL, (WIDTH, HEIGHT))


def test_a_format_that_implies_full_range_needs_no_tag(tmp_path: Path) -> None:
    clip = bars_clip(
        tmp_path / "clip.avi",
        codec="mjpeg",
        pixel_format="yuvj444p",
        options={"qmin": "1", "qmax": "1", "flags": "qscale", "global_quality": "118"},
    )
    image, color = first_picture(clip)
    assert color.range == Range.FULL
    error = inside_blocks(image.astype(np.float64) - bars(0, WIDTH, HEIGHT))
    assert np.abs(error).mean() < 1.5  # JPEG is lossy


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("png.mov", "png", "rgb24"),
        ("ffv1.mkv", "ffv1", "bgr0"),
        ("x264rgb.mkv", "libx264rgb", "rgb24"),
        ("utvideo.avi", "utvideo", "gbrp"),
    ],
)
def test_rgb_comes_out_exactly(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    options = LOSSLESS if codec == "libx264rgb" else {}
    clip = bars_clip(tmp_path / name, codec=codec, pixel_format=pixel_format, options=options)
    image, color = first_picture(clip)
    assert (color.matrix, color.range) == (Matrix.RGB, Range.FULL)
    np.testing.assert_array_equal(image, bars(0, WIDTH, HEIGHT))


@needs_ffmpeg
@pytest.mark.parametrize(("name", "codec"), [("ffv1.mkv", "ffv1"), ("png.mov", "png")])
def test_a_grey_format_is_full_range_as_in_ffmpeg(tmp_path: Path, name: str, codec: str) -> None:
    clip = bars_clip(tmp_path / name, codec=codec, pixel_format="gray")
    image, _ = first_picture(clip)
    assert image.min() == 16
    assert image.max() == 235  # the numbers in the file: nothing was stretched
    np.testing.assert_array_equal(image, Probe(clip).decode()[0])
