"""`streamlight export`: the ONNX graphs of a network, for other runtimes."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from streamlight.cli import completion
from streamlight.cli.errors import one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import Debug, start_log
from streamlight.errors import SinkError, UsageError
from streamlight.models.own import HASH_FILE, find_model, hash_of, read_card, write_whole
from streamlight.models.packaged import graphs_folder, remove_int8_graph


def export(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="gladnet|gladnet-fast|FILE",
            help="Which network, see `streamlight models`; or your own weights (.safetensors).",
            autocompletion=completion.packaged_names,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to write; made if missing.  [default: of your own weights, the folder "
            "beside them where --model FILE looks for graphs]",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Your own trained weights (.safetensors).  [default: the packaged ones]",
        ),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibrate",
            metavar="PHOTOGRAPHS",
            help="Write the detail network in 8-bit integers too (OpenVINO on a CPU), with the "
            "scales that these photographs need: folders, lists (.txt) or files, as of "
            "`streamlight train`. Repeat for more.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace existing graphs.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Write the ONNX graphs of a network, and its model card.

    They are estimate.onnx, reconstruct.onnx and, of networks of the paper's form,
    reconstruct_compact.onnx. Needs PyTorch and onnx: pip install "streamlight[train]". With
    --calibrate also reconstruct_int8.xml and .bin, of networks of the affine form:
    pip install "streamlight[train,int8]".
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.models.export import export_graphs
        from streamlight.models.weights import load_network

        spec = find_model(model)
        folder = output or (graphs_folder(spec.weights) if spec.weights is not None else None)
        if folder is None:
            raise UsageError(f"--model {model} is packaged with its graphs; -o says where to write")
        if calibrate and not spec.is_affine:
            raise UsageError(
                f"--calibrate: {spec.name} is of the paper's form; only the affine one has 8 bits"
            )
        for graph in spec.graph_names:
            path = folder / f"{graph}.onnx"
            if path.exists() and not overwrite:
                raise SinkError(f"{path}: exists already; -y overwrites it")
        remove_int8_graph(folder)  # of other weights, perhaps
        for path in export_graphs(spec, load_network(spec, weights), folder):
            typer.echo(path)
        for path in _quantised(folder, calibrate) if calibrate else []:
            typer.echo(path)
        source = weights or spec.weights
        if source is not None:
            write_whole(folder / HASH_FILE, f"{hash_of(source)}\n".encode())
            if card := read_card(source):
                write_whole(folder / "MODEL_CARD.md", card.encode())
                typer.echo(folder / "MODEL_CARD.md")


def _quantised(folder: Path, places: list[Path]) -> list[Path]:
    from streamlight.backends.openvino_int8 import quantise
    from streamlight.training.calibration import dark_pictures
    from streamlight.training.photographs import Photographs, find_photographs

    photographs = Photographs(find_photographs(places))
    for line in photographs.skipped:
        say(f"skipped: {line}")
    with redirect_stdout(sys.stderr):  # NNCF's progress
        return quantise(folder, dark_pictures(photographs))
