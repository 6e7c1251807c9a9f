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
        if node.get_type_name() == "Convolution"
        and node.input_value(0).get_node().get_type_name() == "Relu"
        and "Relu" in {taker.get_type_name() for bias in _takers(node) for taker in _takers(bias)}
    ]


def _takers(node: Any) -> list[Any]:
    return [taker.get_node() for taker in node.output(0).get_target_inputs()]
