"""ONNX graphs of a network: what runs without PyTorch.

Each model has three, or two in the affine form, all of batch 1, in FP32 and of opset 18:

    estimate             view (1, 3, 96, 96) -> prior (1, C, 96, 96)
    reconstruct          image (1, H, W, 3), prior (1, C, 96, 96) -> enhanced (1, H, W, 3)
    reconstruct_compact  the same with fewer operations, for sides >= `cells_min_side`

Images are RGB in [0, 1]. H and W are dynamic multiples of `unshuffle`; a runtime that fixes them
folds the arithmetic of the indices away. `python -m streamlight.models.export` (`make graphs`)
writes the packaged graphs anew.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from streamlight.errors import BackendUnavailableError, SinkError
from streamlight.models.packaged import GRAPHS_FOLDER
from streamlight.models.spec import MODELS, PRIOR_SIZE, GraphName, ModelSpec
from streamlight.models.weights import load_network

if TYPE_CHECKING:
    from torch import Tensor, nn

    from streamlight.models.gladnet import GLADNet

OPSET = 18  # what PyTorch's exporter writes without a conversion


def export_graphs(spec: ModelSpec, network: "GLADNet", folder: Path) -> list[Path]:
    """Write the graphs of a network in evaluation mode (FP32, on the CPU) to `folder`.

    The same weights and versions give the same bytes, and nothing of this machine is in them.

    Returns:
        The paths `<folder>/<graph>.onnx`, in the order of `ModelSpec.graph_names`.

    Raises:
        BackendUnavailableError: onnx or onnxscript is not installed.
        SinkError: the folder cannot be written to.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import torch

        from streamlight.models.detail_nhwc import DetailNHWC
    except ImportError as error:
        raise BackendUnavailableError(
            f"making ONNX graphs needs PyTorch, onnx and onnxscript ({error}); "
            'install them with: pip install "streamlight[train]"'
        ) from error

    _make_folder(folder)
    r = spec.unshuffle
    view = torch.zeros(1, 3, PRIOR_SIZE, PRIOR_SIZE)
    prior = torch.zeros(1, spec.prior_channels, PRIOR_SIZE, PRIOR_SIZE)
    # Traced once for every size, so no side may be 0, 1 or like another: tracers take the former
    # for constants and the latter for the same variable.
    image = torch.zeros(1, 200 * r, 210 * r, 3)
    sides = {1: torch.export.Dim("h") * r, 2: torch.export.Dim("w") * r}
    graphs: dict[GraphName, bytes] = {}
    for name in spec.graph_names:
        if name == "estimate":
            graphs[name] = _trace(network.prior, {"view": view}, "prior")
            continue
        detail = DetailNHWC(network.detail, is_compact=name == "reconstruct_compact").eval()
        graphs[name] = _trace(detail, {"image": image, "prior": prior}, "enhanced", sides)
    return [_write(folder / f"{name}.onnx", graph) for name, graph in graphs.items()]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"cannot write to the folder {folder}: {error.strerror}") from error


def _write(path: Path, data: bytes) -> Path:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error
    return path


def _trace(
    module: "nn.Module",
    inputs: "dict[str, Tensor]",
    output: str,
    image_sides: dict[int, Any] | None = None,
) -> bytes:
    """Make the checked ONNX graph of a module, without any trace of where it was made."""
    import onnx
    import torch
    from onnxscript import opset18

    def divide(dividend: Any, divisor: Any) -> Any:
        """Divide indices; none is negative, so ONNX's truncation is the floor that is wanted."""
        return opset18.Div(dividend, divisor)

    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple(image_sides if name == "image" else None for name in inputs),
            custom_translation_table={torch.ops.aten.floor_divide.default: divide},
            verbose=False,
        )
    model = cast("torch.onnx.ONNXProgram", program).model_proto
    model.producer_name, model.producer_version = "streamlight", ""
    model.graph.name = output
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]  # shapes of intermediate results, which a reader works out
    for part in (*model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # stack traces
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hold back what PyTorch's exporter says about itself and about packages it can do without."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def main() -> None:
    """Write the graphs of every packaged model into the package."""
    for spec in MODELS.values():
        for path in export_graphs(spec, load_network(spec), GRAPHS_FOLDER / spec.name):
            print(f"{spec.name}/{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
