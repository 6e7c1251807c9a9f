"""The detail step in tiles: the same picture as whole, within the memory that was granted."""

from functools import cache

import numpy as np
import pytest
from fake_backend import FakeBackend
from numpy.typing import NDArray

from streamlight.backends import Backend, MemoryNeed, Prior, open_backend
from streamlight.detail import DetailStep
from streamlight.errors import BackendError, OutOfMemoryError, UsageError
from streamlight.frame import Image
from streamlight.models.prior_index import Place
from streamlight.models.spec import MODELS
from streamlight.view import sample_nearest

FAST = MODELS["gladnet-fast"]
PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}

CASES = [
    ("gladnet-fast", 301, 403),
    ("gladnet-fast", 387, 521),
    ("gladnet", 130, 300),
    ("gladnet", 263, 259),  # compact
]


def picture(height: int, width: int, dtype: str = "uint8") -> Image:
    """Dark noise: each pixel differs from its neighbours, so that a wrong one shows."""
    noise = np.random.default_rng(0).random((height, width, 3)) * 0.2
    return np.asarray(noise * PEAKS[dtype], np.dtype(dtype))


@cache
def opened(backend: str, model: str, precision: str = "fp32") -> Backend:
    if backend == "torch":
        pytest.importorskip("torch", reason="needs torch")
    return open_backend(backend, MODELS[model], "cpu", precision)


def granting(backend: Backend, image: Image, pixels: int) -> int:
    """Memory in which a tile of so many pixels fits and none larger."""
    calls = backend.parallel
    network = int(pixels * backend.memory.bytes_per_pixel) + 1
    return backend.memory.fixed_bytes + calls * (2 * image.nbytes + network)


def in_tiles(
    backend: Backend, model: str, image: Image, prior: Prior, pixels: int = 200 * 190
) -> tuple[Image, str]:
    step = DetailStep(backend, MODELS[model], granting(backend, image, pixels))
    result = step.run(image, prior)
    assert step.grid is not None
    assert not step.grid.is_whole
    return result, str(step.grid)


@pytest.mark.parametrize(
    ("backend", "model", "height", "width"),
    [*(("openvino", *case) for case in CASES), *(("torch", *case) for case in CASES[:2])],
)
def test_tiles_give_the_picture_of_the_whole_frame(
    backend: str, model: str, height: int, width: int
) -> None:
    network = opened(backend, model)
    image = picture(height, width)
    prior = network.estimate(sample_nearest(image))
    whole = DetailStep(network, MODELS[model]).run(image, prior)
    result, grid = in_tiles(network, model, image, prior)
    assert result.shape == image.shape
    assert whole.mean() > 2 * image.mean(), "it does nothing"
    difference = np.abs(result.astype(int) - whole)
    assert difference.max() <= 1, grid
    assert (difference > 0).mean() < 1e-3, grid


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_tiles_keep_the_dtype_and_its_precision(dtype: str) -> None:
    network = opened("openvino", "gladnet-fast")
    image = picture(387, 521, dtype)
    prior = network.estimate(sample_nearest(image))
    whole = DetailStep(network, FAST).run(image, prior)
    result, _ = in_tiles(network, "gladnet-fast", image, prior)
    assert result.dtype == dtype
    assert np.abs(result / PEAKS[dtype] - whole / PEAKS[dtype]).max() < 3e-5


def test_tiles_in_the_default_precision_differ_by_rounding_at_most() -> None:
    network = open_backend("openvino", FAST)
    image = picture(387, 521)
    prior = network.estimate(sample_nearest(image))
    whole = DetailStep(network, FAST).run(image, prior)
    result, _ = in_tiles(network, "gladnet-fast", image, prior)
    assert np.abs(result.astype(int) - whole).max() <= 2


def test_all_tiles_of_a_frame_are_of_one_size_and_know_their_place() -> None:
    backend, image = FakeBackend(), picture(301, 403)
    result, _ = in_tiles(backend, "gladnet-fast", image, np.zeros(1, np.float32), 30_000)
    np.testing.assert_array_equal(result, image + 1)
    assert len({tile.shape for tile in backend.images}) == 1
    padded = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge")
    assert len(backend.places) > 2
    for tile, place in zip(backend.images, backend.places, strict=True):
        assert place is not None
        assert (place.height, place.width) == (302, 404)
        height, width = tile.shape[:2]
        window = padded[place.top : place.top + height, place.left : place.left + width]
        np.testing.assert_array_equal(tile, window)
        assert tile.flags.c_contiguous
        assert tile.flags.writeable


