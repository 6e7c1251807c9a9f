"""Where the files of the models lie: weights and ONNX graphs that are shipped with the package."""

from pathlib import Path
from typing import Literal

from streamlight.errors import ModelError
from streamlight.models.spec import ModelSpec

GraphName = Literal["estimate", "reconstruct", "reconstruct_compact"]
"""The graphs of a model; `streamlight.models.export` says what each takes and gives."""

GRAPHS_FOLDER = Path(__file__).parent / "graphs"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


def graph_path(spec: ModelSpec, graph: GraphName) -> Path:
    """Return the ONNX file of a packaged graph; ModelError where the package has none."""
    path = GRAPHS_FOLDER / spec.name / f"{graph}.onnx"
    if not path.is_file():
        raise ModelError(
            f"the package holds no graph {graph!r} of the model {spec.name!r}; "
            "make the graphs with: python -m streamlight.models.export"
        )
    return path


def weights_path(spec: ModelSpec) -> Path:
    """Return the safetensors file of packaged weights; ModelError where the package has none."""
    path = WEIGHTS_FOLDER / f"{spec.name}.safetensors"
    if not path.is_file():
        raise ModelError(
            f"the package holds no weights of the model {spec.name!r}; "
            "give a weights file, or reinstall streamlight"
        )
    return path
