"""NV12 and P010 through the network on an NVIDIA GPU, without PyAV: right, under load, at any size.

The tests skip without CUDA; with STREAMLIGHT_REQUIRE_GPU=1 they fail instead. They need numpy,
torch, safetensors and pytest, and nothing else.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.backends.base import PlanesForm
from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Planes
from streamlight.models import MODELS, get_spec

torch = pytest.importorskip("torch", reason="PyTorch is what is tested")
pytestmark = pytest.mark.gpu

from streamlight.backends.cuda import CudaBackend  # noqa: E402
from streamlight.view import sample_nearest  # noqa: E402

LEAST_PSNR_DB = 50
COLOR = ColorSpec(Matrix.BT709, Range.LIMITED)
FULL = ColorSpec(Matrix.SMPTE170M, Range.FULL)
SIZES = ((62, 98), (386, 402), (402, 386), (720, 1280))


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("STREAMLIGHT_REQUIRE_GPU") == "1":
            pytest.fail("STREAMLIGHT_REQUIRE_GPU=1, but torch finds no CUDA device")
        pytest.skip("torch finds no CUDA device")


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(model: str) -> Iterator[CudaBackend]:
    opened = CudaBackend(get_spec(model), torch.device("cuda"), torch.float16, parallel=2)
    yield opened
    opened.close()


def dark(height: int, width: int, bits: int = 8, seed: int = 0) -> Planes:
    """Make a dark picture with noise, on the host."""
    rng, step = np.random.default_rng(seed), 2 ** (bits - 8)
    unit, dtype = (1, np.uint8) if bits == 8 else (64, np.uint16)
    y, x = np.mgrid[:height, :width]
    waves = 45 + 15 * np.sin((2 * x + 3 * y) / 23 + seed) + rng.normal(0, 3, (height, width))
    chroma = 128 + rng.normal(0, 2, (height // 2, width // 2, 2))
    return Planes(*((np.rint(p * step).clip(0) * unit).astype(dtype) for p in (waves, chroma)))


def form_of(planes: Planes, bits: int = 8, color: ColorSpec = COLOR, **others: bool) -> PlanesForm:
    height, width = planes.luma.shape
    return PlanesForm(width, height, bits, color, color, **others)


def on_host(planes: Planes) -> list[NDArray[Any]]:
    found = (planes.luma, planes.chroma)
    return [p if isinstance(p, np.ndarray) else p.cpu().numpy() for p in found]


def psnr_db(found: NDArray[Any], expected: NDArray[Any], peak: float) -> float:
    error = float(np.mean((found.astype(np.float64) - expected) ** 2)) / peak**2
    return -10 * np.log10(error) if error else np.inf


@pytest.mark.parametrize(("bits", "color"), [(8, COLOR), (8, FULL), (10, COLOR)])
@pytest.mark.parametrize("size", SIZES)
def test_planes_give_what_fp32_gives_on_the_cpu(
    backend: CudaBackend, model: str, size: tuple[int, int], bits: int, color: ColorSpec
) -> None:
    planes = dark(*size, bits)
    form = form_of(planes, bits, color, blends=True)
    reference = CudaBackend(get_spec(model), torch.device("cpu"), torch.float32)
    expected_way, way = (b.planes_network(form) for b in (reference, backend))
    here, there = expected_way.take(planes), way.take(planes)
    np.testing.assert_allclose(sample_nearest(there), sample_nearest(here), atol=1e-5)
    prior = reference.estimate(sample_nearest(here))
    for strength in (1.0, 0.5):
        expected = on_host(expected_way.reconstruct(here, prior, strength))
        found = on_host(way.reconstruct(there, prior, strength))
        peak = 255 if bits == 8 else 1023 * 64
        for ours, theirs in zip(found, expected, strict=True):
            assert psnr_db(ours, theirs, peak) >= LEAST_PSNR_DB
            apart = np.abs(ours.astype(int) - theirs)
            assert apart.max() <= 3 * peak / 255  # a wrong row would hide in the PSNR


def test_mixed_sizes_under_load_on_two_streams_are_those_of_one_at_a_time(
    backend: CudaBackend,
) -> None:
    pictures, ways, priors, alone = [], [], [], []
    for seed, size in enumerate(SIZES[:3]):  # as many as a context keeps ready
        planes = dark(*size, seed=seed)
        way = backend.planes_network(form_of(planes))
        picture = way.take(planes)
        prior = backend.estimate(sample_nearest(picture))
        pictures.append(picture)
        ways.append(way)
        priors.append(prior)
        alone.append(on_host(way.reconstruct(picture, prior, 1.0)))

    def run(number: int) -> list[NDArray[Any]]:
        n = number % len(ways)
        if number % 2:  # a decoder's thread takes pictures in meanwhile
            fresh = ways[n].take(dark(*SIZES[n], seed=n))
            return on_host(ways[n].reconstruct(fresh, priors[n], 1.0))
        return on_host(ways[n].reconstruct(pictures[n], priors[n], 1.0))

    load = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(run, number) for number in range(200)]
        for _ in range(50):
            load @ load
        results = [future.result() for future in futures]
    for number, found in enumerate(results):
        for ours, theirs in zip(found, alone[number % len(ways)], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_results_that_stay_on_the_device_are_those_that_are_downloaded(
    backend: CudaBackend,
) -> None:
    planes = dark(386, 402)
    down, stays = (backend.planes_network(form_of(planes, stays=s)) for s in (False, True))
    picture = down.take(planes)
    prior = backend.estimate(sample_nearest(picture))
    expected = on_host(down.reconstruct(picture, prior, 1.0))
    held = [stays.reconstruct(picture, prior, 1.0) for _ in range(8)]  # as an encoder holds them
    for result in held:
        assert result.luma.is_cuda
        assert result.chroma.data_ptr() == result.luma.data_ptr() + result.luma.numel()
        for ours, theirs in zip(on_host(result), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_memory_does_not_grow_over_2000_frames(backend: CudaBackend) -> None:
    ways = [backend.planes_network(form_of(dark(*size))) for size in ((360, 640), (400, 640))]
    seen = []
    for frame in range(2020):
        way = ways[frame % 2]
        picture = way.take(dark(360 + 40 * (frame % 2), 640))
        way.reconstruct(picture, backend.estimate(sample_nearest(picture)), 1.0)
        if frame in (19, 2019):
            del picture
            seen.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert seen[1] == seen[0]
