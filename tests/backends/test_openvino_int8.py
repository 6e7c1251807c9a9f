"""8-bit graphs: made by NNCF, near the exact ones, of the packaged weights."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from ffprobe import psnr_db
from real_frames import dark_frame

from streamlight.backends.openvino import OpenVinoBackend, _best_precision, shared_core
from streamlight.backends.openvino_int8 import balance, quantise
from streamlight.errors import BackendUnavailableError, ModelError, SinkError
from streamlight.frame import Image
from streamlight.models import MODELS, graph_path
from streamlight.models.packaged import int8_graph_path
from streamlight.models.prior_index import Place
from streamlight.view import sample_nearest

FAST = MODELS["gladnet-fast"]
SIZES = [(2, 2), (90, 160), (360, 640)]


def enhanced(backend: OpenVinoBackend, image: Image) -> Image:
    return backend.reconstruct(image, backend.estimate(sample_nearest(image)))


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    for name in FAST.graph_names:
        shutil.copy(graph_path(FAST, name), tmp_path)
    return tmp_path


def pictures() -> Iterator[Image]:
    frame = dark_frame(180, 320)
    for gain in (1, 2, 4, 8):
        yield np.clip(frame.astype(int) * gain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_packaged_8_bits_are_at_50_db_of_fp32(height: int, width: int) -> None:
    """So they are of the packaged weights, too."""
    image = dark_frame(height, width)
    exact = enhanced(OpenVinoBackend(FAST, precision="fp32"), image)
    backend = OpenVinoBackend(FAST, precision="int8")
    assert backend.info.precision == "int8"
    assert psnr_db(exact[None], enhanced(backend, image)[None]) >= 50


def test_a_deeper_picture_is_not_computed_in_8_bits() -> None:
    """They would be seen as steps of 5 levels in a dark sky."""
    ramp = np.linspace(0, 12 * 257, 640).astype(np.uint16)
    sky = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (90, 640, 3)))
    result = enhanced(OpenVinoBackend(FAST, precision="int8"), sky)[45, 100:540] / 257
    assert result[-1].mean() > 3 * 12
    assert np.abs(np.diff(result, axis=0)).max() < 2


def test_a_tile_in_8_bits_is_that_part_of_the_frame() -> None:
    image = dark_frame(180, 320)
    backend = OpenVinoBackend(FAST, precision="int8")
    whole = enhanced(backend, image)
    prior = backend.estimate(sample_nearest(image))
    part = backend.reconstruct(
        np.ascontiguousarray(image[40:140, 60:260]), prior, Place(180, 320, 40, 60)
    )
    # the border of a tile sees zeros where the frame goes on
    np.testing.assert_array_equal(part[8:-8, 8:-8], whole[48:132, 68:252])


def test_a_model_without_the_graph_has_no_8_bits() -> None:
    assert int8_graph_path(MODELS["gladnet"]) is None
    with pytest.raises(BackendUnavailableError, match="gladnet has no 8-bit graph for CPU"):
        OpenVinoBackend(MODELS["gladnet"], precision="int8")


@pytest.mark.parametrize(
    ("capabilities", "has_graph", "best"),
    [
        (["FP32", "INT8"], True, "int8"),
        (["FP32", "INT8"], False, "fp32"),
        (["FP32", "INT8", "BF16"], True, "int8"),
        (["FP32", "INT8", "BF16"], False, "bf16"),
        (["FP32", "FP16", "INT8"], False, "fp16"),
        (["FP32"], True, "fp32"),
    ],
)
def test_8_bits_are_taken_where_there_is_a_graph_then_16(
    capabilities: list[str], has_graph: bool, best: str
) -> None:
    assert _best_precision(capabilities, has_graph) == best


def test_beside_8_bits_the_rest_has_the_fewest_that_the_processor_has() -> None:
    backend = OpenVinoBackend(FAST, precision="int8")
    capabilities = shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    best = next((p for p in ("bf16", "fp16") if p.upper() in capabilities), "fp32")
    alone = OpenVinoBackend(FAST, precision=best)
    view = sample_nearest(dark_frame(180, 320))
    np.testing.assert_array_equal(backend.estimate(view), alone.estimate(view))


def test_quantising_gives_a_graph_near_the_exact_one(graphs: Path) -> None:
    pytest.importorskip("nncf")
    xml, weights = quantise(graphs, pictures())
    assert (xml.name, weights.name) == ("reconstruct_int8.xml", "reconstruct_int8.bin")
    core = shared_core()
    image = dark_frame(180, 320)[None].astype(np.float32) / 255
    prior = OpenVinoBackend(FAST, precision="fp32").estimate(sample_nearest(dark_frame(180, 320)))
    in_fp32 = {"INFERENCE_PRECISION_HINT": "f32"}
    exact, quantised = (
        core.compile_model(core.read_model(path), "CPU", in_fp32)([image, prior])[0]
        for path in (graph_path(FAST, "reconstruct"), xml)
    )
    assert (exact != quantised).any()
    assert np.sqrt(np.mean((exact - quantised) ** 2)) < 0.005
    assert str(graphs) not in xml.read_text()


def test_balanced_channels_change_no_result_and_use_8_bits_alike() -> None:
    core = shared_core()
    exact = core.read_model(graph_path(FAST, "reconstruct"))
    balanced = core.read_model(graph_path(FAST, "reconstruct"))
    image = dark_frame(180, 320)
    prior = np.array(OpenVinoBackend(FAST, precision="fp32").estimate(sample_nearest(image)))
    inputs = {"image": image[None].astype(np.float32) / 255, "prior": prior}
    balance(balanced, [inputs])
    in_fp32 = {"INFERENCE_PRECISION_HINT": "f32"}
    before, after = (
        core.compile_model(graph, "CPU", in_fp32)(inputs)[0] for graph in (exact, balanced)
    )
    assert np.abs(before - after).max() < 1e-5
    spread_before, spread_after = (spread(graph, inputs) for graph in (exact, balanced))
    assert spread_after < 0.5 * spread_before


def spread(graph: Any, inputs: dict[str, Any]) -> float:
    """Ratio of the largest to the median of what the channels of the last hidden layer reach."""
    relu = [op for op in graph.get_ordered_ops() if op.get_type_name() == "Relu"][-1]
    hidden = ov.Model([relu.output(0)], graph.get_parameters(), "hidden")
    largest = shared_core().compile_model(hidden, "CPU")(inputs)[0].max(axis=(0, 2, 3))
    return float(largest.max() / np.median(largest))


@pytest.mark.slow
def test_a_single_hidden_layer_stays_as_it_is(tmp_path: Path) -> None:
    """The prior's share comes in before its ReLU, and would have to be scaled as well."""
    pytest.importorskip("onnxscript")
    from streamlight.models.export import export_graphs
    from streamlight.training.start import he_initialised

    spec = replace(FAST, detail_widths=(8,), prior_channels=4)
    export_graphs(spec, he_initialised(spec, 0).eval(), tmp_path)
    graph = shared_core().read_model(tmp_path / "reconstruct.onnx")
    before = graph.clone()
    image = dark_frame(48, 64)[None].astype(np.float32) / 255
    balance(graph, [{"image": image, "prior": np.ones((1, 4, 96, 96), np.float32)}])
    assert [op.get_friendly_name() for op in graph.get_ordered_ops()] == [
        op.get_friendly_name() for op in before.get_ordered_ops()
    ]


def test_without_pictures_there_are_no_scales(graphs: Path) -> None:
    pytest.importorskip("nncf")
    with pytest.raises(ModelError, match="pictures"):
        quantise(graphs, [])


def test_a_place_that_cannot_be_written_to_is_named(graphs: Path) -> None:
    pytest.importorskip("nncf")
    (graphs / "reconstruct_int8.xml").mkdir()
    with pytest.raises(SinkError, match=r"cannot write .*reconstruct_int8"):
        quantise(graphs, pictures())


def test_without_nncf_the_line_says_what_to_install(
    graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(BackendUnavailableError, match=r'pip install "streamlight\[int8\]"'):
        quantise(graphs, pictures())
