"""`streamlight build`: TensorRT engines, ahead of their use."""

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from streamlight.cli import completion
from streamlight.cli.errors import one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import AsJson, Debug, EngineDir, start_log
from streamlight.errors import UsageError
from streamlight.models import get_spec

if TYPE_CHECKING:
    from streamlight.engines import Built, EngineRequest, Flavour
    from streamlight.engines.build import Compiler
    from streamlight.engines.graphs import Pixels, Precision

EXAMPLES = """Examples:

streamlight build --sizes 1080p

streamlight build --model gladnet --sizes 720p,1080p,4k --compute 8.6,8.9,12.0

streamlight build --sizes any --engine-dir engines/"""


_COMPILERS: "dict[str, Compiler]" = {"onnx": "onnx-parser", "torch-tensorrt": "torch-tensorrt"}


def build(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="gladnet|gladnet-fast",
            help="Which network.",
            autocompletion=completion.packaged_names,
        ),
    ] = "gladnet",
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes",
            metavar="LIST",
            help="Sizes of pictures: 360p, 480p, 720p, 1080p, 1440p, 4k, 1920x800, a range such "
            "as 640x360..1920x1080, or any; an engine for each.",
        ),
    ] = "1080p",
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="tensorrt-rtx or tensorrt.")
    ] = "tensorrt-rtx",
    compiler: Annotated[
        str,
        typer.Option(
            "--compiler",
            metavar="onnx|torch-tensorrt",
            help="What makes the engines: the ONNX parser, or torch-tensorrt, which is of "
            "tensorrt only, takes single sizes and --deep, and has never run yet.",
        ),
    ] = "onnx",
    compute: Annotated[
        str | None,
        typer.Option(
            "--compute",
            metavar="LIST",
            help="Compute capabilities, all in one engine, such as 8.6,8.9,12.0.  "
            "[default: the GPU that is here; without one 8.6,8.9,12.0]",
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", metavar="fp16|fp32", help="Of the detail network.")
    ] = "fp16",
    estimate_precision: Annotated[
        str,
        typer.Option(
            "--estimate-precision",
            metavar="fp32|fp16",
            help="Of the illumination network, whose result is smoothed over time; with a "
            "meter it stays in FP32.",
        ),
    ] = "fp32",
    deep: Annotated[
        bool,
        typer.Option("--deep", help="For pictures of more than 8 bits: floats in and out."),
    ] = False,
    engine_dir: EngineDir = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Build anew what is there already.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Build TensorRT engines ahead of their use.

    An engine is made for a model, a size, a version of TensorRT and one or more kinds of GPU.
    tensorrt-rtx builds on any machine, also without a GPU; an engine that was built without its
    GPU is compared with FP32 before it is first used.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.engines import FLAVOURS, EngineStore, build_engine

        if backend not in FLAVOURS:
            raise UsageError(f"--backend {backend}: choose one of {', '.join(FLAVOURS)}")
        if compiler not in _COMPILERS:
            raise UsageError(f"--compiler {compiler}: choose one of {', '.join(_COMPILERS)}")
        requests = [
            replace(request, compiler=_COMPILERS[compiler])
            for request in _requests(
                model, sizes, FLAVOURS[backend], compute, precision, estimate_precision, deep
            )
        ]
        store = EngineStore(engine_dir)
        found = []
        for request in requests:
            what = f"{request.graph} of {request.model.name}"
            what += f" at {request.sizes}" if request.sizes else ""
            line = _ProgressLine(what)
            try:
                built = build_engine(request, store, is_forced=force, on_step=line.show)
            finally:
                line.clear()
            say(_describe(what, built))
            found.append(built)
        if as_json:
            typer.echo(json.dumps([asdict(built) for built in found], indent=2))
        else:
            for built in found:
                typer.echo(store.folder / f"{built.record.identity.name}.plan")


def _requests(
    model: str,
    sizes: str,
    flavour: "Flavour",
    compute: str | None,
    precision: str,
    estimate_precision: str,
    deep: bool,
) -> "list[EngineRequest]":
    from streamlight.engines import EngineRequest, parse_sizes
    from streamlight.engines.gpu import find_gpu
    from streamlight.engines.graphs import graph_for

    spec = get_spec(model)
    of_detail = _precision("--precision", precision)
    of_estimate = _precision("--estimate-precision", estimate_precision)
    targets = tuple(part.strip() for part in compute.split(",")) if compute else ()
    gpu = find_gpu()
    requests = [
        EngineRequest(
            spec, "estimate", None, flavour, of_estimate, "float32", compute=targets, gpu=gpu
        )
    ]
    for text in dict.fromkeys(sizes.split(",")):
        wanted = parse_sizes(text, spec)
        pixels: Pixels = "float32" if deep else "uint8"
        requests.append(
            EngineRequest(
                spec,
                graph_for(spec, wanted),
                wanted,
                flavour,
                of_detail,
                pixels,
                compute=targets,
                gpu=gpu,
            )
        )
    return requests


def _precision(option: str, text: str) -> "Precision":
    if text == "fp16":
        return "fp16"
    if text == "fp32":
        return "fp32"
    raise UsageError(f"{option} {text}: choose fp16 or fp32")


def _describe(what: str, built: "Built") -> str:
    record = built.record
    if not built.is_new:
        return f"{what}: there already ({record.verification})"
    layers = record.layers.get("convolution", {})
    types = " and ".join(f"{count} in {kind}" for kind, count in layers.items())
    size = f"{record.plan_bytes / 1e6:.1f} MB"
    by = f"by {record.identity.compiler} {record.compiler_version} " * bool(record.compiler_version)
    targets = ", ".join(record.identity.compute) or record.identity.gpu
    return (
        f"{what}: built {by}in {record.build_s:.1f} s, {size}, for {targets}; "
        f"convolutions: {types}; {record.verification}"
    )


class _ProgressLine:
    """One line on a terminal that is written over; nothing elsewhere."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_shown = sys.stderr.isatty()

    def show(self, phase: str, done: int, total: int) -> None:
        if self._is_shown:
            print(f"\r\x1b[2K{self._what}: {phase} {done}/{total}", end="", file=sys.stderr)

    def clear(self) -> None:
        if self._is_shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
