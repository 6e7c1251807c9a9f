"""`streamlight run`: many cameras from a configuration file."""

from pathlib import Path
from typing import Annotated

import typer

from streamlight.cli import file_options, live_options
from streamlight.cli.errors import USAGE, one_line_errors
from streamlight.cli.options import Debug, start_log

EXAMPLES = """\b
Examples:
  streamlight run cameras.toml
  streamlight run cameras.toml --check

\b
Exit codes: 0 done, 1 a camera has failed, 2 the file is wrong, 70 internal error,
130 stopped by Ctrl-C, 143 by SIGTERM. Recordings are complete in all cases.
"""


def run(
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG.toml", help="Cameras, outputs, network and page."),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Only read the file, and say what is wrong in it.")
    ] = False,
    duration: live_options.Duration = None,
    report: file_options.Report = None,
    quiet: file_options.Quiet = False,
    debug: Debug = False,
) -> None:
    """Brighten many cameras at once, as a configuration file says.

    All share one network, and get the same share of its time. A camera that is lost, or not there
    yet, is connected when it comes.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cameras.outputs import check_outputs
        from streamlight.cameras.source import check_file
        from streamlight.cli.config_file import ConfigError, read_config
        from streamlight.cli.group_run import GroupRun, GroupSettings, count_of
        from streamlight.cli.live_settings import parse_span
        from streamlight.cli.messages import say

        try:
            read = read_config(config)
        except ConfigError as error:
            for fault in error.faults:
                say(f"error: {fault}")
            raise typer.Exit(USAGE) from None
        settings = GroupSettings(
            network=read.network,
            web=read.web,
            duration_s=parse_span("--duration", duration),
            report_path=report,
            is_quiet=quiet,
            debug=debug,
        )
        group_run = GroupRun(read.cameras, settings)
        if check:
            for camera in read.cameras:
                check_file(camera.source)
                check_outputs(camera.outputs)
            say(f"{config}: is right; {count_of(read.cameras)}")
            return
        group_run.carry_out()
