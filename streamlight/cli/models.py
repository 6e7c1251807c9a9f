"""`streamlight models`: the networks that are shipped, and the user's own."""

import json
from dataclasses import asdict, dataclass

import typer

from streamlight.cli.errors import one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import AsJson, Debug
from streamlight.errors import ModelError
from streamlight.models import MODELS, ModelSpec, graph_path, weights_path
from streamlight.models.own import graphs_problem, own_weights, read_spec


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What is shown of a model.

    Attributes:
        name: what `--model` takes.
        parameters: number of trained values.
        auto_on: "GPU" or "CPU" where `--model auto` takes it; None where it never does.
        side_multiple: the picture is padded inside to sides that are multiples of it.
        missing_files: files of the package that are not there.
        own: why a user's own model does not run everywhere; "ready" where it does; None for a
            packaged one.
        summary: what it is for.
    """

    name: str
    parameters: int
    auto_on: str | None
    side_multiple: int
    missing_files: list[str]
    own: str | None
    summary: str


def models(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the networks that --model takes."""
    with one_line_errors(debug):
        rows = [_row(spec) for spec in MODELS.values()] + _own_rows()
        if as_json:
            typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        else:
            _print_table(rows)


def _row(spec: ModelSpec) -> ModelRow:
    from streamlight.backends import CPU_MODEL, GPU_MODEL

    return ModelRow(
        name=spec.name,
        parameters=spec.parameters,
        auto_on={GPU_MODEL: "GPU", CPU_MODEL: "CPU"}.get(spec.name),
        side_multiple=spec.unshuffle,
        missing_files=missing_files(spec) if spec.weights is None else [],
        own=None if spec.weights is None else graphs_problem(spec) or "ready",
        summary=spec.summary,
    )


def _own_rows() -> list[ModelRow]:
    """Rows of the models folder; a file that is no model is named and left out."""
    rows = []
    for path in own_weights():
        try:
            rows.append(_row(read_spec(path)))
        except ModelError as error:
            say(f"left out: {error}")
    return rows


def missing_files(spec: ModelSpec) -> list[str]:
    """Return the names of the packaged files of a model that are not there."""
    missing = []
    try:
        weights_path(spec)
    except ModelError:
        missing.append(f"{spec.name}.safetensors")
    for graph in spec.graph_names:
        try:
            graph_path(spec, graph)
        except ModelError:
            missing.append(f"{spec.name}/{graph}.onnx")
    return missing


def _files(row: ModelRow) -> str:
    if row.own is not None:
        return "all here" if row.own == "ready" else "no graphs: streamlight export"
    return ", ".join(row.missing_files) + " missing" if row.missing_files else "all here"


def _print_table(rows: list[ModelRow]) -> None:
    from streamlight.cli.table import print_table

    print_table(
        ("model", "parameters", "auto takes it on", "picture", "files", "what for"),
        [
            (
                row.name,
                f"{row.parameters:,}",
                f"a {row.auto_on}" if row.auto_on else "-",
                "any size",
                _files(row),
                row.summary,
            )
            for row in rows
        ],
    )
