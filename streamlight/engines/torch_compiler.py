"""Network of PyTorch -> plan, by torch-tensorrt: the second compiler, beside the ONNX parser.

The API is that of torch-tensorrt 2.13 and 2.14, read in their wheels; it never ran here
(docs/tensorrt.md). `enabled_precisions` is not given: these versions are strongly typed, and would
take no notice of it. The precision is that of the module.
"""

import importlib
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlight.engines.compiler import Compiled
from streamlight.engines.flavours import Flavour
from streamlight.engines.graphs import Pixels, Precision, inner_precision
from streamlight.engines.sizes import Sizes
from streamlight.errors import BackendUnavailableError, EngineError, UsageError
from streamlight.models import PRIOR_SIZE, GraphName, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

NAME = "torch-tensorrt"
OUTPUT = "output0"
"""What it calls the first output; inputs have the names of the module's arguments."""

DEVICE = "cuda"
"""Of PyTorch: the weights lie on it while it builds."""

RECIPE = 1
"""Raise it when other modules are made of the same weights: old engines go."""

_TYPES = {"torch.float16": "half", "torch.float32": "float"}


def compile_network(
    flavour: Flavour,
    model: ModelSpec,
    graph: GraphName,
    sizes: Sizes | None,
    precision: Precision,
    pixels: Pixels,
    *,
    timing_cache: Path | None = None,
) -> Compiled:
    """Build a plan on the GPU that it is for; nothing but a signal ends it early.

    Args:
        flavour: of TensorRT.
        model: whose network.
        graph: which of its graphs.
        sizes: of the pictures, a single size; None for `estimate`.
        precision: of all that lies between the conversions of input and output.
        pixels: type of the pictures: "float32".
        timing_cache: file of what earlier builds measured.

    Raises:
        BackendUnavailableError: torch-tensorrt is not installed, or cannot be loaded.
        EngineError: it cannot build this network.
        UsageError: it cannot build such an engine at all.
    """
    _check(flavour, sizes, pixels)
    torch_tensorrt = _load()
    module, inputs = make_module(model, graph, sizes, precision, DEVICE)
    begin = time.perf_counter()
    program = export_program(module, inputs)
    options: dict[str, Any] = {"device": DEVICE, "disable_tf32": True}
    if timing_cache is not None:
        options["timing_cache_path"] = str(timing_cache)
    try:
        plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
            program, arg_inputs=list(inputs.values()), **options
        )
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise EngineError(
            f"torch-tensorrt cannot build {graph} of {model.name}: {reason}"
        ) from error
    return Compiled(
        bytes(plan),
        count_convolutions(program),
        time.perf_counter() - begin,
        str(torch_tensorrt.__version__),
    )


def make_module(
    model: ModelSpec, graph: GraphName, sizes: Sizes | None, precision: Precision, device: str
) -> "tuple[nn.Module, dict[str, Tensor]]":
    """Make the network as an engine computes it, and an example of each input, on a device."""
    import torch

    from streamlight.engines.torch_modules import EngineDetail, EngineEstimate
    from streamlight.models.weights import load_network

    network = load_network(model)
    dtype = torch.float16 if inner_precision(model, graph, precision) == "fp16" else torch.float32
    side = (PRIOR_SIZE, PRIOR_SIZE)
    if sizes is None:
        inputs = {"view": torch.zeros(1, 3, *side)}
        module: nn.Module = EngineEstimate(network.prior, dtype)
    else:
        width, height = sizes.best
        r = model.unshuffle
        inputs = {
            "image": torch.zeros(1, height, width, 3),
            "prior": torch.zeros(1, model.prior_channels, *side),
            "rows": torch.zeros(height // r, dtype=torch.int32),
            "columns": torch.zeros(width // r, dtype=torch.int32),
        }
        module = EngineDetail(network.detail, graph == "reconstruct_compact", dtype)
    placed = {name: tensor.to(device) for name, tensor in inputs.items()}
    return module.eval().to(device), placed


def export_program(module: "nn.Module", inputs: "dict[str, Tensor]") -> "ExportedProgram":
    """Trace a module for these shapes."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        return torch.export.export(module, tuple(inputs.values()))


def count_convolutions(program: "ExportedProgram") -> dict[str, dict[str, int]]:
    """Count the convolutions by the type of what they give, as `EngineRecord.layers`."""
    counts: Counter[str] = Counter()
    for node in program.graph.nodes:
        if node.op == "call_function" and "conv" in str(node.target):
            dtype = str(node.meta["val"].dtype)
            counts[_TYPES.get(dtype, dtype)] += 1
    return {"convolution": dict(counts)}


def _check(flavour: Flavour, sizes: Sizes | None, pixels: Pixels) -> None:
    if flavour.name != "tensorrt":
        raise UsageError(f"--compiler {NAME}: is for --backend tensorrt, not for {flavour.name}")
    if pixels != "float32":
        raise UsageError(
            f"--compiler {NAME}: gives no bytes, as it has no conversion to them; add --deep"
        )
    if sizes is not None and not sizes.is_static:
        raise UsageError(f"--compiler {NAME}: builds for one size, not for {sizes}")


def _load() -> Any:
    try:
        return importlib.import_module("torch_tensorrt")
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            f"--compiler {NAME} is not installed ({error}): pip install torch-tensorrt, "
            "of the same version as PyTorch"
        ) from error
    except Exception as error:  # its own import raises nothing more special
        reason = str(error).strip().partition("\n")[0]
        raise BackendUnavailableError(
            f"torch-tensorrt is installed, but cannot be loaded ({reason}); install it anew, of "
            "the same version as PyTorch"
        ) from error
