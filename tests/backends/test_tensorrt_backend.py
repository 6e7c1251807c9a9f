"""The TensorRT backend on a fake GPU, with engines that TensorRT-RTX really built."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_tensorrt import FakeCuda, FakeRuntime

from streamlight.backends import choose, open_backend
from streamlight.backends.openvino import OpenVinoBackend
from streamlight.backends.tensorrt import Parts, TensorRtBackend
from streamlight.detail import DetailStep
from streamlight.engines import FLAVOURS, EngineRequest, EngineStore, build_engine, parse_sizes
from streamlight.engines.compiler import Compiled
from streamlight.engines.gpu import Gpu, find_gpu
from streamlight.engines.loading import failure_of
from streamlight.errors import (
    BackendError,
    BackendUnavailableError,
    DeviceLostError,
    EngineError,
    OutOfMemoryError,
)
from streamlight.models import MODELS
from streamlight.view import sample

RTX = FLAVOURS["tensorrt-rtx"]
pytest.importorskip(RTX.module, reason=RTX.install)
pytest.importorskip("onnx", reason="engines are built from ONNX graphs")

SPEC = MODELS["gladnet-fast"]
HERE = Gpu("NVIDIA GeForce RTX 4090", "8.9", "13.0")


class Rig:
    """A backend on a fake GPU."""

    def __init__(self, folder: Path) -> None:
        self.cuda = FakeCuda()
        self.runtime = FakeRuntime(self.cuda)
        self.store = EngineStore(folder)
        self.references = 0
        self.flavour = RTX

    def open(self, parallel: int | None = 1, gpu: Gpu = HERE) -> TensorRtBackend:
        parts = Parts(self.cuda, gpu, self.store, self.runtime.load, self.reference)
        return TensorRtBackend(SPEC, self.flavour, parts, None, parallel)

    def reference(self) -> OpenVinoBackend:
        self.references += 1
        return OpenVinoBackend(SPEC, precision="fp32")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def night(height: int, width: int, seed: int = 0) -> Any:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin((x * (c + 2) + y * (3 - c)) / 23 + c) for c in range(3)], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 0.02, waves.shape)
    return ((0.09 + 0.06 * waves + noise).clip(0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pictures_of_every_depth_are_those_of_fp32(rig: Rig, dtype: Any) -> None:
    image = night(66, 90)
    if dtype != np.uint8:
        image = image / np.float32(255)
        image = (image * 65535).round().astype(np.uint16) if dtype == np.uint16 else image
    backend, reference = rig.open(), rig.reference()
    prior = backend.estimate(sample(image))
    found = backend.reconstruct(image, prior)
    expected = reference.reconstruct(image, reference.estimate(sample(image)))
    peak = 1 if dtype == np.float32 else np.iinfo(dtype).max
    assert found.dtype == dtype
    assert np.abs(found / peak - expected / peak).max() <= 1.01 / 255
    assert np.mean((found / peak - expected / peak) ** 2) <= 1e-5
    backend.close()
    assert rig.cuda.is_closed


def test_an_engine_is_built_and_verified_once_and_then_comes_from_the_store(rig: Rig) -> None:
    first = rig.open()
    first.reconstruct(night(66, 90), first.estimate(sample(night(66, 90))))
    assert rig.references == 1
    records = [listed.record for listed in rig.store.list()]
    assert len(records) == 2
    assert all(r is not None and r.verification.gpu == HERE.name for r in records)
    assert all(r is not None and r.identity.compute == ("8.9",) for r in records)
    built_at = {r.identity.name: r.plan_sha256 for r in records if r is not None}
    second = rig.open()
    second.reconstruct(night(66, 90, 1), second.estimate(sample(night(66, 90, 1))))
    assert rig.references == 1
    assert {i.name for i in rig.runtime.loaded} == set(built_at)
    third = rig.open(gpu=replace(HERE, name="NVIDIA L4"))
    third.reconstruct(night(66, 90), third.estimate(sample(night(66, 90))))
    assert rig.references == 2, "verified on another kind of GPU only"


def test_an_engine_for_more_sizes_and_gpus_serves_too(rig: Rig) -> None:
    sizes = parse_sizes("64x64..128x128", SPEC)
    many = ("8.6", "8.9", "12.0")
    build_engine(
        EngineRequest(SPEC, "reconstruct", sizes, RTX, "fp16", "uint8", compute=many), rig.store
    )
    backend = rig.open()
    for size in ((66, 90), (128, 64)):
        backend.reconstruct(night(*size), backend.estimate(sample(night(*size))))
    used = [i for i in rig.runtime.loaded if i.graph == "reconstruct"]
    assert {i.sizes for i in used} == {"64x64..128x128@128x128"}
    other = rig.open(gpu=replace(HERE, compute="8.0"))
    other.reconstruct(night(66, 90), other.estimate(sample(night(66, 90))))
    assert rig.runtime.loaded[-1].compute == ("8.0",), "an engine for other GPUs was used"


def test_engines_of_torch_tensorrt_serve_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that `streamlight build --compiler torch-tensorrt --deep` made, for floats."""
    asked: list[str] = []

    def compile_network(flavour: Any, model: Any, graph: str, *more: Any, **options: Any) -> Any:
        asked.append(graph)
        return Compiled(b"plan", {}, 0.1, "2.13.0")

    monkeypatch.setattr("streamlight.engines.torch_compiler.compile_network", compile_network)
    rig.flavour = replace(RTX, name="tensorrt", builds_anywhere=False, compiles_at_runtime=False)
    sizes = parse_sizes("90x66", SPEC)
    for request in (
        EngineRequest(SPEC, "estimate", None, rig.flavour, "fp32", "float32"),
        EngineRequest(SPEC, "reconstruct", sizes, rig.flavour, "fp16", "float32"),
    ):
        build_engine(replace(request, gpu=HERE, compiler="torch-tensorrt"), rig.store)
    assert asked == ["estimate", "reconstruct"]
    image = night(66, 90).astype(np.float32) / 255
    backend, reference = rig.open(), rig.reference()
    prior = backend.estimate(sample(image))
    found = backend.reconstruct(image, prior)
    expected = reference.reconstruct(image, reference.estimate(sample(image)))
    assert np.abs(found - expected).max() <= 1.01 / 255
    assert [i.compiler for i in rig.runtime.loaded] == ["torch-tensorrt"] * 2
    assert len(asked) == 2
    assert all(e.record and e.record.verification.is_done for e in rig.store.list())


