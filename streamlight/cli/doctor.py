"""`streamlight doctor`: what works here, and what to install for the rest."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from streamlight.cli.errors import FAILED, one_line_errors
from streamlight.cli.options import AsJson, Debug, start_log

if TYPE_CHECKING:
    from streamlight.cli.checks import Check


def doctor(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what works here, and what to install for the rest.

    Every backend runs a network, every encoder encodes. The exit code is 0 when `streamlight
    file` can work: with a backend, its model and the encoder libx264.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cli import checks
        from streamlight.cli.versions import versions

        groups = checks.check_all()
        can_work = checks.can_work(groups)
        machine = {"cpu": checks.cpu_name(), "cores": checks.core_count()}
        if as_json:
            plain = {group: [asdict(check) for check in found] for group, found in groups.items()}
            facts = {"can_work": can_work, "versions": versions(), "machine": machine, **plain}
            typer.echo(json.dumps(facts, indent=2))
        else:
            _print_tables(groups, {**versions(), **machine})
            verdict = "can work here" if can_work else "cannot work here: see above"
            typer.echo(f"\nstreamlight file {verdict}")
        if not can_work:
            raise typer.Exit(FAILED)


def _print_tables(groups: "dict[str, list[Check]]", facts: dict[str, object]) -> None:
    from streamlight.cli.table import print_table

    rows = [(name, str(value or "not installed")) for name, value in facts.items()]
    print_table(("what", "here"), rows)
    for group, found in groups.items():
        typer.echo()
        print_table((group, "state", "detail"), [(c.name, c.state, c.detail) for c in found])
