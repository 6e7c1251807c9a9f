"""Every codec in every container, every sampling and depth, as ffprobe and ffmpeg see them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ffprobe import Probe, mean_error, needs_ffmpeg, psnr_db
from made_source import MadeSource
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UsageError
from streamlight.sinks import CONTAINERS, EncoderOptions
from streamlight.sinks.encoder_table import ENCODERS

pytestmark = needs_ffmpeg

PAIRS = [(codec, ext) for ext, row in CONTAINERS.items() for codec in sorted(row.codecs)]
VARIABLE = (0, 3, 4, 9, 10, 20, 21, 30, 31, 33, 36, 40)
FULL, LIMITED = (ColorSpec(Matrix.BT709, range_, 1, 1) for range_ in (Range.FULL, Range.LIMITED))
RGB = ColorSpec(Matrix.RGB, Range.FULL, 1, 1)


def fine(codec: str) -> EncoderOptions:
    """Options of a quality at which errors of colour show."""
    has_quality = any(row.quality for row in ENCODERS.values() if row.codec == codec)
    return EncoderOptions(codec=codec, crf=4 if has_quality else None)


def meant(source: MadeSource) -> NDArray[np.uint8]:
    """What an 8-bit player should show of a source: (N, H, W, 3)."""
    images = [source.image(index) for index in range(len(source.pts))]
    if source.bits > 8:
        images = [np.rint(image / 257) for image in images]
    return np.stack(images).astype(np.uint8)


def assert_shown_as_meant(source: MadeSource, target: Path) -> None:
    probe = Probe(target)
    is_stated = probe.video.get("color_space", "unknown") != "unknown"
    shown = probe.decode(matrix="auto" if is_stated else "smpte170m")
    assert psnr_db(meant(source), shown) > 38
    assert np.abs(mean_error(meant(source), shown)).max() < 1


@pytest.mark.parametrize(("codec", "extension"), PAIRS)
def test_each_codec_keeps_times_colours_and_pictures_in_each_container(
    tmp_path: Path, codec: str, extension: str
) -> None:
    is_fixed = CONTAINERS[extension].has_fixed_rate
    states_shape = CONTAINERS[extension].states_shape_of(codec)
    source = MadeSource(
        color=LIMITED,
        pts=range(12) if is_fixed else VARIABLE,
        time_base=Fraction(1, 25) if is_fixed else Fraction(1, 30),
        sample_aspect_ratio=Fraction(4, 3) if states_shape else None,
    )
    target = tmp_path / f"out{extension}"
    source.write(target, fine(codec))
    after = Probe(target)
    assert after.video["codec_name"] == codec
    assert after.video.get("sample_aspect_ratio", "1:1") == ("4:3" if states_shape else "1:1")
    start_s = after.frame_times_s[0] if extension == ".ts" else 0
    times_s = [pts * float(source.time_base) for pts in source.pts]
    tolerance_s = 0.6e-3 if extension in (".mkv", ".webm") else 20e-6
    found_s = np.array(after.frame_times_s) - start_s
    np.testing.assert_allclose(found_s, times_s, rtol=0, atol=tolerance_s)
    if (codec, extension) != ("ffv1", ".avi"):  # states nothing: what players guess is written
        assert after.video["color_range"] == "tv"
        for key in ("color_space", "color_primaries", "color_transfer"):
            assert after.video[key] == "bt709", key
    assert_shown_as_meant(source, target)


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "extension"), PAIRS)
def test_full_range_of_an_odd_size_in_10_bits_is_shown_as_meant(
    tmp_path: Path, codec: str, extension: str
) -> None:
    source = MadeSource((65, 51), "yuv420p10le", FULL, pts=range(12))
    target = tmp_path / f"out{extension}"
    sink = source.write(target, fine(codec))
    after = Probe(target)
    assert (after.video["width"], after.video["height"]) == (65, 51)
    is_deep = "10le" in after.video["pix_fmt"] or "12le" in after.video["pix_fmt"]
    assert is_deep == (codec != "vp9")
    assert bool(sink.notes) == (codec == "vp9"), "a loss is said"
    states_range = codec != "prores" and (codec, extension) != ("ffv1", ".avi")
    assert (after.video.get("color_range") == "pc") == states_range
    assert_shown_as_meant(source, target)


@pytest.mark.parametrize(
    ("codec", "extension"),
    [(codec, ext) for codec, ext in PAIRS if ext in (".mp4", ".mov", ".mkv", ".webm")],
)
def test_the_last_picture_is_shown_as_long_as_it_was(
    tmp_path: Path, codec: str, extension: str
) -> None:
    source = MadeSource(pts=(0, 3, 4), time_base=Fraction(1, 30), durations=(3, 1, 50))
    source.write(tmp_path / f"out{extension}", EncoderOptions(codec=codec))
    duration_s = float(Probe(tmp_path / f"out{extension}").format["duration"])
    assert duration_s == pytest.approx(54 / 30, abs=1e-3)


FORMATS = [
    # pixel format of the source, and what each codec writes for it
    ("yuv420p", {"h264": "yuv420p", "hevc": "yuv420p", "vp9": "yuv420p", "ffv1": "yuv420p"}),
    ("yuv422p", {"h264": "yuv422p", "hevc": "yuv422p", "vp9": "yuv422p", "av1": "yuv420p"}),
    ("yuv444p", {"h264": "yuv444p", "hevc": "yuv444p", "vp9": "yuv444p", "ffv1": "yuv444p"}),
    ("gray", {"h264": "yuv420p", "ffv1": "yuv420p"}),
    ("gbrp", {"h264": "yuv444p", "ffv1": "bgr0", "prores": "yuv444p10le"}),
    ("yuv420p10le", {"h264": "yuv420p10le", "hevc": "yuv420p10le", "av1": "yuv420p10le"}),
    ("yuv422p10le", {"hevc": "yuv422p10le", "prores": "yuv422p10le", "ffv1": "yuv422p10le"}),
    ("yuv444p12le", {"h264": "yuv444p10le", "hevc": "yuv444p12le", "ffv1": "yuv444p12le"}),
    ("gbrp10le", {"hevc": "yuv444p10le", "ffv1": "gbrp10le"}),
    ("yuv420p16le", {"hevc": "yuv420p12le", "ffv1": "yuv420p16le"}),
]


@pytest.mark.parametrize(
    ("pixel_format", "codec", "written"),
    [(name, codec, written) for name, by in FORMATS for codec, written in by.items()],
)
def test_sampling_and_depth_are_kept_where_the_encoder_can(
    tmp_path: Path, pixel_format: str, codec: str, written: str
) -> None:
    source = MadeSource(
        pixel_format_name=pixel_format,
        color=RGB if pixel_format.startswith("gbr") else LIMITED,
        pts=range(3),
    )
    sink = source.write(tmp_path / "out.mkv", fine(codec))
    assert sink.pixel_format == written
    found = Probe(tmp_path / "out.mkv").video["pix_fmt"]
    # ffmpeg's decoder of ProRes 4444 gives 12 bits, of which this encoder fills 10
    assert found == ("yuv444p12le" if written == "yuv444p10le" and codec == "prores" else written)
    assert_shown_as_meant(source, tmp_path / "out.mkv")


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr0"])
def test_rgb_can_be_asked_for_in_h264(tmp_path: Path, pixel_format: str) -> None:
    source = MadeSource(pixel_format_name="gbrp", color=RGB, pts=range(3))
    options = EncoderOptions(codec="h264", crf=1, pix_fmt=pixel_format)
    assert source.write(tmp_path / "out.mkv", options).encoder == "libx264rgb"
    video = Probe(tmp_path / "out.mkv").video
    assert (video["pix_fmt"], video["color_space"]) == ("gbrp", "gbr")
    assert_shown_as_meant(source, tmp_path / "out.mkv")


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (16, 16), (17, 33), (36, 64), (40, 24)])
@pytest.mark.parametrize("codec", ["h264", "vp9", "ffv1", "prores", "auto"])
@pytest.mark.parametrize("bits", [8, pytest.param(10, marks=pytest.mark.slow)])
def test_the_smallest_pictures_can_be_written(
    tmp_path: Path, size: tuple[int, int], codec: str, bits: int
) -> None:
    name = "yuv420p" if bits == 8 else "yuv420p10le"
    source = MadeSource(size, name, LIMITED, pts=range(3))
    source.write(tmp_path / "out.mkv", EncoderOptions(codec=codec))
    video = Probe(tmp_path / "out.mkv").video
    assert (video["width"], video["height"]) == size


def test_hevc_of_pictures_narrower_than_its_tree_does_not_break_the_process(
    tmp_path: Path,
) -> None:
    """x265 4.2 writes past its memory up to 48 pixels of width, with its CU tree on."""
    for width in (16, 24, 33, 36, 40, 47, 48):
        for _ in range(5):
            source = MadeSource((width, 64), "yuv444p", LIMITED, pts=range(3))
            source.write(tmp_path / "out.mp4", EncoderOptions(codec="hevc"), overwrite=True)


@pytest.mark.parametrize(("codec", "extension"), [("vp9", ".webm"), ("ffv1", ".mkv")])
def test_a_shape_of_pixels_that_nothing_would_state_is_refused_with_the_filter_that_helps(
    tmp_path: Path, codec: str, extension: str
) -> None:
    source = MadeSource(pts=range(3), sample_aspect_ratio=Fraction(3, 2))
    target, options = tmp_path / f"out{extension}", EncoderOptions(codec=codec)
    with pytest.raises(UsageError, match=r"pixels are 3:2.*--post-filter (\S+)") as refusal:
        source.write(target, options)
    source.write(target, options, post_filter=str(refusal.value).rpartition(" ")[2])
    assert (Probe(target).video["width"], Probe(target).video["height"]) == (96, 48)


@pytest.mark.parametrize("extension", [".mp4", ".mov"])
def test_hevc_is_named_as_apple_plays_it(tmp_path: Path, extension: str) -> None:
    target = tmp_path / f"out{extension}"
    MadeSource(pts=range(3)).write(target, EncoderOptions(codec="hevc"))
    assert Probe(target).video["codec_tag_string"] == "hvc1"


@pytest.mark.parametrize(
    ("extension", "pixel_format", "codec"),
    [
        (".mp4", "yuv420p", "h264"),
        (".mp4", "yuv420p10le", "hevc"),
        (".mkv", "yuv422p12le", "hevc"),
        (".webm", "yuv420p", "vp9"),
        (".webm", "yuv420p10le", "av1"),
        (".avi", "yuv420p10le", "h264"),
        (".ts", "yuv420p10le", "hevc"),
    ],
)
def test_auto_chooses_what_plays(
    tmp_path: Path, extension: str, pixel_format: str, codec: str
) -> None:
    source = MadeSource(pixel_format_name=pixel_format, pts=range(12))
    source.write(tmp_path / f"out{extension}")
    assert Probe(tmp_path / f"out{extension}").video["codec_name"] == codec