def test_a_wrong_engine_is_refused_and_not_marked_as_verified(rig: Rig) -> None:
    backend = rig.open()
    image = night(66, 90)
    prior = backend.estimate(sample(image))

    def spoil(result: Any) -> Any:
        wrong = result.copy()
        if wrong.dtype == np.uint8:
            wrong[:, :, :8] = 0
        return wrong

    rig.runtime.spoil = spoil
    for _ in range(2):
        with pytest.raises(EngineError, match=r"the engine is wrong: .* dB against FP32"):
            backend.reconstruct(image, prior)
    assert not any(e.record and e.record.verification.is_done for e in rig.store.list())


def test_results_are_the_same_from_several_threads_and_mixed_sizes(rig: Rig) -> None:
    backend = rig.open(parallel=3)
    pictures = [night(*size, seed) for seed in range(4) for size in ((66, 90), (90, 66), (64, 64))]
    priors = [backend.estimate(sample(picture)) for picture in pictures]
    alone = [backend.reconstruct(p, prior) for p, prior in zip(pictures, priors, strict=True)]
    contexts = rig.runtime.contexts
    assert contexts == 1 + 3 * 3, "three contexts for each of three sizes, and one for estimate"
    with ThreadPoolExecutor(6) as threads:
        at_once = list(threads.map(backend.reconstruct, pictures * 3, priors * 3))
    for index, found in enumerate(at_once):
        np.testing.assert_array_equal(found, alone[index % len(alone)])
    assert rig.runtime.contexts == contexts


