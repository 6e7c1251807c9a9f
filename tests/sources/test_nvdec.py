"""NVDEC where there is none: refused in words. And its layout, read as software reads it."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UnsupportedSourceError
from streamlight.sources import nvdec_probe
from streamlight.sources.nvdec import Nvdec, planes_of
from streamlight.sources.nvdec_probe import NVDEC_CODECS, probe_nvdec
from streamlight.sources.rgb import RgbConverter
from streamlight.sources.steps import downloaded_if_interlaced

NIGHT = Path(__file__).parents[2] / "examples" / "night.mp4"


def has_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists()


@pytest.mark.skipif(has_gpu(), reason="there is an NVIDIA driver here")
def test_without_a_gpu_hardware_decoding_is_refused_and_not_done_in_software() -> None:
    with pytest.raises(UnsupportedSourceError, match=r"there is no NVIDIA GPU for it \(.+\)"):
        Nvdec().open(NIGHT)


def test_a_frame_that_came_from_software_after_all_is_refused() -> None:
    with pytest.raises(UnsupportedSourceError, match="it came as yuv420p"):
        Nvdec().check(av.VideoFrame(64, 64, "yuv420p"))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv420p10le"])
def test_pictures_of_the_host_are_laid_out_as_nvdec_does_without_a_changed_sample(
    pixel_format: str,
) -> None:
    torch = pytest.importorskip("torch", reason="the planes are read by it")
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(98, 64, pixel_format)
    bits, shift = (10, 6) if pixel_format.endswith("10le") else (8, 0)
    given = []
    for plane in frame.planes:
        dtype = np.dtype(np.uint16 if shift else np.uint8)
        samples = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
        samples[:] = rng.integers(0, 2**bits, samples.shape)
        given.append(samples[:, : plane.width])
    planes = planes_of(frame)
    luma, chroma = (torch.from_dlpack(p).numpy() for p in (planes.luma, planes.chroma))
    np.testing.assert_array_equal(luma >> shift, given[0])
    np.testing.assert_array_equal(chroma[..., 0] >> shift, given[1])
    np.testing.assert_array_equal(chroma[..., 1] >> shift, given[2])


def test_a_picture_of_another_sampling_is_refused() -> None:
    with pytest.raises(UnsupportedSourceError, match="pictures of yuv422p cannot stay"):
        planes_of(av.VideoFrame(64, 64, "yuv422p"))


@pytest.mark.parametrize(
    "color",
    [
        ColorSpec(Matrix.BT709, Range.LIMITED),
        ColorSpec(Matrix.SMPTE170M, Range.LIMITED),
        ColorSpec(Matrix.SMPTE170M, Range.FULL),
        ColorSpec(Matrix.BT2020_NCL, Range.LIMITED),
    ],
    ids=["709", "601", "601 full", "2020"],
)
def test_nv12_is_read_and_written_as_software_does(color: ColorSpec) -> None:
    torch = pytest.importorskip("torch", reason="the planes are read by it")
    plain = pytest.importorskip("streamlight.cuda.plain")
    from streamlight.cuda.ycbcr import YCbCr

    height, width = 64, 98
    rng = np.random.default_rng(0)
    smooth = av.VideoFrame(width, height, "nv12")
    planes = []
    for number, plane in enumerate(smooth.planes):
        size = (height >> number, width)
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        least, most = (110, 150) if number == 0 else (118, 138)  # what RGB has
        rows[: size[0], : size[1]] = rng.integers(least, most, size, dtype=np.uint8)
        planes.append(torch.from_numpy(rows[: size[0], : size[1]].copy()))
    luma, chroma = planes[0], planes[1].reshape(height // 2, width // 2, 2)
    spec = YCbCr.of(color, 8)
    map_, image = torch.empty(height, width, 16), torch.empty(height, width, 3, dtype=torch.uint8)
    plain.nv12_in(luma, chroma, map_, 1, spec)
    plain.rgb_out(map_, image, 1)
    expected = RgbConverter()(smooth, color)
    apart = np.abs(image.numpy().astype(int) - expected)
    assert apart.max() <= 2  # swscale rounds the chroma that it interpolates
    assert apart.mean() < 0.5
    back = [torch.empty_like(luma), torch.empty_like(chroma)]
    plain.nv12_out(map_, *back, 1, spec)
    assert ((map_[..., :3] > 0) & (map_[..., :3] < 1)).all()
    for found, given in zip(back, (luma, chroma), strict=True):
        assert (found.int() - given.int()).abs().max() == 0


@pytest.mark.parametrize("codec", NVDEC_CODECS)
def test_each_codec_is_tried_with_a_clip_that_decodes(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_gpu():
        assert probe_nvdec(codec).startswith("there is no NVIDIA GPU for it (")
    # where a device is there and its decoder has the codec not, frames come from software
    monkeypatch.setattr(nvdec_probe, "open_accel", lambda device: None)
    expected = "the decoder of this GPU has it not"
    if codec == "av1":
        expected = "PyAV takes the decoder libdav1d, which is software only"
    assert probe_nvdec(codec) == expected


def test_pictures_of_a_gpu_come_to_the_host_from_the_first_interlaced_one_on() -> None:
    class OnGpu:
        sw_format = av.VideoFormat("nv12")

        def __init__(self, number: int) -> None:
            self.number, self.interlaced_frame = number, number == 2

        def reformat(self, format: str) -> str:
            return f"{self.number} as {format}"

    given: Any = map(OnGpu, range(4))
    found: list[Any] = list(downloaded_if_interlaced(given, "auto"))
    assert [getattr(f, "number", f) for f in found] == [0, 1, "2 as nv12", "3 as nv12"]
    given = map(OnGpu, range(4))
    assert len([f for f in downloaded_if_interlaced(given, "off") if isinstance(f, OnGpu)]) == 4
