"""Decoded pictures of any depth, sampling and matrix as RGB, against H.273 and against ffmpeg."""

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from clips import LUMA_WEIGHTS
from ffprobe import needs_ffmpeg
from h273 import (
    FFMPEG_MATRIX,
    HEIGHT,
    WIDTH,
    Samples,
    color_bars,
    frame_of,
    inside_blocks,
    memory,
    rgb_of,
    rounded,
    sited,
    ycbcr_of,
)

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.sources.chroma import chroma_location_of
from streamlight.sources.rgb import RgbConverter, has_alpha, is_deep

RANGES = [Range.LIMITED, Range.FULL]
DEEP = ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv444p12le"]
UNUSUAL = ["p010le", "yuv420p10be", "yuva444p10le", "yuv444p16le", "yuv422p12le", "yuv440p10le"]
RGB = ["gbrp9le", "gbrp10le", "gbrp10be", "gbrp12le", "gbrp16le", "gbrap12le", "gbrp"]
RGB += ["rgb48le", "rgb48be", "rgba64le", "rgb24", "bgr0", "rgba"]
EIGHT = ["yuv420p", "nv12", "yuv422p", "yuv444p", "yuv411p", "yuva420p", "yuvj420p"]


def stored(pixel_format: str, matrix: int, is_full: bool) -> tuple[Samples, int]:
    bits = av.VideoFormat(pixel_format).components[0].bits
    return rounded(ycbcr_of(color_bars(), matrix, is_full, bits), bits), bits


@pytest.mark.parametrize("pixel_format", [*DEEP, *UNUSUAL, *EIGHT])
@pytest.mark.parametrize("range_", RANGES)
def test_sixteen_bits_are_what_the_standard_defines(pixel_format: str, range_: int) -> None:
    """Within 5/65535, which is a thirteenth of a level of 10 bits; no drift."""
    is_full = range_ == Range.FULL or pixel_format.startswith("yuvj")
    for matrix in LUMA_WEIGHTS:
        samples, bits = stored(pixel_format, matrix, is_full)
        spec = ColorSpec(matrix, Range.FULL if is_full else Range.LIMITED)
        image = RgbConverter(deep=True)(frame_of(samples, pixel_format), spec)
        assert image.dtype == np.uint16
        assert image.shape == (HEIGHT, WIDTH, 3)
        error = inside_blocks(image - 65535 * rgb_of(samples, matrix, is_full, bits))
        assert np.abs(error).max() < 5
        assert np.abs(error.mean(axis=0)).max() < 1


@needs_ffmpeg
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_ffmpeg_converts_to_the_same_colours(
    tmp_path: Path, matrix: int, range_: int, pixel_format: str
) -> None:
    samples, bits = stored(pixel_format, matrix, range_ == Range.FULL)
    frame = frame_of(samples, pixel_format)
    image = RgbConverter(deep=bits > 8)(frame, ColorSpec(matrix, range_))
    name, in_range = FFMPEG_MATRIX[Matrix(matrix)], "full" if range_ == Range.FULL else "limited"
    scale = f"scale=in_color_matrix={name}:in_range={in_range}"
    flags = "flags=bilinear+accurate_rnd+full_chroma_int"
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", pixel_format]
    command += ["-s", f"{WIDTH}x{HEIGHT}", "-i", "-", "-vf", f"{scale}:{flags},format=rgb24"]
    raw = b"".join(
        memory(plane, np.uint8)[:, : plane.width * (1 + (bits > 8))].tobytes()
        for plane in frame.planes
    )
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-"], input=raw, check=True, capture_output=True
    )
    theirs = np.frombuffer(done.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3)
    error = inside_blocks(image / (257 if bits > 8 else 1) - theirs)
    assert np.abs(error).max() <= 1.1
    assert np.abs(error.mean(axis=0)).max() < 0.5, "a drift of colour"
    assert np.square(error).mean() < 255**2 / 10**5, "less than 50 dB"