def test_results_do_not_share_memory(rig: Rig) -> None:
    backend = rig.open()
    prior = backend.estimate(sample(night(66, 90)))
    first = backend.reconstruct(night(66, 90), prior)
    kept = first.copy()
    backend.reconstruct(night(66, 90, 5), prior)
    np.testing.assert_array_equal(first, kept)


def test_out_of_memory_goes_on_in_tiles_with_the_same_result(rig: Rig) -> None:
    frame = night(700, 720)
    whole = rig.open()
    prior = whole.estimate(sample(frame))
    expected = whole.reconstruct(frame, prior)
    rig.runtime.most_pixels = 420 * 720
    backend = rig.open()
    with pytest.raises(OutOfMemoryError, match=r"ran out of memory .*Cuda Runtime"):
        backend.reconstruct(frame, prior)
    step = DetailStep(backend, SPEC)
    found = step.run(frame, prior)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert "ran out of memory" in step.notes[0]
    assert step.grid is not None and not step.grid.is_whole


def test_a_lost_gpu_is_an_error_of_its_own_and_stays(rig: Rig) -> None:
    backend = rig.open(parallel=2)
    image = night(66, 90)
    prior = backend.estimate(sample(image))
    backend.reconstruct(image, prior)
    rig.runtime.says = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"
    with pytest.raises(DeviceLostError, match="the GPU was lost"):
        backend.reconstruct(image, prior)
    rig.runtime.says = ""
    with pytest.raises(DeviceLostError, match="start streamlight again"):
        backend.reconstruct(image, prior)
    backend.close()


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("CUDA error: out of memory", OutOfMemoryError),
        ("Error Code 2: OutOfMemory (Requested size was 4096 bytes.)", OutOfMemoryError),
        ("CUDA error: an illegal memory access was encountered", DeviceLostError),
        ("CUDA error: unspecified launch failure", DeviceLostError),
        ("CUDA error: uncorrectable ECC error encountered", DeviceLostError),
        ("Error Code 3: API Usage Error", BackendError),
    ],
)
def test_reasons_are_told_apart(reason: str, kind: type[Exception]) -> None:
    assert type(failure_of("it failed", reason)) is kind
    assert reason in str(failure_of("it failed", reason))


def test_rtx_keeps_its_kernels_for_the_next_process(rig: Rig) -> None:
    backend = rig.open()
    backend.reconstruct(night(66, 90), backend.estimate(sample(night(66, 90))))
    assert rig.runtime.kernels_read == []
    backend.close()
    assert len(list(rig.store.folder.glob(".*.kernels"))) == 2
    rig.open()
    assert rig.runtime.kernels_read == [b"kernels"]
    assert len(rig.store.list()) == 2, "kernels are no engines"


def test_the_other_flavour_records_a_cuda_graph_after_its_first_run(rig: Rig) -> None:
    """The graph replays the engine between the copies of each new picture."""
    rig.flavour = replace(RTX, compiles_at_runtime=False)
    backend = rig.open()
    prior = backend.estimate(sample(night(66, 90)))
    assert rig.cuda.graphs == 1
    found = [backend.reconstruct(night(66, 90, seed), prior) for seed in range(3)]
    assert rig.cuda.graphs == 2
    assert rig.cuda.replays >= 2
    reference = rig.reference()
    for seed, result in enumerate(found):
        expected = reference.reconstruct(night(66, 90, seed), prior)
        assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU")
@pytest.mark.parametrize(
    "opening",
    [
        lambda: open_backend("tensorrt-rtx", SPEC),
        lambda: choose(backend="tensorrt-rtx"),
        lambda: open_backend("tensorrt-rtx", SPEC, "cuda:1"),
    ],
)
def test_without_a_gpu_it_is_unavailable(opening: Callable[[], Any]) -> None:
    with pytest.raises(BackendUnavailableError, match="tensorrt-rtx finds no NVIDIA GPU cuda"):
        opening()


def test_another_device_is_refused() -> None:
    with pytest.raises(BackendUnavailableError, match="tensorrt-rtx has no device cpu"):
        open_backend("tensorrt-rtx", SPEC, "cpu")
