"""The ONNX graphs that engines are built from, made of the packaged ones.

TensorRT 11 is strongly typed: an engine computes in the types that its graph has.

    estimate              view (1, 3, 96, 96) -> prior (1, C, 96, 96)           FP32 in and out
    reconstruct[_compact] image (1, H, W, 3), prior, rows, columns -> enhanced  bytes in and out

`rows` (H / unshuffle,) and `columns` (W / unshuffle,) are the indices by which the prior, or the
grid of the compact form, is resized to the picture: `streamlight.models.prior_index` computes
them. So no runtime's own idea of "nearest" comes in, and whole frames and tiles are one engine.
"""

import hashlib
from typing import Any, Literal

import numpy as np

from streamlight.engines.sizes import Sizes
from streamlight.errors import BackendUnavailableError
from streamlight.models import GraphName, ModelSpec, graph_path

Precision = Literal["fp16", "fp32"]
Pixels = Literal["uint8", "float32"]
"""Bytes, or floats in [0, 1] for pictures of more depth."""

RECIPE = 1
"""Raise it when this module makes other graphs of the same packaged ones: old engines go."""

Shape = tuple[int, ...]
Shapes = dict[str, tuple[Shape, Shape, Shape]]
"""Least, best and largest shape of each input of a variable shape."""

_PRIOR_AXES = {1: "rows", 2: "columns"}
_RESIZE_SCALES = 2
"""Which input of Resize stays FP32 in every graph."""


def source_sha256(spec: ModelSpec, graph: GraphName) -> str:
    """Return the SHA-256 of the packaged graph; ModelError where the package has none."""
    return hashlib.sha256(graph_path(spec, graph).read_bytes()).hexdigest()


def graph_for(spec: ModelSpec, sizes: Sizes) -> GraphName:
    """Return which of the detail graphs runs frames of these sizes with the fewest operations."""
    is_compact = spec.is_compact(*sizes.least)
    return "reconstruct_compact" if is_compact else "reconstruct"


def inner_precision(spec: ModelSpec, graph: GraphName, precision: Precision) -> Precision:
    """Return what a graph computes in where `precision` is asked for.

    An illumination network with a meter stays in FP32: the meter counts thousands of pixels.
    """
    return "fp32" if graph == "estimate" and spec.is_metered else precision


