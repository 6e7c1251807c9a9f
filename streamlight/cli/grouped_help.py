"""Help of a command with its options in groups, in plain text."""

from typing import Any

from typer.core import TyperCommand


class GroupedCommand(TyperCommand):
    """Shows options under their `rich_help_panel`, as typer does only with rich.

    Importing rich for that costs more than the rest of `--help`.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group: the arguments, the ungrouped options, the others."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                group = "Arguments" if is_argument else "Options"
                group = getattr(parameter, "rich_help_panel", None) or group
                groups.setdefault(group, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
