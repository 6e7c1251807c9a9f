"""The command line. One module a command, each registered here; all chatter goes to stderr.

Nothing heavy is imported above the commands' bodies, and typer's own help without rich's panels
is used, so that `streamlight --help` answers in under 0.3 s.
"""

from typing import Annotated

import typer

from streamlight.cli import (
    build,
    doctor,
    engines,
    evaluate,
    export,
    file,
    info,
    live,
    models,
    run,
    serve,
    train,
)
from streamlight.cli.grouped_help import GroupedCommand

__all__ = ["app", "main"]

app = typer.Typer(
    help="Brighten dark video with GLADNet.",
    epilog="Start with: streamlight file night.mp4. Help of a command: streamlight file --help.",
    rich_markup_mode=None,  # rich's panels would double the time of --help
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("file", cls=GroupedCommand, epilog=file.EXAMPLES)(file.enhance)
app.command("evaluate", cls=GroupedCommand, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("webcam", cls=GroupedCommand, epilog=live.WEBCAM_EXAMPLES)(live.webcam)
app.command("rtsp", cls=GroupedCommand, epilog=live.RTSP_EXAMPLES)(live.rtsp)
app.command("serve", cls=GroupedCommand, epilog=serve.EXAMPLES)(serve.serve)
app.command("run", cls=GroupedCommand, epilog=run.EXAMPLES)(run.run)
app.command("info", cls=GroupedCommand)(info.info)
app.command("doctor", cls=GroupedCommand)(doctor.doctor)
app.command("models", cls=GroupedCommand)(models.models)
app.command("train", cls=GroupedCommand, epilog=train.EXAMPLES)(train.train)
app.command("export", cls=GroupedCommand)(export.export)
app.command("build", cls=GroupedCommand, epilog=build.EXAMPLES)(build.build)
app.add_typer(engines.app, name="engines")


def _print_version(wanted: bool) -> None:
    if wanted:
        from streamlight import __version__

        typer.echo(f"streamlight {__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line, and exit with its code (see `streamlight.cli.errors`)."""
    app(prog_name="streamlight")
