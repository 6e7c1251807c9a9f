"""`streamlight export`: the ONNX graphs of a network, for other runtimes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from streamlight.cli import completion
from streamlight.cli.errors import one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import Debug, start_log
from streamlight.errors import SinkError, UsageError
from streamlight.models.own import HASH_FILE, find_model, hash_of, read_card, write_whole
from streamlight.models.packaged import graphs_folder, remove_int8_graph

if TYPE_CHECKING:
    from streamlight.training.photographs import Photographs


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
        photographs = _photographs(calibrate) if calibrate else None
        network = load_network(spec, weights)
        with _made_aside(folder) as aside:
            made = export_graphs(spec, network, aside)
            made += _quantised(aside, photographs) if photographs else []
            remove_int8_graph(folder)  # of other weights, perhaps
            for path in made:
                typer.echo(path.replace(folder / path.name))
        source = weights or spec.weights
        if source is not None:
            write_whole(folder / HASH_FILE, f"{hash_of(source)}\n".encode())
            if card := read_card(source):
                write_whole(folder / "MODEL_CARD.md", card.encode())
                typer.echo(folder / "MODEL_CARD.md")


@contextmanager
def _made_aside(folder: Path) -> Iterator[Path]:
    """Make the folder, and lend one in it to write to, which is gone afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".partial-", dir=folder) as aside:
            yield Path(aside)
    except OSError as error:
        raise SinkError(f"cannot write to the folder {folder}: {error.strerror}") from error


def _photographs(places: list[Path]) -> "Photographs":
    from streamlight.training.photographs import Photographs, find_photographs

    photographs = Photographs(find_photographs(places))
    for line in photographs.skipped:
        say(f"skipped: {line}")
    return photographs


def _quantised(folder: Path, photographs: "Photographs") -> list[Path]:
    from streamlight.backends.openvino_int8 import quantise
    from streamlight.training.calibration import dark_pictures

    with redirect_stdout(sys.stderr):  # NNCF's progress
        return quantise(folder, dark_pictures(photographs))
