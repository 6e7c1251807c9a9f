"""The detail network in 8-bit integers, for processors that multiply these fastest.

Only the convolutions of the picture and those that give the factors and offsets are quantised. The
prior's share is small, and its errors would be those of the light; a factor in 8 bits would show in
dark pictures, where it is large; and what passes through the inner layers adds up (docs/models.md).
NNCF (Intel) chooses the scales from what the network computes for pictures that it is given. Its
result is OpenVINO's own format, not ONNX, and only OpenVINO runs it.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from streamlight.backends.openvino import shared_core
from streamlight.errors import BackendUnavailableError, ModelError, SinkError
from streamlight.frame import Image
from streamlight.models.packaged import INT8_GRAPH
from streamlight.view import sample_nearest


def quantise(folder: Path, pictures: Iterable[Image]) -> list[Path]:
    """Write `reconstruct_int8` beside the graphs of a network.

    Args:
        folder: with estimate.onnx and reconstruct.onnx of the affine form.
        pictures: RGB (H, W, 3) uint8 of even sides, of every kind that the network will meet: what
            is brighter or has other colours than all of them would be cut off.

    Returns:
        The paths of the two files.

    Raises:
        BackendUnavailableError: NNCF is not installed.
        ModelError: there are no pictures.
        SinkError: the files cannot be written.
    """
    os.environ.setdefault("NNCF_CI", "1")  # else it tells Intel's statistics what is done with it
    try:
        import nncf
    except ImportError as error:
        raise BackendUnavailableError(
            f'8-bit graphs need NNCF ({error}): pip install "streamlight[int8]"'
        ) from error
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    for name in ("nncf", "nncf.common"):
        logging.getLogger(name).setLevel(logging.ERROR)
    core = shared_core()
    estimate = core.compile_model(core.read_model(folder / "estimate.onnx"), "CPU")
    inputs = [_inputs(estimate, picture) for picture in pictures]
    if not inputs:
        raise ModelError("8-bit graphs need pictures to be calibrated with")
    graph = core.read_model(folder / "reconstruct.onnx")
    balance(graph, inputs)
    exact = nncf.IgnoredScope(
        names=[*_of_prior(graph), *_inner(graph)], types=["Multiply", "Add", "Interpolate"]
    )
    quantised = nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        fast_bias_correction=False,
        ignored_scope=exact,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )
    path = folder / INT8_GRAPH
    try:
        ov.save_model(quantised, path, compress_to_fp16=False)
    except (OSError, RuntimeError) as error:
        raise SinkError(f"cannot write {path}: {error}") from error
    return [path, path.with_suffix(".bin")]


def balance(graph: Any, inputs: Iterable[dict[str, Any]]) -> None:
    """Let the channels before the last convolutions use their 8 bits alike; the results stay.

    All have one scale, which the largest would take for itself. ReLU lets a positive factor
    through, so each is multiplied by sqrt(weight / value), the largest of both, and the weights
    that take it are divided by that. M. Nagel et al., "Data-free quantization through weight
    equalization and bias correction" (ICCV 2019), with the balance of G. Xiao et al.,
    "SmoothQuant" (ICML 2023). NNCF's own alignment of channels takes no ReLU between.

    Args:
        graph: `reconstruct`; changed in place. With one hidden layer, the prior's share stands
            before the ReLU as well, and it stays as it is.
        inputs: of the graph, to find the largest values with.
    """
    inner = _inner(graph)
    last = [
        node
        for node in graph.get_ordered_ops()
        if _is(node, "Convolution")
        and _is(_source(node, 0), "Relu")
        and node.get_friendly_name() not in inner
    ]
    relu = _source(last[0], 0)
    bias = _source(relu, 0)
    before, offsets = _source(bias, 0), _constant(bias)
    if not _is(before, "Convolution") or offsets is None:
        return
    hidden = ov.Model([relu.output(0)], graph.get_parameters(), "hidden")
    network = shared_core().compile_model(hidden, "CPU")
    values = np.max([network(one)[0].max(axis=(0, 2, 3)) for one in inputs], axis=0)
    weights = np.max([np.abs(_constant(node)).max(axis=(0, 2, 3)) for node in last], axis=0)
    is_used = (values > 0) & (weights > 0)
    factors = np.where(is_used, np.sqrt(weights / np.where(is_used, values, 1)), 1)
    _replace(before, _constant(before) * factors[:, None, None, None])
    _replace(bias, (offsets.flatten() * factors)[None, :, None, None])
    for node in last:
        _replace(node, _constant(node) / factors[None, :, None, None])


def _constant(node: Any) -> Any:
    """Return the constant that a node takes as its second input; None if it takes another thing."""
    source = _source(node, 1)
    if _is(source, "Reshape"):  # of a bias (C,) to (1, C, 1, 1)
        source = _source(source, 0)
    return source.get_data() if _is(source, "Constant") else None


def _replace(node: Any, value: NDArray[Any]) -> None:
    """Let a node take another constant as its second input."""
    node.input(1).replace_source_output(ops.constant(value.astype(np.float32)).output(0))


def _source(node: Any, place: int) -> Any:
    return node.input_value(place).get_node()


def _is(node: Any, kind: str) -> bool:
    return bool(node.get_type_name() == kind)


def _inputs(estimate: Any, picture: Image) -> dict[str, Any]:
    prior = estimate([sample_nearest(picture)])[0]
    return {"image": (picture[None] / 255).astype(np.float32), "prior": np.array(prior)}


def _of_prior(graph: Any) -> list[str]:
    """Return the names of the convolutions that see the prior alone."""
    return [taker.get_friendly_name() for taker in _takers(graph.input("prior").get_node())]


def _inner(graph: Any) -> list[str]:
    """Return the names of the convolutions between two ReLUs."""
    return [
        node.get_friendly_name()
        for node in graph.get_ordered_ops()
        if _is(node, "Convolution")
        and _is(_source(node, 0), "Relu")
        and "Relu" in {taker.get_type_name() for bias in _takers(node) for taker in _takers(bias)}
    ]


def _takers(node: Any) -> list[Any]:
    return [taker.get_node() for taker in node.output(0).get_target_inputs()]
