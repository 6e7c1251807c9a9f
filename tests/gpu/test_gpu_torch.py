"""PyTorch on an NVIDIA GPU against FP32 on the CPU, and PyTorch where no other runtime is.

The tests marked `gpu` skip without CUDA; with STREAMLIGHT_REQUIRE_GPU=1 they fail instead. They
run from a plain checkout with numpy, torch, safetensors and pytest, and nothing else.
"""

import importlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamlight
from streamlight.enhance import Enhancer
from streamlight.errors import BackendError, BackendUnavailableError
from streamlight.frame import Image
from streamlight.models import MODELS, get_spec
from streamlight.models.weights import load_network

REQUIRE_GPU = os.environ.get("STREAMLIGHT_REQUIRE_GPU") == "1"

torch = (
    importlib.import_module("torch")
    if REQUIRE_GPU
    else pytest.importorskip("torch", reason="PyTorch is what is tested")
)

ROOT = Path(streamlight.__file__).parents[1]
BENCHMARK = ROOT / "benchmarks" / "gpu_networks.py"

LEAST_PSNR_DB = 50
"""What docs/architecture.md promises of FP16; emulated on a CPU it has 77 dB or more."""

MODEL_SIZES = [
    *(("gladnet", height, width) for height, width in ((1, 1), (97, 131), (193, 227), (360, 640))),
    *(("gladnet-fast", height, width) for height, width in ((1, 1), (97, 131), (401, 387))),
]
"""Odd sizes among them, and on both sides of the least size of the compact form."""

WITHOUT_OTHER_RUNTIMES = """
import sys

class Blocked:
    NAMES = {"av", "cv2", "openvino", "platformdirs", "rich", "tensorrt", "torch_tensorrt", "typer",
             "PIL", "psutil", "triton"}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.NAMES:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import numpy as np
from streamlight.enhance import Enhancer

import streamlight.backends.cuda, streamlight.cuda.programs

with Enhancer.open("gladnet-fast", "torch") as enhancer:
    dark = np.full((51, 67, 3), 20, np.uint8)
    bright = enhancer(dark)
assert bright.shape == dark.shape and bright.dtype == dark.dtype
assert bright.mean() > dark.mean() + 20, bright.mean()
print(enhancer.info.backend)
"""


def dark(height: int, width: int, dtype: Any = np.float32, seed: int = 0) -> Image:
    """Make a dark picture with the noise of a small sensor."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin((x * (c + 2) + y * (3 - c)) / 23 + c) for c in range(3)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 0.02, waves.shape)
    image = (0.09 + 0.06 * waves + noise).clip(0, 1)
    peak = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (image * peak).astype(dtype)


def unit(image: Image) -> Image:
    """Scale a picture to [0, 1]."""
    return image / (1.0 if image.dtype == np.float32 else np.iinfo(image.dtype).max)


def psnr_db(found: Image, expected: Image) -> float:
    error = float(np.mean((unit(found).astype(np.float64) - unit(expected)) ** 2))
    return -10 * np.log10(error) if error else np.inf


@cache
def reference(model: str, height: int, width: int, dtype: Any = np.float32) -> Image:
    """Return what FP32 on the CPU makes of `dark`."""
    with Enhancer.open(model, "torch", device="cpu", precision="fp32") as enhancer:
        return enhancer(dark(height, width, dtype))


def resident_bytes() -> int:
    """Return the memory of this process on the host, without psutil; 0 where nothing tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def need_cuda(is_required: bool) -> None:
    """Skip where there is no CUDA device, or fail where there has to be one."""
    if torch.cuda.is_available():
        return
    if is_required:
        pytest.fail("STREAMLIGHT_REQUIRE_GPU=1, but torch finds no CUDA device")
    pytest.skip("torch finds no CUDA device")


@pytest.fixture
def cuda() -> str:
    """Return the device to open, if there is one."""
    need_cuda(REQUIRE_GPU)
    return "cuda"


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize(("model", "height", "width"), MODEL_SIZES)
def test_the_gpu_gives_what_the_cpu_gives_in_fp32(
    cuda: str, model: str, height: int, width: int, precision: str
) -> None:
    with Enhancer.open(model, "torch", device=cuda, precision=precision) as enhancer:
        bright = enhancer(dark(height, width))
    expected = reference(model, height, width)
    assert expected.mean() > 0.2, "the model does not brighten the picture"
    assert psnr_db(bright, expected) >= LEAST_PSNR_DB
    assert np.abs(bright - expected).max() < 1 / 255  # a wrong row would hide in the PSNR


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("model", MODELS)
def test_fp16_on_the_gpu_keeps_the_dtype(cuda: str, model: str, dtype: Any) -> None:
    picture = dark(97, 131, dtype)
    with Enhancer.open(model, "torch", device=cuda) as enhancer:
        assert enhancer.info.precision == "fp16"
        bright = enhancer(picture)
    assert bright.dtype == dtype
    assert bright.shape == picture.shape
    assert psnr_db(bright, reference(model, 97, 131, dtype)) >= LEAST_PSNR_DB
    np.testing.assert_array_equal(picture, dark(97, 131, dtype), "the input was written to")


