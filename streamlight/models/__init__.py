"""The networks: what they are made of, their weights and their graphs. Imports no torch.

`gladnet` is the network in PyTorch, `weights` loads it, `export` makes the ONNX graphs from it;
import those modules themselves where PyTorch is wanted.
"""

from streamlight.models.packaged import graph_path, weights_path
from streamlight.models.spec import MODELS, PRIOR_SIZE, GraphName, ModelSpec, get_spec

__all__ = [
    "MODELS",
    "PRIOR_SIZE",
    "GraphName",
    "ModelSpec",
    "get_spec",
    "graph_path",
    "weights_path",
]
