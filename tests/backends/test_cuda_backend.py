"""The CUDA backend's logic on a CPU: no graphs, no kernels, but the same buffers and layouts.

tests/gpu holds it against FP32 on a GPU.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is what is tested")

from streamlight.backends import open_backend  # noqa: E402
from streamlight.backends.base import Backend  # noqa: E402
from streamlight.backends.cuda import CudaBackend, checked  # noqa: E402
from streamlight.backends.torch import TorchBackend  # noqa: E402
from streamlight.cuda import choosing, plain  # noqa: E402
from streamlight.cuda.convolutions import Layer, LibraryConvolver  # noqa: E402
from streamlight.cuda.ops import PLAIN  # noqa: E402
from streamlight.detail import DetailStep  # noqa: E402
from streamlight.errors import BackendError, BackendUnavailableError, OutOfMemoryError  # noqa: E402
from streamlight.frame import Image  # noqa: E402
from streamlight.models import get_spec  # noqa: E402
from streamlight.models.prior_index import Place  # noqa: E402
from streamlight.view import nearest_indices, sample_nearest  # noqa: E402

CPU = torch.device("cpu")


def dark(height: int, width: int, dtype: Any = np.uint8, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).random((height, width, 3)) * 0.2
    return (values * (1 if dtype == np.float32 else np.iinfo(dtype).max)).astype(dtype)


def levels_apart(found: Image, expected: Image) -> float:
    return float(np.abs(found.astype(np.float64) - expected).max())


@pytest.fixture(scope="module")
def fast() -> Backend:
    return CudaBackend(get_spec("gladnet-fast"), CPU, torch.float32, parallel=2)


@pytest.fixture(scope="module")
def reference() -> Backend:
    return TorchBackend(get_spec("gladnet-fast"), "cpu", "fp32")


@pytest.mark.parametrize(("height", "width"), [(2, 2), (96, 130), (384, 386)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_it_computes_what_the_torch_backend_does(
    fast: Backend, reference: Backend, height: int, width: int, dtype: Any
) -> None:
    image = dark(height, width, dtype)
    prior = reference.estimate(sample_nearest(image))
    np.testing.assert_allclose(fast.estimate(sample_nearest(image)), prior, atol=1e-5)
    found, expected = (b.reconstruct(image, prior) for b in (fast, reference))
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert levels_apart(found, expected) <= {np.uint8: 1, np.uint16: 2}.get(dtype, 1e-5)
    assert expected.mean() > 1.2 * image.mean()


@pytest.mark.parametrize(("height", "width"), [(50, 61), (193, 195)])
def test_the_paper_s_network_too(height: int, width: int) -> None:
    spec, image = get_spec("gladnet"), dark(height, width)
    exact, other = TorchBackend(spec, "cpu", "fp32"), CudaBackend(spec, CPU, torch.float32)
    prior = exact.estimate(sample_nearest(image))
    found, expected = (b.reconstruct(image, prior) for b in (other, exact))
    assert levels_apart(found, expected) <= 1


def test_fp16_is_near(reference: Backend) -> None:
    half = CudaBackend(get_spec("gladnet-fast"), CPU)
    assert half.info.precision == "fp16"
    image = dark(96, 130, np.float32)
    prior = reference.estimate(sample_nearest(image))
    error = half.reconstruct(image, prior) - reference.reconstruct(image, prior)
    assert -10 * np.log10(np.mean(error.astype(np.float64) ** 2)) > 60


def test_the_tiles_of_a_picture_take_their_part_of_the_prior(
    fast: Backend, reference: Backend
) -> None:
    image = dark(400, 420)
    prior = reference.estimate(sample_nearest(image))
    for top, left in ((0, 0), (200, 120), (100, 20)):  # one program, its places one by one
        tile = np.ascontiguousarray(image[top : top + 200, left : left + 300])
        place = Place(400, 420, top, left)
        found, expected = (b.reconstruct(tile, prior, place) for b in (fast, reference))
        assert levels_apart(found, expected) <= 1


def test_threads_at_once_get_their_own_pictures(fast: Backend) -> None:
    images = [dark(2 * (20 + n % 5), 64, seed=n) for n in range(24)]
    prior = fast.estimate(sample_nearest(images[0]))
    alone = [fast.reconstruct(image, prior) for image in images]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(lambda image: fast.reconstruct(image, prior), images))
    for one, other in zip(alone, at_once, strict=True):
        np.testing.assert_array_equal(one, other)


def test_results_are_not_overwritten_by_later_ones(fast: Backend) -> None:
    prior = fast.estimate(sample_nearest(dark(64, 64)))
    first = fast.reconstruct(dark(64, 64, seed=1), prior)
    kept = first.copy()
    for seed in range(2, 5):
        fast.reconstruct(dark(64, 64, seed=seed), prior)
    np.testing.assert_array_equal(first, kept)


class FullAbove:
    """A network that has no memory for large maps."""

    dtype = torch.float32

    def __init__(self, network: Any, pixels: int) -> None:
        self._network, self._pixels = network, pixels

    def __call__(self, x: Any, *rest: Any) -> Any:
        if x.shape[0] * x.shape[1] > self._pixels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return self._network(x, *rest)


def test_a_full_device_goes_on_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = get_spec("gladnet-fast")
    backend = CudaBackend(spec, CPU, torch.float32)
    image = dark(700, 720)
    prior = backend.estimate(sample_nearest(image))
    whole = backend.reconstruct(image, prior)
    monkeypatch.setattr(backend, "_detail", FullAbove(backend._detail, 300 * 310))
    backend.close()
    backend = CudaBackend(spec, CPU, torch.float32)
    monkeypatch.setattr(backend, "_detail", FullAbove(backend._detail, 300 * 310))
    with pytest.raises(OutOfMemoryError, match="ran out of memory at 720x700"):
        backend.reconstruct(image, prior)
    step = DetailStep(backend, spec)
    assert levels_apart(step.run(image, prior), whole) <= 1
    assert step.grid is not None
    assert not step.grid.is_whole


def test_other_failures_of_the_device_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CudaBackend(get_spec("gladnet-fast"), CPU, torch.float32)

    def fail(*_: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure\nlong advice")

    monkeypatch.setattr(backend, "_detail", FullAbove(fail, 1000))
    prior = np.zeros((1, 32, 96, 96), np.float32)
    with pytest.raises(BackendError, match=r"CPU failed at 8x8: CUDA error: .* failure$"):
        backend.reconstruct(dark(8, 8), prior)


class Altered:
    """A network whose results are others."""

    dtype = torch.float32

    def __init__(self, network: Any, share: float) -> None:
        self._network, self._share = network, share

    def __call__(self, *arguments: Any) -> Any:
        return self._network(*arguments) * self._share


@pytest.mark.parametrize(("share", "is_right"), [(1, True), (0.99, False), (float("nan"), False)])
def test_a_device_that_computes_wrong_is_not_used(
    monkeypatch: pytest.MonkeyPatch, reference: Backend, share: float, is_right: bool
) -> None:
    backend = CudaBackend(get_spec("gladnet-fast"), CPU, torch.float32)
    monkeypatch.setattr(backend, "_detail", Altered(backend._detail, share))
    if is_right:
        assert checked(backend, reference) is backend
    else:
        with pytest.raises(BackendUnavailableError, match=r"wrong results on CPU .* dB against"):
            checked(backend, reference)


def test_a_device_that_fails_at_once_is_not_used(
    monkeypatch: pytest.MonkeyPatch, reference: Backend
) -> None:
    backend = CudaBackend(get_spec("gladnet-fast"), CPU, torch.float32)
    monkeypatch.setattr(backend, "_detail", FullAbove(None, 0))
    with pytest.raises(
        BackendUnavailableError, match=r"backend cuda does not run: .*--backend torch"
    ):
        checked(backend, reference)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_unavailable() -> None:
    with pytest.raises(BackendUnavailableError, match="torch finds no CUDA device here"):
        open_backend("cuda", get_spec("gladnet-fast"))


def test_it_has_no_other_devices() -> None:
    with pytest.raises(BackendUnavailableError, match="backend cuda has no device cpu"):
        open_backend("cuda", get_spec("gladnet-fast"), device="cpu")


class Way(LibraryConvolver):
    """A way of convolving with a result and a speed that are told."""

    def __init__(self, name: str, ms: float, result: float) -> None:
        super().__init__(PLAIN)
        self.name, self.ms, self.result = name, ms, result

    def last(self, x: Any, layer: Layer) -> Any:
        if self.result < 0:
            raise RuntimeError("no kernel image is available for execution on the device")
        return torch.full((2, 2, 16), self.result)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([Way("slow", 9, 1)], "first"),
        ([Way("fast", 2, 1), Way("faster", 1, 1)], "faster"),
        ([Way("wrong", 1, 1.02), Way("fast", 2, 1.001)], "fast"),
        ([Way("nan", 1, float("nan")), Way("broken", 1, -1)], "first"),
    ],
    ids=["slow", "fastest", "wrong", "broken"],
)
def test_the_fastest_convolution_that_is_right_is_taken(others: list[Way], expected: str) -> None:
    ways = [Way("first", 5, 1), *others]
    running: list[Way] = []

    def run(way: Any) -> Any:
        running.append(way)
        return way.last(None, None)

    def time_ms(work: Any) -> float:
        work()
        return running[-1].ms

    assert choosing.choose(ways, run, time_ms).name == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (97, 131), (720, 1280)])
def test_the_view_taken_on_the_device_is_the_enhancer_s(
    height: int, width: int, dtype: Any
) -> None:
    image = dark(height, width, dtype)
    found = plain.view_of(torch.from_numpy(image), lambda n: torch.from_numpy(nearest_indices(n)))
    np.testing.assert_array_equal(found.numpy(), sample_nearest(image))
