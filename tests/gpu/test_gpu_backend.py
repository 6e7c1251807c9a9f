"""The CUDA backend on an NVIDIA GPU against FP32: right, again and again, under load, at any size.

The tests skip without CUDA; with STREAMLIGHT_REQUIRE_GPU=1 they fail instead. They need numpy,
torch, safetensors and pytest, and nothing else.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from streamlight.enhance import Enhancer
from streamlight.errors import BackendError
from streamlight.frame import Image
from streamlight.models import MODELS, get_spec

REQUIRE_GPU = os.environ.get("STREAMLIGHT_REQUIRE_GPU") == "1"
torch = pytest.importorskip("torch", reason="PyTorch is what is tested")
pytestmark = pytest.mark.gpu

LEAST_PSNR_DB = 50


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        if REQUIRE_GPU:
            pytest.fail("STREAMLIGHT_REQUIRE_GPU=1, but torch finds no CUDA device")
        pytest.skip("torch finds no CUDA device")


def dark(height: int, width: int, dtype: Any = np.uint8, seed: int = 0) -> Image:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin((x * (c + 2) + y * (3 - c)) / 23 + c) for c in range(3)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 0.02, waves.shape)
    peak = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return ((0.09 + 0.06 * waves + noise).clip(0, 1) * peak).astype(dtype)


def psnr_db(found: Image, expected: Image) -> float:
    peak = 1 if found.dtype == np.float32 else np.iinfo(found.dtype).max
    error = float(np.mean((found.astype(np.float64) - expected) ** 2)) / peak**2
    return -10 * np.log10(error) if error else np.inf


def worst(found: Image, expected: Image) -> float:
    peak = 1 if found.dtype == np.float32 else np.iinfo(found.dtype).max
    return float(np.abs(found.astype(np.float64) - expected).max()) / peak


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (97, 131), (401, 387), (720, 1280)])
@pytest.mark.parametrize("model", MODELS)
def test_it_gives_what_torch_gives_in_fp32(
    model: str, height: int, width: int, dtype: Any, precision: str
) -> None:
    picture = dark(height, width, dtype)
    with Enhancer.open(model, "torch", device="cuda", precision="fp32") as reference:
        expected = reference(picture)
    with Enhancer.open(model, "cuda", precision=precision) as enhancer:
        found = enhancer(picture)
    assert found.dtype == dtype
    assert psnr_db(found, expected) >= LEAST_PSNR_DB
    assert worst(found, expected) < 3 / 255  # a wrong row would hide in the PSNR


@pytest.mark.parametrize("model", MODELS)
def test_tiles_give_what_the_whole_gives(model: str) -> None:
    picture = dark(1080, 1920)
    with Enhancer.open(model, "cuda") as enhancer:
        whole = enhancer(picture)
    with Enhancer.open(model, "cuda", memory_bytes=1_000_000_000) as enhancer:
        enhancer.prepare(1920, 1080)
        in_tiles = enhancer(picture)
        assert enhancer.tiles, "1 GB has room for the whole: the test shows nothing"
    assert worst(in_tiles, whole) <= 2 / 255  # other sizes may round otherwise


@pytest.mark.parametrize("model", MODELS)
def test_mixed_sizes_under_load_on_two_streams_are_those_of_one_at_a_time(model: str) -> None:
    side = get_spec(model).cells_min_side
    sizes = ((side, side + 2), (side + 2, side), (96, 130), (720, 1280), (64, 64))
    pictures = [dark(*size, seed=seed) for seed, size in enumerate(sizes)]
    with Enhancer.open(model, "cuda", parallel=2) as enhancer:
        priors = [enhancer.estimate(picture) for picture in pictures]
        alone = [enhancer.reconstruct(*job) for job in zip(pictures, priors, strict=True)]
        # enhancer.reconstruct is slowed by what else runs on the device
        load = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
        with ThreadPoolExecutor(4) as threads:
            jobs = [n % len(sizes) for n in range(200)]
            futures = [threads.submit(enhancer.reconstruct, pictures[n], priors[n]) for n in jobs]
            for _ in range(50):
                load @ load
            for n, future in zip(jobs, futures, strict=True):
                np.testing.assert_array_equal(future.result(), alone[n])
            again = list(threads.map(enhancer.estimate, pictures * 4))
    for n, estimate in enumerate(again):
        np.testing.assert_array_equal(estimate.prior, priors[n % len(sizes)].prior)


@pytest.mark.parametrize("model", MODELS)
def test_memory_does_not_grow_over_2000_frames(model: str) -> None:
    pictures = [dark(360, 640), dark(400, 640)]
    with Enhancer.open(model, "cuda") as enhancer:
        seen = []
        for frame in range(2020):
            enhancer(pictures[frame % 2])
            if frame in (19, 2019):
                seen.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert seen[1] == seen[0]


def test_changing_sizes_do_not_fill_the_device() -> None:
    with Enhancer.open("gladnet-fast", "cuda") as enhancer:
        held = []
        for number in range(12):
            enhancer(dark(400 + 2 * number, 640))
            held.append(torch.cuda.memory_allocated())
    assert max(held[4:]) <= max(held[:4]) * 1.1


def test_a_full_device_is_told_and_the_next_picture_works() -> None:
    with Enhancer.open("gladnet", "cuda") as enhancer:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        limit = torch.cuda.memory_reserved() + 256 * 2**20
        backend: Any = enhancer._backend
        picture = dark(2000, 2000)
        prior = backend.estimate(np.zeros((1, 3, 96, 96), np.float32))
        torch.cuda.set_per_process_memory_fraction(limit / total)
        try:
            with pytest.raises(BackendError, match="ran out of memory at 2000x2000"):
                backend.reconstruct(picture, prior)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert enhancer(dark(64, 64)).mean() > 40