def make_graph(
    spec: ModelSpec,
    graph: GraphName,
    sizes: Sizes | None,
    precision: Precision = "fp16",
    pixels: Pixels = "uint8",
) -> bytes:
    """Make the graph of an engine.

    Args:
        spec: the model.
        graph: which of its graphs.
        sizes: of the pictures; None for `estimate`, whose size is fixed.
        precision: of all that lies between the conversions of input and output; see
            `inner_precision`.
        pixels: type of image and result.

    Returns:
        A checked ONNX model; the same arguments and packages give the same bytes.

    Raises:
        BackendUnavailableError: onnx is not installed.
        ModelError: the package holds no such graph.
    """
    try:
        import onnx
    except ImportError as error:
        raise BackendUnavailableError(
            f"building engines needs onnx ({error}): pip install onnx"
        ) from error
    precision = inner_precision(spec, graph, precision)
    model = onnx.load(graph_path(spec, graph))
    if sizes is not None:
        _take_indices(onnx, model.graph)
        _set_sizes(model.graph, spec.unshuffle, sizes)
    if precision == "fp16":
        _halve_weights(onnx, model.graph)
    inner = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.FLOAT
    for value in list(model.graph.input):
        if value.name in ("view", "prior"):
            _convert_input(onnx, model.graph, value, [("Cast", inner)])
        elif value.name == "image":
            _convert_input(onnx, model.graph, value, _into(onnx, inner, pixels))
            value.type.tensor_type.elem_type = _type_of(onnx, pixels)
    output = model.graph.output[0]
    steps = _out_of(onnx, pixels) if graph != "estimate" else [("Cast", onnx.TensorProto.FLOAT)]
    _convert_output(onnx, model.graph, output, steps)
    if graph != "estimate":
        output.type.tensor_type.elem_type = _type_of(onnx, pixels)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def input_shapes(spec: ModelSpec, sizes: Sizes) -> Shapes:
    """Return the shapes of the inputs that vary; none for a single size."""
    if sizes.is_static:
        return {}
    r = spec.unshuffle
    three = [sizes.least, sizes.best, sizes.most]
    images, rows, columns = (
        [(1, h, w, 3) for w, h in three],
        [(h // r,) for _, h in three],
        [(w // r,) for w, _ in three],
    )
    return {
        "image": (images[0], images[1], images[2]),
        "rows": (rows[0], rows[1], rows[2]),
        "columns": (columns[0], columns[1], columns[2]),
    }


Steps = list[tuple[str, Any]]
"""Operations one after the other: Cast with its type, Mul with its factor, Round with None."""


def _into(onnx: Any, inner: int, pixels: Pixels) -> Steps:
    """From a picture to the network; scaled in FP32, so that FP16 rounds once."""
    if pixels == "float32":
        return [("Cast", inner)]
    return [("Cast", onnx.TensorProto.FLOAT), ("Mul", np.float32(1 / 255)), ("Cast", inner)]


def _out_of(onnx: Any, pixels: Pixels) -> Steps:
    """From the network to a picture; the packaged graphs end with a clamp to [0, 1]."""
    to_float = ("Cast", onnx.TensorProto.FLOAT)
    if pixels == "float32":
        return [to_float]
    to_bytes = ("Cast", onnx.TensorProto.UINT8)
    return [to_float, ("Mul", np.float32(255)), ("Round", None), to_bytes]


def _type_of(onnx: Any, pixels: Pixels) -> int:
    return int(onnx.TensorProto.UINT8 if pixels == "uint8" else onnx.TensorProto.FLOAT)


def _take_indices(onnx: Any, graph: Any) -> None:
    """Let the graph take rows and columns as inputs, and drop what computed them."""
    for node in graph.node:
        if node.op_type == "Gather":
            name = _PRIOR_AXES[next(a.i for a in node.attribute if a.name == "axis")]
            node.input[1] = name
            graph.input.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT32, [name])
            )
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):  # in the order of computation, as ONNX has them
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [value for value in graph.initializer if value.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _set_sizes(graph: Any, unshuffle: int, sizes: Sizes) -> None:
    """Fix the sides where they are fixed; else name them, equal names for equal sides."""
    width, height = sizes.best
    static = {"height": height, "width": width}
    static |= {"rows": height // unshuffle, "columns": width // unshuffle}
    names = {name: name for name in static}
    if unshuffle == 1:
        names |= {"rows": "height", "columns": "width"}
    sides = {"image": (None, "height", "width", None), "rows": ("rows",), "columns": ("columns",)}
    sides["enhanced"] = sides["image"]
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        for dim, side in zip(dims, sides.get(value.name, ()), strict=False):
            if side is None:
                continue
            if sizes.is_static:
                dim.dim_value = static[side]
            else:
                dim.dim_param = names[side]


def _halve_weights(onnx: Any, graph: Any) -> None:
    """Turn every FP32 constant into FP16, but for the scales of Resize."""
    scales = {
        node.input[_RESIZE_SCALES]
        for node in graph.node
        if node.op_type == "Resize" and len(node.input) > _RESIZE_SCALES
    }
    for value in graph.initializer:
        if value.data_type == onnx.TensorProto.FLOAT and value.name not in scales:
            half = onnx.numpy_helper.to_array(value).astype(np.float16)
            value.CopyFrom(onnx.numpy_helper.from_array(half, value.name))


def _convert_input(onnx: Any, graph: Any, value: Any, steps: Steps) -> None:
    converted = f"{value.name}_converted"
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == value.name:
                node.input[index] = converted
    for node in reversed(_chain(onnx, graph, value.name, converted, steps)):
        graph.node.insert(0, node)


def _convert_output(onnx: Any, graph: Any, value: Any, steps: Steps) -> None:
    raw = f"{value.name}_raw"
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == value.name:
                node.output[index] = raw
        for index, name in enumerate(node.input):
            if name == value.name:
                node.input[index] = raw
    graph.node.extend(_chain(onnx, graph, raw, value.name, steps))


def _chain(onnx: Any, graph: Any, start: str, end: str, steps: Steps) -> list[Any]:
    """Make the nodes of `steps` between two tensors; factors become constants of the graph."""
    nodes = []
    names = [start, *(f"{start}_step{index}" for index in range(1, len(steps))), end]
    for index, (operation, argument) in enumerate(steps):
        inputs, attributes = [names[index]], {}
        if operation == "Cast":
            attributes["to"] = argument
        elif operation == "Mul":
            constant = f"{names[index]}_factor"
            graph.initializer.append(onnx.numpy_helper.from_array(np.array(argument), constant))
            inputs.append(constant)
        nodes.append(onnx.helper.make_node(operation, inputs, [names[index + 1]], **attributes))
    return nodes
