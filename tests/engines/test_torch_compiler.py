"""The second compiler: what it is given is really exported; torch-tensorrt itself is a fake."""

import ast
import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamlight.engines import (
    FLAVOURS,
    EngineRequest,
    EngineStore,
    build_engine,
    identify,
    parse_sizes,
)
from streamlight.engines.gpu import Gpu
from streamlight.engines.graphs import Precision, graph_for
from streamlight.engines.torch_compiler import (
    NAME,
    OUTPUT,
    compile_network,
    count_convolutions,
    export_program,
    make_module,
)
from streamlight.errors import BackendUnavailableError, EngineError, UsageError
from streamlight.models import MODELS
from streamlight.models.prior_index import Place, prior_indices

torch: Any = pytest.importorskip("torch", reason="it compiles networks of PyTorch")

FUNCTION = "convert_exported_program_to_serialized_trt_engine"
RTX = FLAVOURS["tensorrt-rtx"]
TENSORRT = replace(FLAVOURS["tensorrt"], module=RTX.module)
HERE = Gpu("NVIDIA L4", "8.9", "13.0")
FAST = MODELS["gladnet-fast"]


def case(model: str, size: str, precision: Precision) -> tuple[Any, Any, Any, Any]:
    spec = MODELS[model]
    sizes = parse_sizes(size, spec)
    return spec, graph_for(spec, sizes), sizes, precision


@pytest.mark.parametrize(
    ("model", "size", "precision"),
    [
        ("gladnet", "70x66", "fp32"),
        ("gladnet", "194x226", "fp32"),
        ("gladnet-fast", "90x66", "fp32"),
        ("gladnet-fast", "386x400", "fp32"),
        ("gladnet-fast", "90x66", "fp16"),
        ("gladnet-fast", "386x400", "fp16"),
    ],
)
def test_what_is_compiled_is_the_network(model: str, size: str, precision: Precision) -> None:
    """As exported, with the indices of a tile, against the plain network in FP32."""
    from streamlight.backends.torch import TorchBackend

    spec, graph, sizes, _ = case(model, size, precision)
    module, inputs = make_module(spec, graph, sizes, precision, "cpu")
    program = export_program(module, inputs)
    width, height = sizes.best
    is_compact = graph == "reconstruct_compact"
    place = Place(2 * height, 2 * width, height, width)
    rows, columns = prior_indices(place, height, width, spec, is_compact)
    random = np.random.default_rng(3)
    image = random.random((height, width, 3), np.float32)
    prior = random.random((1, spec.prior_channels, 96, 96), np.float32)
    arguments = [image[None], prior, rows.astype(np.int32), columns.astype(np.int32)]
    with torch.inference_mode():
        found = program.module()(*map(torch.from_numpy, arguments))
    expected = TorchBackend(spec, "cpu", "fp32").reconstruct(image, prior, place)
    assert found.dtype == torch.float32
    error = float(np.mean((found[0].numpy() - expected) ** 2))
    assert error <= (1e-10 if precision == "fp32" else 1e-5)
    kinds = {"fp32": "float", "fp16": "half"}
    (kind,) = count_convolutions(program)["convolution"]
    assert kind == kinds[precision]


@pytest.mark.parametrize(
    ("model", "precision", "kinds"),
    [
        ("gladnet-fast", "fp32", {"float": 12}),
        ("gladnet-fast", "fp16", {"half": 12}),
        ("gladnet", "fp16", {"float": 24}),  # it looks twice, and its meter counts in FP32
    ],
)
def test_the_illumination_network_too(
    model: str, precision: Precision, kinds: dict[str, int]
) -> None:
    module, inputs = make_module(MODELS[model], "estimate", None, precision, "cpu")
    program = export_program(module, inputs)
    assert count_convolutions(program) == {"convolution": kinds}
    assert program.module()(*inputs.values()).dtype == torch.float32


def test_inputs_have_the_names_that_the_backend_binds() -> None:
    module, inputs = make_module(*case("gladnet-fast", "90x66", "fp16"), "cpu")
    program = export_program(module, inputs)
    assert list(inputs) == ["image", "prior", "rows", "columns"]
    assert list(program.graph_signature.user_inputs) == list(inputs)
    assert len(program.graph_signature.user_outputs) == 1


class FakeTorchTensorRt(ModuleType):
    """torch_tensorrt with the arguments that both versions have, and no others."""

    __version__ = "2.13.0"

    def __init__(self) -> None:
        super().__init__("torch_tensorrt")
        self.calls: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.dynamo = SimpleNamespace(**{FUNCTION: self.convert})

    def convert(
        self,
        exported_program: Any,
        inputs: Any = None,
        *,
        arg_inputs: Any = None,
        device: Any = None,
        disable_tf32: bool = False,
        timing_cache_path: str = "",
    ) -> bytes:
        assert inputs is None, "given twice"
        if self.failure is not None:
            raise self.failure
        given = {name: value for name, value in locals().items() if name != "self"}
        self.calls.append(given)
        return b"plan of torch-tensorrt"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTorchTensorRt:
    pytest.importorskip(RTX.module, reason=RTX.install)
    fake = FakeTorchTensorRt()
    monkeypatch.setitem(sys.modules, "torch_tensorrt", fake)
    # there is no CUDA here
    monkeypatch.setattr("streamlight.engines.torch_compiler.DEVICE", "cpu")
    return fake