@pytest.mark.parametrize("pixel_format", RGB)
def test_rgb_of_any_depth_is_widened_exactly(pixel_format: str) -> None:
    bits = av.VideoFormat(pixel_format).components[0].bits
    samples = rounded(color_bars() * (2**bits - 1), bits)
    image = RgbConverter(deep=True)(
        frame_of(samples, pixel_format), ColorSpec(Matrix.RGB, Range.FULL)
    )
    assert np.abs(image - samples * (65535 / (2**bits - 1))).max() < 1
    assert image.max() == 65535


@pytest.mark.parametrize("pixel_format", ["gray10le", "gray12le", "gray16le", "gray"])
def test_grey_is_full_range_at_any_depth(pixel_format: str) -> None:
    bits = av.VideoFormat(pixel_format).components[0].bits
    ramp = np.rint(np.linspace(0, 2**bits - 1, 64 * 32)).reshape(32, 64)
    frame = av.VideoFrame(64, 32, pixel_format)
    memory(frame.planes[0], np.uint16 if bits > 8 else np.uint8)[:, :64] = ramp
    image = RgbConverter(deep=True)(frame, ColorSpec(Matrix.BT709, Range.LIMITED))
    np.testing.assert_allclose(image[..., 0], ramp * (65535 / (2**bits - 1)), atol=1)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_what_is_brighter_than_white_is_cut_off_and_not_wrapped() -> None:
    samples = np.full((HEIGHT, WIDTH, 3), (1019.0, 512, 512))
    image = RgbConverter(deep=True)(
        frame_of(samples, "yuv420p10le"), ColorSpec(Matrix.BT709, Range.LIMITED)
    )
    assert image.min() == 65535


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (65, 33), (1, 40), (642, 3)])
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv422p10le", "gbrp10le"])
def test_any_size_is_converted(size: tuple[int, int], pixel_format: str) -> None:
    grey = np.full((size[1], size[0], 3), 512.0)
    image = RgbConverter(deep=True)(
        frame_of(grey, pixel_format),
        ColorSpec(Matrix.RGB if pixel_format[0] == "g" else Matrix.BT709, Range.FULL),
    )
    assert image.shape == (size[1], size[0], 3)
    assert np.abs(image - 512 / 1023 * 65535).max() < 2


@pytest.mark.parametrize(
    ("location", "starts"),
    [("left", 0.0), ("center", -0.25), ("topleft", 0.0), ("unspecified", 0.0)],
)
def test_chroma_is_read_from_where_the_picture_says_it_lies(location: str, starts: float) -> None:
    """On a ramp of Cb, blue tells by how many samples of chroma the colours are moved."""
    size = 64
    samples = np.full((size, size, 3), 512.0)
    samples[..., 1] = 300 + 4 * (np.arange(size) // 2)
    frame = sited(frame_of(samples, "yuv420p10le"), location)
    image = RgbConverter(deep=True)(frame, ColorSpec(Matrix.BT709, Range.FULL))
    blue = image[size // 2, 20:40:2, 2] / 65535
    c_b = (blue - 512 / 1023) / 1.8556 * 1023 + 512
    np.testing.assert_allclose((c_b - 300) / 4 - np.arange(10, 20), starts, atol=0.02)


def test_pictures_that_do_not_say_it_are_told_from_those_that_do() -> None:
    frame = frame_of(np.full((16, 16, 3), 100.0), "yuv420p")
    assert chroma_location_of(frame) == "unspecified"
    assert chroma_location_of(sited(frame, "topleft")) == "topleft"


def test_depth_and_alpha_of_a_format_are_told() -> None:
    formats = {name: av.VideoFormat(name) for name in (*DEEP, "yuv420p", "rgb48le", "rgb24")}
    assert [is_deep(f) for f in formats.values()] == [True] * 5 + [False, True, False]
    assert not any(has_alpha(f) for f in formats.values())
    assert all(has_alpha(av.VideoFormat(n)) for n in ("yuva420p", "gbrap10le", "rgba", "ya8"))