@pytest.mark.gpu
@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if not spec.is_affine])
def test_the_compact_form_computes_the_same_on_the_gpu(cuda: str, model: str) -> None:
    network = load_network(get_spec(model)).double().to(cuda)  # FP64, which knows no TF32
    side = get_spec(model).cells_min_side
    for height, width in ((side, side), (side + 34, side + 2), (side + 2, 2 * side)):
        image = torch.from_numpy(dark(height, width)).to(cuda).double().permute(2, 0, 1)[None]
        view = torch.nn.functional.interpolate(image, (96, 96))
        with torch.inference_mode():
            prior = network.estimate(view)
            plain, compact = (
                network.detail(image, prior),
                network.detail.forward_compact(image, prior),
            )
        torch.testing.assert_close(compact, plain, rtol=0, atol=1e-9)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_results_are_the_same_again_and_from_several_threads(cuda: str, model: str) -> None:
    side = get_spec(model).cells_min_side
    sizes = ((side, side + 2), (side + 2, side), (96, 130), (64, 64))
    pictures = [dark(*size, np.uint8, seed) for seed, size in enumerate(sizes)] * 10
    with Enhancer.open(model, "torch", device=cuda, parallel=4) as enhancer:
        in_turn = [enhancer(picture) for picture in pictures]
        priors = [enhancer.estimate(picture) for picture in pictures]
        with ThreadPoolExecutor(enhancer.parallel) as threads:
            at_once = list(threads.map(enhancer.reconstruct, pictures, priors))
    for index, (alone, found) in enumerate(zip(in_turn, at_once, strict=True)):
        np.testing.assert_array_equal(alone, in_turn[index % len(sizes)])
        np.testing.assert_array_equal(found, alone)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_memory_does_not_grow_over_2000_frames(cuda: str, model: str) -> None:
    picture = dark(360, 640, np.uint8)
    with Enhancer.open(model, "torch", device=cuda) as enhancer:
        seen = []
        for frame in range(2020):
            enhancer(picture)
            if frame in (19, 2019):
                host = resident_bytes()
                seen.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), host))
    (allocated, reserved, host), (allocated_later, reserved_later, host_later) = seen
    assert allocated_later == allocated
    assert reserved_later == reserved
    assert host_later - host < 50e6, "2000 results of 0.7 MB would be 1.4 GB"


@pytest.mark.gpu
def test_a_picture_too_large_for_the_memory_is_refused_and_the_next_one_works(cuda: str) -> None:
    limit = 512 * 2**20  # one feature map of the picture takes 1 GB
    with Enhancer.open("gladnet", "torch", device=cuda) as enhancer:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + limit) / total)
        try:
            with pytest.raises(BackendError, match="ran out of memory at 2000x2000"):
                enhancer(dark(2000, 2000, np.uint8))
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert enhancer(dark(64, 64, np.uint8)).mean() > 40


@pytest.mark.gpu
def test_auto_takes_gladnet_on_the_gpu(cuda: str) -> None:
    with Enhancer.open() as enhancer:
        assert enhancer.info.backend == "torch", enhancer.reason
        assert enhancer.model.name == "gladnet"
        assert enhancer.info.device == torch.cuda.get_device_name(cuda)
        assert enhancer.info.precision == "fp16"


@pytest.mark.gpu
def test_a_gpu_that_is_not_there_is_named(cuda: str) -> None:
    missing = f"{cuda}:{torch.cuda.device_count()}"
    with pytest.raises(BackendUnavailableError, match=f"no device {missing}"):
        Enhancer.open("gladnet-fast", "torch", device=missing)


def test_without_cuda_gpu_tests_skip_unless_a_gpu_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(pytest.skip.Exception):
        need_cuda(is_required=False)
    with pytest.raises(pytest.fail.Exception, match="STREAMLIGHT_REQUIRE_GPU=1"):
        need_cuda(is_required=True)


def run_python(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run Python from a plain checkout, without a GPU."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_torch_backend_runs_where_no_other_runtime_can_be_imported() -> None:
    done = run_python("-c", WITHOUT_OTHER_RUNTIMES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "torch\n"


def test_the_benchmark_says_in_one_line_that_there_is_no_gpu() -> None:
    done = run_python(BENCHMARK)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "finds no CUDA device" in done.stderr


@pytest.mark.slow
def test_the_benchmark_runs_and_copies_the_backend_faithfully(tmp_path: Path) -> None:
    figures, forms = (
        tmp_path / "figures.json",
        (
            "eager-fp32",
            "backend-on-device",
            "backend",
            "cuda-on-device",
            "cuda",
            "planes-on-device",
        ),
    )
    size = ("--sizes", "384x386", "--models", "gladnet-fast", "--frames", "1", "--gemm", "64")
    options = ("--device", "cpu", *size, "--forms", *forms, "tensorrt")
    done = run_python(BENCHMARK, *options, "--json", figures)
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    rows = found["rows"]
    assert [missing["form"] for missing in found["not_measured"]] == ["tensorrt"]
    assert [row["form"] for row in rows] == list(forms)
    assert all(row["ms"] > 0 for row in rows)
    eager, on_device, backend, *ours, planes = (row["psnr_db"] for row in rows)
    assert planes is None  # NV12 is another picture
    assert ours == pytest.approx([backend, backend], abs=0.01)
    assert eager is None
    assert on_device == pytest.approx(backend, abs=0.01)
    assert backend == pytest.approx(58.9, abs=0.5)  # nothing but the rounding to 8 bits