def request(**changes: Any) -> EngineRequest:
    sizes = parse_sizes("90x66", FAST)
    made = EngineRequest(
        FAST, "reconstruct", sizes, TENSORRT, "fp16", "float32", gpu=HERE, compiler="torch-tensorrt"
    )
    return replace(made, **changes)


def test_an_engine_is_built_and_recorded(fake: FakeTorchTensorRt, tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    built = build_engine(request(), store)
    record, plan = store.load(built.record.identity)
    assert plan == b"plan of torch-tensorrt"
    assert (record.identity.compiler, record.compiler_version) == (NAME, "2.13.0")
    assert record.identity.gpu == "NVIDIA L4 (8.9)"
    assert record.layers == {"convolution": {"half": 6}}
    assert not record.verification.is_done
    assert identify(request()).key != identify(request(compiler="onnx-parser")).key
    (call,) = fake.calls
    assert call["disable_tf32"] is True, "FP32 means FP32"
    assert [(str(t.dtype), tuple(t.shape)) for t in call["arg_inputs"]] == [
        ("torch.float32", (1, 66, 90, 3)),
        ("torch.float32", (1, FAST.prior_channels, 96, 96)),
        ("torch.int32", (33,)),
        ("torch.int32", (45,)),
    ]
    assert Path(call["timing_cache_path"]).parent == tmp_path
    assert NAME.replace("-", "_") in call["timing_cache_path"]
    assert not build_engine(request(), store).is_new


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flavour": RTX, "gpu": None}, "is for --backend tensorrt, not for tensorrt-rtx"),
        ({"pixels": "uint8"}, "gives no bytes.*add --deep"),
        ({"sizes": parse_sizes("64x64..128x128", FAST)}, "builds for one size, not for 64x64"),
        ({"compute": ("8.9",)}, "--compute: torch-tensorrt builds for the GPU that is here"),
    ],
)
def test_what_it_cannot_build_is_refused(
    fake: FakeTorchTensorRt, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build_engine(request(**changes), EngineStore(tmp_path))
    assert fake.calls == []


def test_a_failed_build_gives_its_reason(fake: FakeTorchTensorRt, tmp_path: Path) -> None:
    fake.failure = RuntimeError("While interpreting the module got an error: no\nmore")
    with pytest.raises(EngineError, match="cannot build reconstruct of gladnet-fast: While"):
        build_engine(request(), EngineStore(tmp_path))
    assert EngineStore(tmp_path).list() == []


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (ModuleNotFoundError("No module named 'torch_tensorrt'"), "is not installed.*pip install"),
        (Exception("import error when try to import"), "cannot be loaded .*import error"),
        (OSError("libnvinfer.so.11"), "cannot be loaded .*libnvinfer"),
    ],
)
def test_without_it_the_command_is_told(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, message: str
) -> None:
    load = importlib.import_module

    def refuse(name: str, package: str | None = None) -> Any:
        if name == "torch_tensorrt":
            raise failure
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(BackendUnavailableError, match=message):
        compile_network(TENSORRT, *case("gladnet-fast", "90x66", "fp16"), "float32")


def source_of(path: str) -> ast.Module:
    """Parse a file of torch-tensorrt, which is not imported."""
    found = importlib.util.find_spec("torch_tensorrt")
    if found is None or found.origin is None:
        pytest.skip("torch-tensorrt is not installed, nor its sources on PYTHONPATH")
    return ast.parse((Path(found.origin).parent / path).read_text())


def defined(tree: ast.Module, name: str) -> ast.FunctionDef:
    (function,) = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name
    )
    return function


def test_its_function_takes_what_is_given() -> None:
    arguments = defined(source_of("dynamo/_compiler.py"), FUNCTION).args
    assert arguments.args[0].arg == "exported_program"
    names = {argument.arg for argument in arguments.kwonlyargs}
    assert {"arg_inputs", "device", "disable_tf32", "timing_cache_path"} <= names
    assert "enabled_precisions" not in names, "it has a say again: read what it does"
    exported = [
        alias.name
        for node in ast.walk(source_of("dynamo/__init__.py"))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert FUNCTION in exported


def test_it_names_its_outputs_by_number_and_casts_to_no_bytes() -> None:
    tree = source_of("dynamo/conversion/_TRTInterpreter.py")
    names = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    assert "f'output{i}'" in names
    assert OUTPUT == "output0"
    converters = source_of("dynamo/conversion/aten_ops_converters.py")
    casts = ast.unparse(defined(converters, "to_copy_dtype_validator"))
    assert "torch.float16" in casts
    assert "torch.uint8" not in casts, "bytes can be given now: --deep is not needed any more"
