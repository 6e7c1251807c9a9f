"""Enhancing NV12 and P010 on the device, on a CPU: the same as by way of RGB."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is what is tested")

from streamlight.backends.torch import TorchBackend  # noqa: E402
from streamlight.color import ColorSpec, Matrix, Range  # noqa: E402
from streamlight.cuda import plain  # noqa: E402
from streamlight.cuda.network import DetailNetwork  # noqa: E402
from streamlight.cuda.ops import PLAIN  # noqa: E402
from streamlight.cuda.planes import PlanesPicture, PlanesProgram, PlanesSize  # noqa: E402
from streamlight.cuda.ycbcr import YCbCr  # noqa: E402
from streamlight.frame import Planes  # noqa: E402
from streamlight.models import get_spec  # noqa: E402
from streamlight.models.weights import load_network  # noqa: E402
from streamlight.view import PHASES, sample_light, sample_nearest  # noqa: E402

CPU = torch.device("cpu")
MODEL = get_spec("gladnet-fast")


@pytest.mark.parametrize(("height", "width"), [(130, 98), (386, 402)])
@pytest.mark.parametrize("bits", [8, 10])
def test_planes_give_what_rgb_gives(height: int, width: int, bits: int) -> None:
    spec = YCbCr.of(ColorSpec(Matrix.BT709, Range.LIMITED), bits)
    rng = np.random.default_rng(0)
    step, dtype = 2 ** (bits - 8), np.uint8 if bits == 8 else np.uint16
    y = (rng.integers(20 * step, 70 * step, (height, width)) * spec.unit).astype(dtype)
    shape = (height // 2, width // 2, 2)
    c = (rng.integers(120 * step, 136 * step, shape) * spec.unit).astype(dtype)
    luma, chroma = torch.from_numpy(y), torch.from_numpy(c)
    network = DetailNetwork(load_network(MODEL).detail, CPU, torch.float32, PLAIN)
    map_ = torch.empty(height, width, 16)
    plain.nv12_in(luma, chroma, map_, 1, spec)
    image = map_[..., :3].contiguous().numpy()
    reference = TorchBackend(MODEL, "cpu", "fp32")
    with torch.inference_mode():
        size = PlanesSize(height, width, spec, spec)
        program = PlanesProgram(size, MODEL, network, PLAIN, CPU, None)
        picture = PlanesPicture(Planes(luma, chroma), spec, CPU)
        assert picture.shape == image.shape
        for phase in PHASES[:3]:
            view = sample_nearest(picture, phase)
            np.testing.assert_allclose(view, sample_nearest(image, phase), atol=1e-6)
        np.testing.assert_allclose(sample_light(picture), sample_light(image), atol=1e-6)
        view = sample_nearest(picture)
        planes = program(picture, reference.estimate(view))
        found = planes.luma, planes.chroma
    bright = torch.zeros(height, width, 16)
    bright[..., :3] = torch.from_numpy(reference.reconstruct(image, reference.estimate(view)))
    expected = torch.empty_like(luma), torch.empty_like(chroma)
    plain.nv12_out(bright, *expected, 1, spec)
    for one, other in zip(found, expected, strict=True):
        apart = np.abs(one.astype(int) - other.numpy().astype(int))
        assert apart.max() <= spec.unit
        assert apart.mean() < 0.01 * spec.unit
    assert found[0].mean() > 1.5 * y.mean()


def test_a_size_that_the_model_does_not_take_is_refused() -> None:
    network = DetailNetwork(load_network(MODEL).detail, CPU, torch.float32, PLAIN)
    spec = YCbCr.of(ColorSpec(Matrix.BT709, Range.LIMITED), 8)
    with pytest.raises(ValueError, match="33x64: both sides must be multiples of 2"):
        PlanesProgram(PlanesSize(64, 33, spec, spec), MODEL, network, PLAIN, CPU, None)


def test_a_strength_mixes_as_the_host_does_and_results_can_stay_where_they_are() -> None:
    spec = YCbCr.of(ColorSpec(Matrix.BT709, Range.LIMITED), 8)
    rng = np.random.default_rng(1)
    luma = torch.from_numpy(rng.integers(60, 110, (64, 66), dtype=np.uint8))
    chroma = torch.from_numpy(rng.integers(122, 134, (32, 33, 2), dtype=np.uint8))
    network = DetailNetwork(load_network(MODEL).detail, CPU, torch.float32, PLAIN)
    prior = np.zeros((1, MODEL.prior_channels, 96, 96), np.float32)
    results = {}
    with torch.inference_mode():
        for stays in (False, True):
            size = PlanesSize(64, 66, spec, spec, blends=True, stays=stays)
            program = PlanesProgram(size, MODEL, network, PLAIN, CPU, None)
            picture = PlanesPicture(Planes(luma, chroma), spec, CPU)
            for strength in (0.0, 0.5, 1.0):
                planes = program(picture, prior, strength)
                results[stays, strength] = [np.asarray(p) for p in (planes.luma, planes.chroma)]
            if stays:  # NVENC finds the chroma behind the luma
                assert planes.chroma.data_ptr() == planes.luma.data_ptr() + planes.luma.numel()
    for strength in (0.0, 0.5, 1.0):
        for here, there in zip(results[False, strength], results[True, strength], strict=True):
            np.testing.assert_array_equal(here, there)
    none, half, full = (results[False, strength][0].astype(float) for strength in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, luma.numpy())
    assert np.abs(full - none).max() > 10
    assert np.abs(half - (none + full) / 2).max() <= 1
