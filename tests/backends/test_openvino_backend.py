"""OpenVINO against the PyTorch reference on real dark pictures, and its devices and cache."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino as ov
import pytest
from ffprobe import psnr_db
from real_frames import dark_frame

from streamlight.backends import openvino
from streamlight.backends.openvino import OpenVinoBackend, shared_core
from streamlight.errors import BackendError, BackendUnavailableError
from streamlight.frame import Image
from streamlight.models import graph_path
from streamlight.models.spec import MODELS
from streamlight.view import sample_nearest

HAS_BF16 = "BF16" in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")

SIZES = [
    ("gladnet", 64, 96),
    ("gladnet", 192, 200),  # compact
    ("gladnet-fast", 2, 2),
    ("gladnet-fast", 180, 320),
    ("gladnet-fast", 384, 640),
]


def enhanced(backend: Any, image: Image) -> Image:
    result: Image = backend.reconstruct(image, backend.estimate(sample_nearest(image)))
    return result


@pytest.mark.parametrize(("model", "height", "width"), SIZES)
def test_fp32_is_within_one_level_of_pytorch(model: str, height: int, width: int) -> None:
    torch_backend = pytest.importorskip("streamlight.backends.torch", reason="needs torch")
    image = dark_frame(height, width)
    expected = enhanced(torch_backend.TorchBackend(MODELS[model], "cpu"), image)
    result = enhanced(OpenVinoBackend(MODELS[model], precision="fp32"), image)
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert (result != expected).mean() < 0.01
    if height > 2:
        assert expected.mean() > 1.5 * image.mean(), "it does nothing"


@pytest.mark.skipif(not HAS_BF16, reason="this processor has no BF16")
@pytest.mark.parametrize(
    ("model", "height", "width"), [("gladnet", 128, 192), ("gladnet-fast", 360, 640)]
)
def test_bf16_is_at_40_db_of_fp32(model: str, height: int, width: int) -> None:
    image = dark_frame(height, width)
    exact = enhanced(OpenVinoBackend(MODELS[model], precision="fp32"), image)
    backend = OpenVinoBackend(MODELS[model], precision="bf16")
    assert psnr_db(exact[None], enhanced(backend, image)[None]) >= 40


@pytest.mark.skipif(not HAS_BF16, reason="this processor has no BF16")
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_factors_that_are_carried_in_bf16_are_the_same(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    image = dark_frame(180, 320)
    result = enhanced(OpenVinoBackend(MODELS["gladnet-fast"], precision=precision), image)
    carried: list[Any] = []
    monkeypatch.setattr(openvino, "_carry_in_bf16", carried.append)
    plain = enhanced(OpenVinoBackend(MODELS["gladnet-fast"], precision=precision), image)
    assert len(carried) == 1
    np.testing.assert_array_equal(result, plain)


def test_joining_and_splitting_are_done_in_bf16() -> None:
    graph = shared_core().read_model(graph_path(MODELS["gladnet-fast"], "reconstruct"))
    graph.reshape({"image": [1, 48, 64, 3]})
    openvino._carry_in_bf16(graph)
    narrow = [
        op.get_type_name()
        for op in graph.get_ordered_ops()
        if op.get_output_size() and op.get_output_element_type(0) == ov.Type.bf16
    ]
    assert {"Concat", "Split"} <= set(narrow)
    assert "Multiply" not in narrow
    assert graph.output().element_type == ov.Type.f32


def test_a_prior_of_any_layout_in_memory_gives_the_same() -> None:
    image = dark_frame(48, 64)
    backend = OpenVinoBackend(MODELS["gladnet-fast"], precision="fp32")
    prior = backend.estimate(sample_nearest(image))
    assert prior.shape == (1, 32, 96, 96)
    assert not prior.flags.c_contiguous, "as NHWC it needs no copy"
    result = backend.reconstruct(image, np.ascontiguousarray(prior))
    np.testing.assert_array_equal(result, backend.reconstruct(image, prior))


@pytest.mark.parametrize("is_metered", [False, True])
def test_a_meter_counts_in_fp32(is_metered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = OpenVinoBackend(replace(MODELS["gladnet-fast"], is_metered=is_metered))
    asked: list[ov.Type] = []

    def compile_model(graph: ov.Model, device: str, config: dict[str, Any]) -> ov.CompiledModel:
        asked.append(config[ov.properties.hint.inference_precision])
        return shared_core().compile_model(graph, device)

    core = SimpleNamespace(read_model=shared_core().read_model, compile_model=compile_model)
    monkeypatch.setattr(backend, "_core", core)
    monkeypatch.setattr(backend, "_type", ov.Type.bf16)
    backend._compile_estimate()
    assert asked == [ov.Type.f32 if is_metered else ov.Type.bf16]


@pytest.mark.parametrize("device", ["TPU", "CPU.7", "AUTO"])
def test_a_device_that_is_not_there_is_unavailable(device: str) -> None:
    with pytest.raises(BackendUnavailableError, match=rf"openvino .* {device}") as caught:
        OpenVinoBackend(MODELS["gladnet-fast"], device)
    assert "\n" not in str(caught.value)


def test_a_precision_that_the_device_lacks_is_unavailable() -> None:
    missing = next((p for p in ("fp16", "bf16") if not has(p)), None)
    if missing is None:
        pytest.skip("this processor has every precision")
    with pytest.raises(BackendUnavailableError, match="--precision fp32 works everywhere"):
        OpenVinoBackend(MODELS["gladnet-fast"], precision=missing)


def has(precision: str) -> bool:
    capabilities = shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return precision.upper() in capabilities


def test_a_failure_of_the_device_is_told_in_one_line() -> None:
    backend = OpenVinoBackend(MODELS["gladnet-fast"])
    with pytest.raises(BackendError, match="openvino failed on CPU: ") as caught:
        backend.reconstruct(np.zeros((4, 4, 3), np.uint8), np.zeros((1, 1, 96, 96), np.float32))
    assert "\n" not in str(caught.value)


def test_parallelism_is_one_unless_asked_for() -> None:
    spec = MODELS["gladnet-fast"]
    assert OpenVinoBackend(spec).parallel == 1
    assert OpenVinoBackend(spec, parallel=3).parallel == 3
    assert OpenVinoBackend(spec, parallel=None).parallel == min(4, os.cpu_count() or 1)


def test_compiled_networks_are_kept_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    image = dark_frame(48, 64)
    first = enhanced(OpenVinoBackend(MODELS["gladnet-fast"]), image)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert kept
    assert all((tmp_path / "streamlight" / "openvino") in path.parents for path in kept)
    again = enhanced(OpenVinoBackend(MODELS["gladnet-fast"]), image)
    np.testing.assert_array_equal(again, first)
    now = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert now == kept, "compiled anew"


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert enhanced(OpenVinoBackend(MODELS["gladnet-fast"]), dark_frame(4, 4)).shape == (4, 4, 3)


def test_a_cache_that_was_cut_off_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a full disk, or by a kill while it was written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    image = dark_frame(48, 64)
    first = enhanced(OpenVinoBackend(MODELS["gladnet-fast"]), image)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:5000])
    np.testing.assert_array_equal(enhanced(OpenVinoBackend(MODELS["gladnet-fast"]), image), first)


CLOSE_TWO_THEN_SIGNAL = """
import gc, os, signal
from streamlight.backends import open_backend
from streamlight.models import get_spec
first, second = (open_backend("openvino", get_spec("gladnet-fast")) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_two_backends_were_closed_does_not_crash_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSE_TWO_THEN_SIGNAL], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "handled\n")
