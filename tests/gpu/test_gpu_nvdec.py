"""NVDEC on an NVIDIA GPU: its planes, without a copy, are those of the software decoder."""

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="it reads the planes on the device")
pytestmark = pytest.mark.gpu

NIGHT = Path(__file__).parents[2] / "examples" / "night.mp4"


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("STREAMLIGHT_REQUIRE_GPU") == "1":
            pytest.fail("STREAMLIGHT_REQUIRE_GPU=1, but torch finds no CUDA device")
        pytest.skip("torch finds no CUDA device")


def test_the_planes_on_the_device_are_those_of_the_software_decoder() -> None:
    av = pytest.importorskip("av", reason="PyAV decodes")
    from streamlight.sources.nvdec import NvdecReader

    count = 0
    with av.open(str(NIGHT)) as software, NvdecReader(NIGHT) as hardware:
        for expected, found in zip(software.decode(video=0), hardware.pictures(), strict=False):
            assert found.pts == expected.pts
            torch.cuda.synchronize()
            luma = torch.from_dlpack(found.luma.__dlpack__())
            chroma = torch.from_dlpack(found.chroma.__dlpack__())
            assert luma.is_cuda
            nv12 = expected.reformat(format="nv12").to_ndarray()
            height = expected.height
            np.testing.assert_array_equal(luma.cpu().numpy(), nv12[:height])
            flat = chroma.cpu().numpy().reshape(height // 2, -1)
            np.testing.assert_array_equal(flat, nv12[height:])
            count += 1
    assert count > 10
