"""Real TensorRT-RTX: engines built without a GPU, kept, and refused where they cannot run."""

import gc
import json
import logging
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamlight.engines import (
    FLAVOURS,
    Built,
    EngineRequest,
    EngineStore,
    build_engine,
    compiler,
    identify,
    parse_sizes,
)
from streamlight.engines.compiler import compile_graph
from streamlight.engines.gpu import Gpu, find_gpu
from streamlight.engines.graphs import graph_for, make_graph
from streamlight.engines.loading import check_gpu, load_plan
from streamlight.engines.trt_log import without_collection
from streamlight.errors import BackendUnavailableError, EngineError, UsageError
from streamlight.models import MODELS

RTX = FLAVOURS["tensorrt-rtx"]
pytest.importorskip(RTX.module, reason=RTX.install)
pytest.importorskip("onnx", reason="engines are built from ONNX graphs")

FAST = MODELS["gladnet-fast"]
THREE = ("8.6", "8.9", "12.0")
ESTIMATE = EngineRequest(FAST, "estimate", None, RTX, "fp32", "float32")


def detail(model: str, sizes: str, **options: Any) -> EngineRequest:
    spec = MODELS[model]
    wanted = parse_sizes(sizes, spec)
    return EngineRequest(spec, graph_for(spec, wanted), wanted, RTX, **options)


def check(store: EngineStore, built: Built, convolutions: dict[str, int]) -> None:
    """Check that an engine was built, is what its record says, and lies whole."""
    record, plan = store.load(built.record.identity)
    assert built.is_new
    assert record == built.record
    assert record.layers["convolution"] == convolutions
    assert record.identity.compute == THREE
    assert record.identity.version == RTX.load().__version__
    assert len(plan) == record.plan_bytes > 100_000
    assert not record.verification.is_done


@pytest.mark.parametrize(
    ("request_", "convolutions"),
    [
        (ESTIMATE, {"float": 12}),
        (replace(ESTIMATE, model=MODELS["gladnet"]), {"float": 24}),  # it looks twice
        (replace(ESTIMATE, precision="fp16"), {"half": 12}),
        (detail("gladnet-fast", "360p"), {"half": 6}),
        (detail("gladnet-fast", "any"), {"half": 6}),
        pytest.param(detail("gladnet", "1080p"), {"half": 6}, marks=pytest.mark.slow),
        pytest.param(detail("gladnet", "any"), {"half": 6}, marks=pytest.mark.slow),
        pytest.param(
            detail("gladnet", "4k", pixels="float32"), {"half": 6}, marks=pytest.mark.slow
        ),
        pytest.param(
            detail("gladnet", "64x64", precision="fp32"), {"float": 6}, marks=pytest.mark.slow
        ),
    ],
    ids=lambda value: getattr(value, "graph", None) and f"{value.model.name}-{value.graph}",
)
def test_engines_are_built_for_three_gpus_that_are_not_here(
    tmp_path: Path, request_: EngineRequest, convolutions: dict[str, int]
) -> None:
    store = EngineStore(tmp_path)
    steps: list[tuple[str, int, int]] = []
    request_ = replace(request_, compute=THREE)
    built = build_engine(request_, store, on_step=lambda *step: steps.append(step))
    check(store, built, convolutions)
    assert all(0 < done <= total for _, done, total in steps)


def test_an_engine_that_is_there_is_not_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EngineStore(tmp_path)
    first = build_engine(ESTIMATE, store)
    assert first.reason.startswith("no engine for estimate of gladnet-fast at 96x96")
    monkeypatch.setattr(compiler, "compile_graph", None)  # whoever builds now fails
    second = build_engine(ESTIMATE, store)
    assert not second.is_new
    assert second.record == first.record


