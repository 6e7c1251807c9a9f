"""NVDEC where there is none: refused in words. And its layout, read as software reads it."""

from pathlib import Path

import av
import numpy as np
import pytest

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.nvdec import NvdecReader, device_picture
from streamlight.sources.rgb import RgbConverter

NIGHT = Path(__file__).parents[2] / "examples" / "night.mp4"


def has_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists()


@pytest.mark.skipif(has_gpu(), reason="there is an NVIDIA driver here")
def test_without_a_gpu_hardware_decoding_is_refused_and_not_done_in_software() -> None:
    message = r"night.mp4: NVDEC cannot decode it here \(.+\); decode in software"
    with (
        pytest.raises(UnsupportedSourceError, match=message),
        NvdecReader(NIGHT) as reader,
    ):
        next(reader.pictures())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.mp4"):
        NvdecReader(tmp_path / "none.mp4")


def test_a_frame_that_came_from_software_after_all_is_refused() -> None:
    frame = av.VideoFrame(64, 64, "yuv420p")
    with pytest.raises(UnsupportedSourceError, match=r"it came as yuv420p"):
        device_picture(frame, NIGHT)


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
