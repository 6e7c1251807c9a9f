"""RGB arrays as pictures of any format that an encoder takes, against H.273 in float64."""

import av
import numpy as np
import pytest
from clips import LUMA_WEIGHTS
from h273 import color_bars, frame_of, inside_blocks, memory, rounded, samples_of, ycbcr_of

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image
from streamlight.sinks.yuv import YuvConverter
from streamlight.sources.rgb import RgbConverter

RANGES = [Range.LIMITED, Range.FULL]
YCBCR = ["yuv420p", "yuv422p", "yuv444p", "nv12", "nv16", "yuvj420p"]
YCBCR += ["yuv420p10le", "yuv422p10le", "yuv444p10le", "p010le", "yuv420p12le", "yuv444p12le"]
RGB = ["gbrp", "gbrp9le", "gbrp10le", "gbrp12le", "gbrp16le", "rgb24", "bgr24", "bgr0", "rgb0"]
RGB += ["rgba", "rgb48le", "rgb48be", "rgba64le"]
GREY = ["gray", "gray10le", "gray12le", "gray16le"]


def bars(dtype: type[np.uint8] | type[np.uint16]) -> Image:
    return np.rint(color_bars() * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("pixel_format", YCBCR)
def test_samples_are_what_the_standard_defines(
    pixel_format: str, range_: int, dtype: type[np.uint8] | type[np.uint16]
) -> None:
    """At most one level beside the nearest one, which dithering may choose; no drift."""
    image = bars(dtype)
    bits = av.VideoFormat(pixel_format).components[0].bits
    is_full = range_ == Range.FULL or pixel_format.startswith("yuvj")
    for matrix in LUMA_WEIGHTS:
        frame = YuvConverter(pixel_format, ColorSpec(matrix, range_))(image)
        meant = ycbcr_of(image / np.iinfo(dtype).max, matrix, is_full, bits)
        error = inside_blocks(samples_of(frame) - meant.clip(0, 2**bits - 1))
        assert np.abs(error).max() < (1.1 if bits < 12 else 1.8)
        assert np.abs(error.mean(axis=0)).max() < (0.15 if bits < 12 else 0.3), "a drift"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("pixel_format", RGB)
def test_rgb_is_rounded_to_the_nearest_level(
    pixel_format: str, dtype: type[np.uint8] | type[np.uint16]
) -> None:
    image, peak = bars(dtype), np.iinfo(dtype).max
    bits = av.VideoFormat(pixel_format).components[0].bits
    frame = YuvConverter(pixel_format, ColorSpec(Matrix.RGB, Range.FULL))(image)
    assert frame.format.name == pixel_format
    error = samples_of(frame) - image / peak * (2**bits - 1)
    assert np.abs(error).max() <= 0.5


@pytest.mark.parametrize("pixel_format", GREY)
def test_grey_is_the_luma_of_the_matrix_in_full_range(pixel_format: str) -> None:
    image = bars(np.uint16)
    bits = av.VideoFormat(pixel_format).components[0].bits
    frame = YuvConverter(pixel_format, ColorSpec(Matrix.BT2020_NCL, Range.LIMITED))(image)
    assert frame.color_range == Range.FULL
    luma = ycbcr_of(image / 65535, Matrix.BT2020_NCL, True, bits)[..., 0]
    found = memory(frame.planes[0], np.uint16 if bits > 8 else np.uint8)[:, : frame.width]
    assert np.abs(found - luma).max() < (0.6 if bits < 16 else 30)


def test_frames_say_what_they_are() -> None:
    color = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, primaries=9, transfer=16)
    frame = YuvConverter("yuv420p10le", color)(bars(np.uint16))
    assert (frame.colorspace, frame.color_range) == (9, 1)
    assert (frame.color_primaries, frame.color_trc) == (9, 16)
    rgb = YuvConverter("gbrp10le", color)(bars(np.uint16))
    assert (rgb.colorspace, rgb.color_range) == (Matrix.RGB, Range.FULL)


@pytest.mark.parametrize("pixel_format", ["yuv444p10le", "gbrp10le", "yuv444p12le", "gbrp12le"])
@pytest.mark.parametrize("range_", RANGES)
def test_each_level_of_a_deep_picture_comes_back(pixel_format: str, range_: int) -> None:
    """Greys of all levels, through 16 bits and back: the same number in nearly all of them."""
    bits = av.VideoFormat(pixel_format).components[0].bits
    is_rgb = pixel_format.startswith("g")
    low, high = (16, 235) if range_ == Range.LIMITED and not is_rgb else (0, 255)
    scale = 2 ** (bits - 8)
    levels = np.arange(low * scale, min(high * scale, 2**bits - 1) + 1)
    samples = np.full((8, len(levels), 3), 128.0 * scale)
    samples[..., : 3 if is_rgb else 1] = levels[:, None]
    color = ColorSpec(Matrix.RGB if is_rgb else Matrix.BT709, Range.FULL if is_rgb else range_)
    image = RgbConverter(deep=True)(frame_of(samples, pixel_format), color)
    back = samples_of(YuvConverter(pixel_format, color)(image))
    assert np.abs(back - samples).max() <= 1
    assert (back == samples).mean() > 0.98


def test_twelve_bits_of_colour_come_back_within_two_levels() -> None:
    color = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED)
    samples = rounded(ycbcr_of(color_bars(), color.matrix, False, 12), 12)
    image = RgbConverter(deep=True)(frame_of(samples, "yuv444p12le"), color)
    back = samples_of(YuvConverter("yuv444p12le", color)(image))
    assert np.abs(back - samples).max() <= 2
    assert np.abs((back - samples).mean(axis=(0, 1))).max() < 0.1


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (65, 33), (642, 3)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "p010le", "yuv422p10le", "gbrp10le", "gray"])
@pytest.mark.parametrize("range_", RANGES)
def test_any_size_is_converted(size: tuple[int, int], pixel_format: str, range_: int) -> None:
    for dtype in (np.uint8, np.uint16):
        converter = YuvConverter(
            pixel_format,
            ColorSpec(Matrix.BT709, range_),
            source_format=av.VideoFormat(pixel_format),
        )
        white = np.full((size[1], size[0], 3), np.iinfo(dtype).max, dtype)
        frame = converter(white)
        assert (frame.width, frame.height, frame.format.name) == (*size, pixel_format)
        rgb = RgbConverter()(frame, ColorSpec(Matrix.BT709, frame.color_range))
        assert rgb.min() >= 252  # 16 bits are dithered to 8
        assert rgb.mean() > 254.9