def test_a_damaged_or_old_engine_is_built_again_and_the_reason_told(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    identity = build_engine(ESTIMATE, store).record.identity
    path = tmp_path / f"{identity.name}.plan"
    path.write_bytes(path.read_bytes()[:-1])
    again = build_engine(ESTIMATE, store)
    assert again.is_new
    assert "bytes, expected" in again.reason
    assert store.check(identity.name).problem == ""
    forced = build_engine(ESTIMATE, store, is_forced=True)
    assert (forced.is_new, forced.reason) == (True, "asked to")


def test_the_identity_follows_the_request_and_the_machine() -> None:
    here = Gpu("RTX 4090", "8.9", "13.0")
    assert identify(replace(ESTIMATE, gpu=here)).compute == ("8.9",)
    assert identify(ESTIMATE).compute == THREE
    several = replace(ESTIMATE, compute=("12.0", "8.6", "8.6"), gpu=here)
    assert identify(several).compute == ("8.6", "12.0")
    keys = {
        identify(request).key
        for request in (
            ESTIMATE,
            several,
            replace(ESTIMATE, model=MODELS["gladnet"]),
            replace(ESTIMATE, precision="fp16"),
            detail("gladnet-fast", "360p"),
            detail("gladnet-fast", "720p"),
            detail("gladnet-fast", "360p", pixels="float32"),
        )
    }
    assert len(keys) == 7


def test_tensorrt_itself_is_named_where_it_is_missing_or_has_no_gpu() -> None:
    plain = replace(ESTIMATE, flavour=FLAVOURS["tensorrt"])
    with pytest.raises(BackendUnavailableError, match="tensorrt"):
        identify(plain)


@pytest.mark.parametrize("compute", ["9.0", "8", "x", "8.6.1"])
def test_a_gpu_that_rtx_cannot_build_for_is_named_with_the_others(compute: str) -> None:
    with pytest.raises(UsageError, match=r"tensorrt-rtx builds for .*8\.6.*12\.0"):
        compile_graph(RTX, make_graph(FAST, "estimate", None), {}, (compute,))


def test_a_graph_that_it_cannot_read_is_refused_with_its_reason() -> None:
    with pytest.raises(EngineError, match=r"tensorrt-rtx cannot read the graph: .+"):
        compile_graph(RTX, b"no graph", {}, ("8.6",))


@pytest.mark.skipif(find_gpu() is not None, reason="the engine might run here")
def test_where_it_cannot_run_the_runtimes_reason_is_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = EngineStore(tmp_path)
    identity = build_engine(ESTIMATE, store).record.identity
    _, plan = store.load(identity)
    with caplog.at_level(logging.DEBUG), pytest.raises(BackendUnavailableError) as caught:
        load_plan(RTX, plan)
    message = str(caught.value)
    assert message.startswith("tensorrt-rtx cannot run")
    assert "it gave no reason" not in message
    assert "CUDA" in message or "GPU" in message or "device" in message
    with pytest.raises(BackendUnavailableError, match="finds no NVIDIA GPU here"):
        check_gpu(identity, None)


def test_an_engine_for_other_gpus_is_refused_before_tensorrt_is_asked() -> None:
    identity = identify(replace(ESTIMATE, compute=THREE))
    check_gpu(identity, Gpu("RTX 4090", "8.9", "13.0"))
    with pytest.raises(EngineError, match=r"NVIDIA H100 has 9\.0; build one with --compute 9\.0"):
        check_gpu(identity, Gpu("NVIDIA H100", "9.0", "13.0"))


BUILDER = """
import sys
from pathlib import Path
from streamlight.engines import FLAVOURS, EngineRequest, EngineStore, build_engine
from streamlight.models import MODELS
request = EngineRequest(
    MODELS["gladnet-fast"], "estimate", None, FLAVOURS["tensorrt-rtx"], "fp32", "float32"
)
print(build_engine(request, EngineStore(Path(sys.argv[1]))).is_new)
"""


def test_of_two_processes_one_builds_and_both_have_the_engine(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDER, str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    said = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        said.append(out.strip())
    assert sorted(said) == ["False", "True"]
    assert [engine.problem for engine in EngineStore(tmp_path).list()] == [""]


def test_the_record_can_be_read_by_people(tmp_path: Path) -> None:
    built = build_engine(ESTIMATE, EngineStore(tmp_path))
    record = json.loads((tmp_path / f"{built.record.identity.name}.json").read_text())
    assert record["identity"]["weights_sha256"] == FAST.weights_sha256
    assert record["identity"]["flavour"] == "tensorrt-rtx"
    assert record["plan_bytes"] == built.record.plan_bytes


def test_no_collection_runs_while_tensorrt_may_log() -> None:
    """It would free TensorRT's objects within the logger, where their lock is held."""
    assert gc.isenabled()
    with without_collection():
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_build_that_fails_leaves_nothing_for_the_collector() -> None:
    with pytest.raises(EngineError) as caught:
        compile_graph(RTX, b"no graph", {}, ("8.6",))
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    (built,) = [frame for frame in frames if frame.f_code.co_name == "_build"]
    assert not built.f_locals
