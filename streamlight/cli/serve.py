"""`streamlight serve`: cameras on a page of their own."""

import os
from typing import Annotated, Any

import typer

from streamlight.cli import file_options, live_options
from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log
from streamlight.web.settings import TOKEN_VARIABLE

EXAMPLES = """\b
Examples:
  streamlight serve examples/night.mp4
  streamlight serve rtsp://user:password@camera/stream /dev/video0
  streamlight serve door=rtsp://192.0.2.10/stream yard=rtsp://192.0.2.11/stream --adaptive
  streamlight serve /dev/video0 --host 0.0.0.0

\b
Exit codes: 0 done, 1 failed, 2 wrong arguments, 70 internal error,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""

PAGE = "Page"


def _option(*names: str, panel: str | None = PAGE, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **settings)


def serve(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]SOURCE...",
            help="URLs, cameras of this computer (/dev/video0), or files, which play again and "
            "again.",
        ),
    ],
    port: Annotated[
        int, _option("--port", "-p", metavar="PORT", help="Where the page is; 0 for any.")
    ] = 8080,
    host: Annotated[
        str,
        _option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen at; 0.0.0.0 lets other computers in, who need the token.",
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        _option(
            "--token",
            metavar="TEXT",
            help=f"That a browser must know; better in {TOKEN_VARIABLE}, which other users cannot "
            "see.  [default: made anew where it is needed]",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        _option(
            "--allowed-host",
            metavar="NAME",
            help="A further name of this computer by which the page is called; may be repeated.",
        ),
    ] = None,
    max_viewers: Annotated[
        int, _option("--max-viewers", metavar="N", help="Pictures that are sent at once, in all.")
    ] = 16,
    view_size: Annotated[
        int, _option("--view-size", metavar="ROWS", help="Most rows of a picture that is sent.")
    ] = 720,
    model: file_options.Model = "auto",
    backend: file_options.Backend = "auto",
    network_device: live_options.NetworkDevice = None,
    precision: file_options.Precision = None,
    engine_dir: file_options.EngineDir = None,
    process_size: live_options.ProcessSize = None,
    adaptive: live_options.Adaptive = False,
    target_fps: live_options.TargetFps = None,
    strength: file_options.Strength = 1.0,
    exposure: file_options.Exposure = 0.0,
    smoothing: file_options.Smoothing = 12.0,
    transport: live_options.Transport = "tcp",
    duration: live_options.Duration = None,
    report: file_options.Report = None,
    quiet: file_options.Quiet = False,
    debug: Debug = False,
) -> None:
    """Show cameras, brightened, on a web page.

    The page has a slider between before and after, controls that act at once, and figures. It is
    for this computer only, unless --host. Recordings and more: streamlight run --help.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cameras.source import check_file
        from streamlight.cli.camera_names import names_of
        from streamlight.cli.camera_options import OPTIONS, camera_spec
        from streamlight.cli.group_run import GroupRun, GroupSettings
        from streamlight.cli.live_settings import parse_span
        from streamlight.web.settings import WebSettings

        options: dict[str, Any] = {
            "transport": transport,
            "adaptive": adaptive,
            "strength": strength,
            "exposure": exposure,
            "smoothing": smoothing,
        }
        if process_size is not None:
            options["process_size"] = OPTIONS["process_size"].read(process_size)
        if target_fps is not None:
            options["target_fps"] = target_fps
        specs = [
            camera_spec(name, options | {"source": source})
            for name, source in names_of(sources).items()
        ]
        for spec in specs:
            check_file(spec.source)
        network = {
            "model": model,
            "backend": backend,
            "device": network_device,
            "precision": precision,
            "engine_dir": engine_dir,
        }
        web = WebSettings(
            port=port,
            host=host,
            token=token or os.environ.get(TOKEN_VARIABLE) or None,
            allowed_hosts=tuple(allowed_host or ()),
            max_viewers=max_viewers,
            view_rows=view_size,
        )
        settings = GroupSettings(
            network=network,
            web=web,
            duration_s=parse_span("--duration", duration),
            report_path=report,
            is_quiet=quiet,
            debug=debug,
        )
        GroupRun(specs, settings).carry_out()
