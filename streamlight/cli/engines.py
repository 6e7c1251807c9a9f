"""`streamlight engines`: what was built, what is wrong with it, and away with it."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streamlight.cli.errors import FAILED, one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import AsJson, Debug, EngineDir, start_log
from streamlight.errors import UsageError

if TYPE_CHECKING:
    from streamlight.engines.store import Listed

app = typer.Typer(help="List, show and remove built TensorRT engines.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _list_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_engines()


@app.command("list")
def list_engines(
    engine_dir: EngineDir = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """List the engines, and check their files."""
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.engines import EngineStore

        store = EngineStore(engine_dir)
        listed = store.list()
        if as_json:
            typer.echo(json.dumps([asdict(engine) for engine in listed], indent=2))
        elif listed:
            _print_table(listed)
        else:
            say(f"no engines in {store.folder}; `streamlight build` builds them")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="As `engines list` says it.")],
    engine_dir: EngineDir = None,
    debug: Debug = False,
) -> None:
    """Print the record of an engine as JSON; the exit code is 1 where it cannot be used."""
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.engines import EngineStore

        found = EngineStore(engine_dir).check(name)
        typer.echo(json.dumps(asdict(found), indent=2))
        if found.problem:
            raise typer.Exit(FAILED)


@app.command("remove")
def remove(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="As `engines list` says them."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove every engine.")] = False,
    engine_dir: EngineDir = None,
    debug: Debug = False,
) -> None:
    """Remove engines."""
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.engines import EngineStore

        store = EngineStore(engine_dir)
        if everything == bool(names):
            raise UsageError("give the names of engines, or --all")
        chosen = [engine.name for engine in store.list()] if everything else names or []
        freed = sum(store.remove(name) for name in chosen)
        say(f"removed {len(chosen)} engines, {freed / 1e6:.1f} MB")


def _print_table(listed: "list[Listed]") -> None:
    from streamlight.cli.table import print_table

    rows = []
    for engine in listed:
        record = engine.record
        if record is None:
            rows.append((engine.name, "-", "-", "-", engine.problem))
            continue
        identity = record.identity
        rows.append(
            (
                engine.name,
                f"{identity.flavour} {identity.version}",
                ", ".join(identity.compute) or identity.gpu,
                f"{record.plan_bytes / 1e6:.1f} MB",
                engine.problem or str(record.verification),
            )
        )
    print_table(("engine", "made by", "for", "size", "state"), rows)
