"""TensorRT engines: how they are made, kept, checked before use, and loaded. Imports no TensorRT.

An engine is a built plan file with a JSON record beside it. The way of one:

    graphs         the packaged ONNX graph, in FP16 with bytes in and out
    compiler       graph -> plan, by the builder of a flavour of TensorRT
    torch_compiler network of PyTorch -> plan, by torch-tensorrt
    store          plan and record in a folder; what does not match is refused
    loading        plan -> engine of the runtime, or the reason why not
    verification   its results against FP32, on frames of several kinds
"""

from streamlight.engines.build import Built, EngineRequest, build_engine, identify
from streamlight.engines.flavours import FLAVOURS, Flavour
from streamlight.engines.identity import EngineIdentity
from streamlight.engines.record import EngineRecord, Verification
from streamlight.engines.sizes import Sizes, parse_sizes
from streamlight.engines.store import EngineStore, default_folder

__all__ = [
    "FLAVOURS",
    "Built",
    "EngineIdentity",
    "EngineRecord",
    "EngineRequest",
    "EngineStore",
    "Flavour",
    "Sizes",
    "Verification",
    "build_engine",
    "default_folder",
    "identify",
    "parse_sizes",
]