def test_memory_is_shared_by_the_calls_at_once() -> None:
    image = picture(512, 512)
    alone, many = FakeBackend(), FakeBackend(parallel=4)
    budget = granting(many, image, 512 * 512 - 2)
    whole = DetailStep(alone, FAST, budget).prepare(512, 512)
    cut = DetailStep(many, FAST, budget).prepare(512, 512)
    assert (whole.is_whole, cut.is_whole) == (True, False)


@pytest.mark.parametrize(("free", "is_whole"), [(None, True), (524_288, True), (524_280, False)])
def test_without_a_budget_half_of_what_is_free_decides(free: int | None, is_whole: bool) -> None:
    backend = FakeBackend()
    backend.free = free
    assert DetailStep(backend, FAST).prepare(512, 512).is_whole == is_whole  # 262,144 bytes


def test_without_a_budget_the_smallest_tiles_are_tried_when_nothing_fits() -> None:
    backend = FakeBackend()
    backend.free = 10
    assert DetailStep(backend, FAST).prepare(512, 512).rows == 4


def test_too_little_for_any_picture_is_refused_at_once() -> None:
    backend = FakeBackend()
    backend.memory = MemoryNeed(fixed_bytes=250_000_000, bytes_per_pixel=40)
    message = "--memory 200 MB: any picture takes at least 250 MB with gladnet-fast on fake"
    with pytest.raises(UsageError, match=message):
        DetailStep(backend, FAST, 200_000_000)


def test_too_little_for_the_smallest_tiles_is_refused_with_the_least_that_works() -> None:
    backend = FakeBackend(parallel=2)
    backend.memory = MemoryNeed(fixed_bytes=200_000_000, bytes_per_pixel=1000)
    step = DetailStep(backend, FAST, 260_000_000)
    with pytest.raises(UsageError, match=r"1920x1080 takes at least 269 MB .*, 2 at once"):
        step.prepare(1920, 1080)
    DetailStep(backend, FAST, 269_000_000).prepare(1920, 1080)


def test_16_bits_count_twice() -> None:
    backend = FakeBackend()
    budget = 12 * 512 * 512 + 1  # as much as picture and result of 16 bits
    step = DetailStep(backend, FAST, budget)
    assert step.prepare(512, 512, np.uint8).is_whole
    with pytest.raises(UsageError):
        step.prepare(512, 512, np.uint16)


class SmallDevice(FakeBackend):
    """Runs out of memory above so many pixels."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def reconstruct(
        self, image: Image, prior: NDArray[np.float32], place: Place | None = None
    ) -> Image:
        if image.shape[0] * image.shape[1] > self.pixels:
            raise OutOfMemoryError("the device ran out of memory")
        return super().reconstruct(image, prior, place)


def test_a_device_that_runs_out_of_memory_goes_on_in_tiles_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend, image = SmallDevice(300 * 300), picture(501, 512)
    step = DetailStep(backend, FAST)
    for _ in range(2):
        np.testing.assert_array_equal(step.run(image, np.zeros(1, np.float32)), image + 1)
    assert step.grid is not None
    assert step.grid.tile_pixels <= 300 * 300
    assert step.notes[-1] == (
        "the device ran out of memory; pictures of 512x501 go on in 4x2 tiles of 144x260"
    )
    assert len(step.notes) == 2, "told once for each time the tiles shrank, not for each picture"
    assert [record.message for record in caplog.records] == step.notes


def test_a_device_without_memory_for_the_smallest_tile_fails() -> None:
    with pytest.raises(OutOfMemoryError, match="the device ran out of memory"):
        DetailStep(SmallDevice(0), FAST).run(picture(512, 512), np.zeros(1, np.float32))


def test_another_failure_is_not_tried_again() -> None:
    class Broken(FakeBackend):
        def reconstruct(
            self, image: Image, prior: NDArray[np.float32], place: Place | None = None
        ) -> Image:
            super().reconstruct(image, prior, place)
            raise BackendError("broken")

    backend = Broken()
    with pytest.raises(BackendError, match="broken"):
        DetailStep(backend, FAST).run(picture(512, 512), np.zeros(1, np.float32))
    assert len(backend.images) == 1
