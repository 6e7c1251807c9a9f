"""The graphs of the engines, run on the CPU against the packaged graphs in FP32."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
import torch
from numpy.typing import NDArray

from streamlight.backends.openvino import OpenVinoBackend, shared_core
from streamlight.engines import parse_sizes
from streamlight.engines.graphs import Pixels, make_graph
from streamlight.models import MODELS, GraphName, ModelSpec
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.weights import load_network
from streamlight.view import sample

onnx = pytest.importorskip("onnx")


def run(graph: bytes, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Run a graph in OpenVINO, which computes its FP16 layers in FP32 on a CPU."""
    core = shared_core()
    compiled = core.compile_model(
        core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    request = compiled.create_infer_request()
    request.infer({name: ov.Tensor(np.ascontiguousarray(v)) for name, v in inputs.items()})
    return np.array(request.get_output_tensor().data)


def night(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin((x * (c + 2) + y * (3 - c)) / 23 + c) for c in range(3)], axis=-1)
    noise = np.random.default_rng(1).normal(0, 0.02, waves.shape)
    return ((0.09 + 0.06 * waves + noise).clip(0, 1) * 255).astype(np.uint8)


def psnr_db(found: NDArray[Any], expected: NDArray[Any], peak: float) -> float:
    error = float(np.mean((found.astype(np.float64) - expected) ** 2))
    return 10 * np.log10(peak**2 / error) if error else np.inf


CASES: list[tuple[str, GraphName, int, int, str]] = [
    ("gladnet-fast", "reconstruct", 98, 130, "130x98"),
    ("gladnet-fast", "reconstruct", 390, 398, "390x384..800x600"),
    ("gladnet", "reconstruct_compact", 195, 230, "192x192..400x300"),
    ("gladnet", "reconstruct", 33, 47, "47x33"),
    ("gladnet", "reconstruct", 33, 47, "32x32..64x64"),
]


@pytest.mark.parametrize(("model", "graph", "height", "width", "sizes"), CASES)
@pytest.mark.parametrize("pixels", ["uint8", "float32"])
def test_the_fp16_graph_agrees_with_the_fp32_backend(
    model: str, graph: GraphName, height: int, width: int, sizes: str, pixels: Pixels
) -> None:
    spec = MODELS[model]
    image: NDArray[Any] = night(height, width)
    if pixels == "float32":
        image = image.astype(np.float32) / np.float32(255)
    backend = OpenVinoBackend(spec, precision="fp32")
    prior = backend.estimate(sample(image))
    expected = backend.reconstruct(image, prior)
    made = make_graph(spec, graph, parse_sizes(sizes, spec), "fp16", pixels)
    found = run(made, inputs_of(spec, graph, image, prior))[0]
    assert found.dtype == image.dtype
    assert found.shape == image.shape
    peak = 255 if pixels == "uint8" else 1
    assert psnr_db(found, expected, peak) >= 50
    assert np.abs(found.astype(np.float64) - expected).max() <= peak / 255
    bias = float(np.mean(found.astype(np.float64) - expected))
    assert abs(bias) < peak / 255 / 10, "it truncates where it should round"
    assert expected.mean() > 2 * image.mean(), "the network brightens nothing"


def inputs_of(
    spec: ModelSpec,
    graph: GraphName,
    image: NDArray[Any],
    prior: NDArray[np.float32],
    place: Place | None = None,
) -> dict[str, NDArray[Any]]:
    height, width = image.shape[:2]
    place = place or Place(height, width, 0, 0)
    indices = prior_indices(place, height, width, spec, graph == "reconstruct_compact")
    rows, columns = (index.astype(np.int32) for index in indices)
    return {"image": image[None], "prior": prior, "rows": rows, "columns": columns}


def test_a_tile_runs_in_the_same_graph_with_its_own_indices() -> None:
    spec = MODELS["gladnet-fast"]
    frame = night(400, 420)
    backend = OpenVinoBackend(spec, precision="fp32")
    prior = backend.estimate(sample(frame))
    tile = np.ascontiguousarray(frame[100:200, 60:200])
    place = Place(400, 420, 100, 60)
    sizes = parse_sizes("64x64..420x400", spec)
    made = make_graph(spec, "reconstruct", sizes, "fp16")
    found = run(made, inputs_of(spec, "reconstruct", tile, prior, place))[0]
    expected = backend.reconstruct(tile, prior, place)
    assert np.abs(found.astype(int) - expected).max() <= 1
    elsewhere = backend.reconstruct(tile, prior, Place(400, 420, 0, 0))
    assert np.abs(found.astype(int) - elsewhere).max() > 1, "the indices make no difference"


@pytest.mark.parametrize(
    ("model", "precision"),
    [("gladnet-fast", "fp16"), ("gladnet-fast", "fp32"), ("gladnet", "fp16")],
)
def test_estimate_agrees(model: str, precision: Any) -> None:
    spec = MODELS[model]
    view = sample(night(360, 640))
    if spec.is_metered:  # what is flat, and not too dark to tell, is what its meter corrects
        view = np.minimum(2 * view, np.float32(2 * np.quantile(view, 0.95)))
        network = load_network(spec).prior
        with torch.inference_mode():
            stops = network.meter(  # type: ignore[misc]
                torch.from_numpy(view), network.look(torch.from_numpy(view))
            )
        assert abs(stops.item()) > 0.1
    expected = OpenVinoBackend(spec, precision="fp32").estimate(view)
    found = run(make_graph(spec, "estimate", None, precision, "float32"), {"view": view})
    assert found.dtype == np.float32
    scale = float(np.abs(expected).max())
    is_half = precision == "fp16" and not spec.is_metered
    assert np.abs(found - expected).max() <= scale * (2e-3 if is_half else 1e-5)


def test_the_types_inside_are_those_asked_for() -> None:
    spec = MODELS["gladnet"]
    for precision, expected in (
        ("fp16", onnx.TensorProto.FLOAT16),
        ("fp32", onnx.TensorProto.FLOAT),
    ):
        graph = onnx.load_from_string(
            make_graph(spec, "reconstruct_compact", parse_sizes("1080p", spec), precision)  # type: ignore[arg-type]
        ).graph
        weights = [value for value in graph.initializer if len(value.dims) == 4]
        assert len(weights) == 6
        assert {value.data_type for value in weights} == {expected}
        types = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
        assert types == {
            "image": onnx.TensorProto.UINT8,
            "prior": onnx.TensorProto.FLOAT,
            "rows": onnx.TensorProto.INT32,
            "columns": onnx.TensorProto.INT32,
            "enhanced": onnx.TensorProto.UINT8,
        }
        assert not {"Range", "Div"} & {node.op_type for node in graph.node}


def test_the_same_request_gives_the_same_bytes() -> None:
    spec = MODELS["gladnet-fast"]
    made = [make_graph(spec, "reconstruct", parse_sizes("360p", spec)) for _ in range(2)]
    assert made[0] == made[1]
