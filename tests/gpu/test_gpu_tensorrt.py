"""TensorRT on a real GPU: parity with FP32, several streams, and refusal where it cannot run.

Run by `make gpu-check` where a flavour is installed; nothing of it is imported elsewhere.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_gpu_torch import LEAST_PSNR_DB, cuda, dark, psnr_db, reference

from streamlight.backends import BACKENDS
from streamlight.engines import EngineRequest, EngineStore, build_engine, parse_sizes
from streamlight.engines.flavours import FLAVOURS
from streamlight.engines.gpu import find_gpu
from streamlight.engines.graphs import graph_for
from streamlight.enhance import Enhancer
from streamlight.errors import BackendUnavailableError
from streamlight.models import MODELS

__all__ = ["cuda"]

RTX_COMPUTE = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


@pytest.fixture(params=list(FLAVOURS))
def flavour(
    request: pytest.FixtureRequest, cuda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Give the name of a flavour that is installed and can run here, with an empty store."""
    name = str(request.param)
    if not BACKENDS[name].is_installed:
        pytest.skip(f"{name} is not installed: {BACKENDS[name].install}")
    monkeypatch.setenv("STREAMLIGHT_ENGINE_DIR", str(tmp_path))
    gpu = find_gpu()
    assert gpu is not None, "torch finds a GPU, and the driver does not"
    if name == "tensorrt-rtx" and gpu.compute not in RTX_COMPUTE:
        pytest.skip(f"{name} does not run on {gpu.name}")
    yield name


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("model", "height", "width"), [("gladnet", 193, 227), ("gladnet-fast", 401, 387)]
)
def test_engines_agree_with_fp32(
    flavour: str, model: str, height: int, width: int, dtype: type
) -> None:
    with Enhancer.open(model, flavour) as enhancer:
        bright = enhancer(dark(height, width, dtype))
    expected = reference(model, height, width, dtype)
    assert psnr_db(bright, expected) >= LEAST_PSNR_DB
    listed = EngineStore().list()
    assert listed and all(e.record and e.record.verification.is_done for e in listed)


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_several_contexts_give_what_one_gives(flavour: str, model: str) -> None:
    sizes = ((96, 130), (130, 96), (64, 64))
    pictures = [dark(*size, np.uint8, seed) for seed, size in enumerate(sizes)] * 20
    with Enhancer.open(model, flavour, parallel=4) as enhancer:
        in_turn = [enhancer(picture) for picture in pictures]
        priors = [enhancer.estimate(picture) for picture in pictures]
        with ThreadPoolExecutor(4) as threads:
            at_once = list(threads.map(enhancer.reconstruct, pictures, priors))
    for alone, found in zip(in_turn, at_once, strict=True):
        np.testing.assert_array_equal(found, alone)


@pytest.mark.gpu
def test_a_second_start_builds_nothing(flavour: str) -> None:
    for _ in range(2):
        with Enhancer.open("gladnet-fast", flavour) as enhancer:
            enhancer(dark(96, 130, np.uint8))
    stamps = {e.record.built_at for e in EngineStore().list() if e.record}
    assert len(EngineStore().list()) == 2
    assert stamps


@pytest.mark.gpu
@pytest.mark.parametrize("model", MODELS)
def test_it_takes_over_in_auto(flavour: str, model: str) -> None:
    """PyTorch runs in this thread while engines are built and graphs recorded in another."""
    picture = dark(193, 227, np.uint8)
    expected = reference(model, 193, 227, np.uint8)
    deadline = time.monotonic() + 150
    with Enhancer.open(model, "auto", device="cuda") as enhancer:
        while not enhancer.swaps:
            assert time.monotonic() < deadline
            assert psnr_db(enhancer(picture), expected) >= LEAST_PSNR_DB
        (swap,) = enhancer.swaps
        assert swap.failure == ""
        assert enhancer.info.backend in FLAVOURS
        assert psnr_db(enhancer(picture), expected) >= LEAST_PSNR_DB


@pytest.mark.gpu
def test_engines_of_torch_tensorrt_agree_with_fp32(flavour: str) -> None:
    if flavour != "tensorrt":
        pytest.skip("torch-tensorrt is for tensorrt only")
    pytest.importorskip("torch_tensorrt", reason="pip install torch-tensorrt")
    spec, store = MODELS["gladnet-fast"], EngineStore()
    sizes = parse_sizes("388x402", spec)
    build_engine(
        EngineRequest(
            spec,
            graph_for(spec, sizes),
            sizes,
            FLAVOURS[flavour],
            pixels="float32",
            gpu=find_gpu(),
            compiler="torch-tensorrt",
        ),
        store,
    )
    with Enhancer.open(spec.name, flavour) as enhancer:
        bright = enhancer(dark(401, 387, np.float32))
    assert psnr_db(bright, reference(spec.name, 401, 387, np.float32)) >= LEAST_PSNR_DB
    used = [e.record for e in store.list() if e.record and e.record.identity.graph != "estimate"]
    assert [record.identity.compiler for record in used] == ["torch-tensorrt"]


@pytest.mark.gpu
def test_rtx_refuses_a_gpu_that_it_does_not_run_on(
    cuda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BACKENDS["tensorrt-rtx"].is_installed:
        pytest.skip(f"tensorrt-rtx is not installed: {BACKENDS['tensorrt-rtx'].install}")
    gpu = find_gpu()
    assert gpu is not None
    if gpu.compute in RTX_COMPUTE:
        pytest.skip(f"it runs on {gpu.name}")
    monkeypatch.setenv("STREAMLIGHT_ENGINE_DIR", str(tmp_path))
    with pytest.raises(BackendUnavailableError, match="tensorrt-rtx"):
        Enhancer.open("gladnet-fast", "tensorrt-rtx")
