"""Where the files of the models lie: weights and ONNX graphs.

Those of the package lie in it. A user's own weights are one file, such as `night.safetensors`,
and the graphs that `streamlight export` makes of it lie in the folder `night` beside it.
"""

from pathlib import Path

from streamlight.errors import ModelError
from streamlight.models.spec import GraphName, ModelSpec

GRAPHS_FOLDER = Path(__file__).parent / "graphs"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"

INT8_GRAPH = "reconstruct_int8.xml"
"""The detail network in 8-bit integers, in OpenVINO's format, with a .bin of the same name."""


def graphs_folder(weights: Path) -> Path:
    """Return where the graphs of a user's own weights lie."""
    return weights.with_suffix("")


def graph_path(spec: ModelSpec, graph: GraphName) -> Path:
    """Return the ONNX file of a graph; ModelError where there is none."""
    if spec.weights is not None:
        path = graphs_folder(spec.weights) / f"{graph}.onnx"
        if not path.is_file():
            raise ModelError(
                f"{spec.weights} has no graph {graph!r} beside it; "
                f"make it with: streamlight export --model {spec.weights}"
            )
        return path
    path = GRAPHS_FOLDER / spec.name / f"{graph}.onnx"
    if not path.is_file():
        raise ModelError(
            f"the package holds no graph {graph!r} of the model {spec.name!r}; "
            "make the graphs with: python -m streamlight.models.export"
        )
    return path


def int8_graph_path(spec: ModelSpec) -> Path | None:
    """Return the file of the detail network in 8-bit integers; None where there is none."""
    folder = GRAPHS_FOLDER / spec.name if spec.weights is None else graphs_folder(spec.weights)
    path = folder / INT8_GRAPH
    return path if path.is_file() and path.with_suffix(".bin").is_file() else None


def remove_int8_graph(folder: Path) -> None:
    """Remove the 8-bit graph from a folder of graphs, if there is one."""
    for path in (folder / INT8_GRAPH, (folder / INT8_GRAPH).with_suffix(".bin")):
        path.unlink(missing_ok=True)


def weights_path(spec: ModelSpec) -> Path:
    """Return the safetensors file of a model; ModelError where the package has none."""
    if spec.weights is not None:
        return spec.weights
    path = WEIGHTS_FOLDER / f"{spec.name}.safetensors"
    if not path.is_file():
        raise ModelError(
            f"the package holds no weights of the model {spec.name!r}; "
            "give a weights file, or reinstall streamlight"
        )
    return path
