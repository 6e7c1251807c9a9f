"""`streamlight export`: the ONNX graphs of a network, for other runtimes."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log
from streamlight.errors import SinkError
from streamlight.models import MODELS, GraphName, get_spec


def _model_names() -> list[str]:
    return list(MODELS)


def export(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="gladnet|gladnet-fast",
            help="Which network; see `streamlight models`.",
            autocompletion=_model_names,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where to write; made if missing."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Your own trained weights (.safetensors).  [default: the packaged ones]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace existing graphs.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Write the ONNX graphs of a network.

    They are estimate.onnx, reconstruct.onnx and reconstruct_compact.onnx. Needs PyTorch and
    onnx: pip install "streamlight[train]".
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.models.export import export_graphs
        from streamlight.models.weights import load_network

        spec = get_spec(model)
        for graph in get_args(GraphName):
            path = output / f"{graph}.onnx"
            if path.exists() and not overwrite:
                raise SinkError(f"{path}: exists already; -y overwrites it")
        for path in export_graphs(spec, load_network(spec, weights), output):
            typer.echo(path)
