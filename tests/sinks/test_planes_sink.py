"""NV12 and P010 to an encoder: every sample arrives, from the host and as a GPU hands them on."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import OutputContainer

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UsageError
from streamlight.frame import Planes
from streamlight.sinks.encoder_table import ENCODERS
from streamlight.sinks.encoders import probe_encoder
from streamlight.sinks.encoding import Encoding
from streamlight.sinks.planes import SAME_SAMPLES, PlanesConverter, layout_of
from streamlight.sinks.samples import planes_of
from streamlight.sinks.video_encoder import VideoEncoder, VideoFormat

HEIGHT, WIDTH = 64, 98


def random_planes(bits: int) -> Planes:
    rng = np.random.default_rng(bits)
    dtype, unit = (np.uint8, 1) if bits == 8 else (np.uint16, 64)
    shapes = (HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2, 2)
    return Planes(*((rng.integers(0, 2**bits, s) * unit).astype(dtype) for s in shapes))


@pytest.mark.parametrize("bits", SAME_SAMPLES)
def test_planes_of_the_host_arrive_sample_by_sample(bits: int) -> None:
    planes, shift = random_planes(bits), 0 if bits == 8 else 6
    for name in SAME_SAMPLES[bits]:
        frame = PlanesConverter(Encoding(ENCODERS["libx264"], name))(planes)
        assert frame.format.name == name
        frame = frame.reformat(format=SAME_SAMPLES[bits][0], threads=1)  # more go wrong at times
        luma, *chroma = planes_of(frame)
        np.testing.assert_array_equal(luma, planes.luma >> shift)
        for number, plane in enumerate(chroma):
            np.testing.assert_array_equal(plane, planes.chroma[..., number] >> shift)


@pytest.mark.parametrize("bits", SAME_SAMPLES)
def test_pyav_takes_planes_by_dlpack_as_the_encoder_on_a_gpu_gets_them(bits: int) -> None:
    planes = random_planes(bits)
    # tensors of the host in place of the GPU's: the same call, without a context
    frame = av.VideoFrame.from_dlpack((planes.luma, planes.chroma), format=layout_of(bits))
    dtype = planes.luma.dtype
    rows = [np.frombuffer(memoryview(p), dtype).reshape(p.height, -1) for p in frame.planes]
    np.testing.assert_array_equal(rows[0], planes.luma)
    np.testing.assert_array_equal(rows[1].reshape(planes.chroma.shape), planes.chroma)


@pytest.mark.skipif(
    Path("/proc/driver/nvidia/version").exists(), reason="there is an NVIDIA driver here"
)
def test_without_a_gpu_the_encoder_there_is_refused_in_words(tmp_path: Path) -> None:
    status = probe_encoder("h264_nvenc", "nv12", device=0)
    assert status.is_present
    assert not status.works
    assert status.detail
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    picture = VideoFormat((WIDTH, HEIGHT), color, Fraction(1, 25), Fraction(25))
    with av.open(str(tmp_path / "out.mp4"), "w") as container:
        assert isinstance(container, OutputContainer)
        with pytest.raises(UsageError, match=r"h264_nvenc cannot encode on GPU 0: .*"):
            VideoEncoder(container, Encoding(ENCODERS["h264_nvenc"], "nv12", device=0), picture)
