"""The packaged ONNX graphs: made from the packaged weights, and right in OpenVINO."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import pytest
from model_samples import assert_not_saturated, dark, dark_prior, darkened_view, network

from streamlight.backends.openvino import shared_core
from streamlight.errors import BackendUnavailableError, SinkError
from streamlight.models import MODELS, GraphName, graph_path
from streamlight.models.export import export_graphs

GRAPHS = [(name, graph) for name, spec in MODELS.items() for graph in spec.graph_names]
DETAIL_GRAPHS = [(name, graph) for name, graph in GRAPHS if graph != "estimate"]
IN_FP32 = {"INFERENCE_PRECISION_HINT": "f32"}
RECONSTRUCT_SIZES: list[tuple[str, GraphName, int, int]] = [
    ("gladnet", "reconstruct", 1, 1),
    ("gladnet", "reconstruct", 3, 5),
    ("gladnet", "reconstruct", 97, 101),
    ("gladnet", "reconstruct_compact", 192, 193),
    ("gladnet", "reconstruct_compact", 287, 399),
    ("gladnet-fast", "reconstruct", 2, 2),
    ("gladnet-fast", "reconstruct", 98, 102),
    ("gladnet-fast", "reconstruct", 574, 398),
    ("gladnet-fast", "reconstruct", 720, 1280),
]


def reference(name: str, height: int, width: int) -> tuple[list[npt.NDArray[Any]], Any]:
    """Return inputs of a reconstruct graph, and what PyTorch makes of them as (1, H, W, 3)."""
    torch = pytest.importorskip("torch", reason="the reference needs torch")
    image, prior = dark(1, height, width, 3), dark_prior(name)
    with torch.inference_mode():
        enhanced = network(name).reconstruct(
            torch.from_numpy(image).permute(0, 3, 1, 2), torch.from_numpy(prior)
        )
    return [image, prior], enhanced.permute(0, 2, 3, 1).numpy()


def read(name: str, graph: GraphName) -> openvino.Model:
    return shared_core().read_model(graph_path(MODELS[name], graph))


def read_fixed(name: str, graph: GraphName, height: int, width: int) -> openvino.Model:
    model = read(name, graph)
    model.reshape({"image": [1, height, width, 3]})
    return model


@cache
def compile_dynamic(name: str, graph: GraphName) -> openvino.CompiledModel:
    return shared_core().compile_model(read(name, graph), "CPU", IN_FP32)


@pytest.mark.parametrize("name", MODELS)
def test_estimate_in_openvino_matches_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="the reference needs torch")
    view = dark(1, 3, 96, 96)
    prior = compile_dynamic(name, "estimate")([view])[0]
    with torch.inference_mode():
        expected = network(name).estimate(torch.from_numpy(view)).numpy()
    np.testing.assert_allclose(prior, expected, rtol=0, atol=1e-4)


def test_the_meter_in_openvino_matches_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="the reference needs torch")
    view, illumination = torch.from_numpy(darkened_view()), network("gladnet").prior
    with torch.inference_mode():
        first, expected = illumination.look(view), illumination(view)
        assert abs(illumination.meter(view, first).item()) > 0.1  # type: ignore[misc]
    prior = compile_dynamic("gladnet", "estimate")([view.numpy()])[0]
    np.testing.assert_allclose(prior, expected.numpy(), rtol=0, atol=1e-4)
    assert np.abs(prior - first.numpy()).max() > 0.01


@pytest.mark.parametrize("is_fixed", [True, False], ids=["fixed size", "dynamic size"])
@pytest.mark.parametrize(("name", "graph", "height", "width"), RECONSTRUCT_SIZES)
def test_reconstruct_in_openvino_matches_pytorch(
    name: str, graph: GraphName, height: int, width: int, is_fixed: bool
) -> None:
    if is_fixed:
        model = shared_core().compile_model(read_fixed(name, graph, height, width), "CPU", IN_FP32)
    else:
        model = compile_dynamic(name, graph)
    inputs, expected = reference(name, height, width)
    assert_not_saturated(expected)
    np.testing.assert_allclose(model(inputs)[0], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "graph"), DETAIL_GRAPHS)
def test_a_fixed_size_leaves_no_index_arithmetic_in_the_graph(name: str, graph: GraphName) -> None:
    kinds = {"ShapeOf", "Range", "Divide", "FloorMod", "Less", "Greater"}
    dynamic = {op.get_type_name() for op in read(name, graph).get_ops()}
    assert dynamic & kinds >= {"ShapeOf", "Range", "Divide"}
    compiled = shared_core().compile_model(read_fixed(name, graph, 400, 402), "CPU", IN_FP32)
    layers = {op.get_rt_info()["layerType"] for op in compiled.get_runtime_model().get_ops()}
    assert {"Convolution", "Gather"} <= layers
    assert not layers & {"ShapeOf", "Range"}
    kinds_left = {"Eltwise", "Subgraph"} & layers
    assert not kinds_left or MODELS[name].is_affine  # which multiplies and adds pictures


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize(("name", "graph"), DETAIL_GRAPHS)
def test_the_indices_of_a_dynamic_size_are_exact(
    name: str, graph: GraphName, precision: str
) -> None:
    model, r = read(name, graph), MODELS[name].unshuffle
    take_columns, take_rows = (
        op for op in model.get_ordered_ops() if op.get_type_name() == "Gather"
    )
    indices = openvino.Model(
        [openvino.op.Result(take.input_value(1)) for take in (take_rows, take_columns)],
        [model.input("image").get_node()],
        "indices",
    )
    compiled = shared_core().compile_model(indices, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    sizes = [*range(192, 600), 720, 960, 1080, 1920, 2160, 3840]
    for size in sizes if graph == "reconstruct_compact" else [*range(1, 192), *sizes]:
        rows = compiled([np.zeros((1, r * size, r, 3), np.float32)])[0]
        columns = compiled([np.zeros((1, r, r * size, 3), np.float32)])[1]
        cells = np.arange(size) * 96 // size
        if MODELS[name].is_affine:
            cells = np.clip(np.arange(size) * 288 // size, 7, 280)
        if graph == "reconstruct_compact":
            is_edge = cells[1:] != cells[:-1]
            cells = cells * 3 + 1 - np.append(True, is_edge) + np.append(is_edge, True)
        np.testing.assert_array_equal(rows, cells, err_msg=f"rows of size {size}")
        np.testing.assert_array_equal(columns, cells, err_msg=f"columns of size {size}")


@pytest.mark.parametrize(("name", "graph"), GRAPHS)
def test_a_graph_declares_its_contract(name: str, graph: GraphName) -> None:
    model = read(name, graph)
    ports = (*model.inputs, *model.outputs)
    assert {port.element_type.get_type_name() for port in ports} == {"f32"}
    found = {
        port.any_name: [
            None if side.is_dynamic else side.get_length() for side in port.partial_shape
        ]
        for port in ports
    }
    prior = [1, MODELS[name].prior_channels, 96, 96]
    if graph == "estimate":
        assert found == {"view": [1, 3, 96, 96], "prior": prior}
    else:
        assert found == {
            "image": [1, None, None, 3],
            "prior": prior,
            "enhanced": [1, None, None, 3],
        }


@pytest.mark.parametrize("name", [pytest.param("gladnet", marks=pytest.mark.slow), "gladnet-fast"])
def test_the_packaged_graphs_are_those_that_the_packaged_weights_make(
    name: str, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="reading graphs needs onnx")
    pytest.importorskip("onnxscript", reason="making graphs needs onnxscript")
    paths = export_graphs(MODELS[name], network(name), tmp_path / "new" / "folder")
    graphs = MODELS[name].graph_names
    assert [path.name for path in paths] == [f"{graph}.onnx" for graph in graphs]
    for graph, path in zip(graphs, paths, strict=True):
        packaged, fresh = onnx.load(graph_path(MODELS[name], graph)).graph, onnx.load(path).graph
        assert [node.op_type for node in packaged.node] == [node.op_type for node in fresh.node]
        values, fresh_values = (
            [onnx.numpy_helper.to_array(tensor) for tensor in g.initializer]
            for g in (packaged, fresh)
        )
        assert sum(value.size for value in values) > 10_000
        for value, fresh_value in zip(values, fresh_values, strict=True):
            np.testing.assert_array_equal(value, fresh_value, strict=True)


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="making graphs needs onnxscript")
    first, second = (
        export_graphs(MODELS["gladnet-fast"], network("gladnet-fast"), tmp_path / folder)
        for folder in ("first", "second")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(("name", "graph"), GRAPHS)
def test_a_packaged_graph_is_valid_and_says_nothing_of_the_machine_that_made_it(
    name: str, graph: GraphName
) -> None:
    onnx = pytest.importorskip("onnx", reason="reading graphs needs onnx")
    model = onnx.load(graph_path(MODELS[name], graph))
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version >= 17) for opset in model.opset_import] == [("", True)]
    del model.graph.initializer[:]
    text = str(model)
    for trace in ("doc_string", "metadata_props", "/", "\\", ".py", "torch"):
        assert trace not in text


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="making graphs needs onnxscript")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SinkError, match=r"cannot write .*taken"):
        export_graphs(MODELS["gladnet"], network("gladnet"), tmp_path / "taken")


@pytest.mark.parametrize("module", ["torch", "onnx", "onnxscript"])
def test_a_missing_package_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    unused: Any = None
    with pytest.raises(BackendUnavailableError, match=r'pip install "streamlight\[train\]"'):
        export_graphs(MODELS["gladnet"], unused, tmp_path)
