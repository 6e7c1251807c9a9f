"""`streamlight file --realtime`: a file as if it were a camera, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from streamlight.errors import UsageError

_LIVE_ONLY = ("loop", "preview", "web", "process_size", "adaptive")
"""Make no sense without --realtime."""

_ALSO_LIVE = {
    "sources", "output", "overwrite", "model", "backend", "device", "precision", "engine_dir",
    "memory", "strength", "exposure", "compare", "skip_bright", "smoothing", "estimate_every",
    "sampling", "start", "duration", "crf", "bitrate", "preset", "realtime", "report", "quiet",
    "debug", *_LIVE_ONLY,
}  # fmt: skip
"""Make sense with it."""


def check_realtime(context: typer.Context, is_realtime: bool) -> None:
    """Check that the options given go together.

    Raises:
        UsageError: one does not; the message names it.
    """
    for parameter in context.command.params:
        name = parameter.name or ""
        given_by = context.get_parameter_source(name)
        if given_by is None or given_by.name != "COMMANDLINE":
            continue
        option = max(parameter.opts, key=len)
        if is_realtime and name not in _ALSO_LIVE:
            raise UsageError(f"{option}: is not for --realtime, which plays as a camera does")
        if not is_realtime and name in _LIVE_ONLY:
            raise UsageError(f"{option}: is for --realtime; give both, or neither")


def play(context: typer.Context, sources: Sequence[str], *, debug: bool) -> None:
    """Play one file to the outputs that a camera can have.

    Raises:
        UsageError: there are several files, or options contradict each other.
        StreamlightError: it failed.
    """
    from streamlight.cameras.source import SourceSpec, check_file
    from streamlight.cli.live import live_settings
    from streamlight.cli.live_command import carry_out
    from streamlight.cli.times import parse_time

    if len(sources) != 1:
        raise UsageError(f"--realtime: plays one file, and {len(sources)} were given")
    given: dict[str, Any] = context.params
    output = given["output"]
    settings = live_settings(
        preview=given["preview"],
        web=given["web"],
        output=None if output is None else [output],
        virtual_camera=False,
        duration=None,
        overwrite=given["overwrite"],
        segment=None,
        crf=23.0 if given["crf"] is None else given["crf"],
        bitrate=given["bitrate"],
        preset=given["preset"] or "veryfast",
        model=given["model"],
        backend=given["backend"],
        network_device=given["device"],
        precision=given["precision"],
        engine_dir=given["engine_dir"],
        memory=given["memory"],
        process_size=given["process_size"],
        adaptive=given["adaptive"],
        target_fps=None,
        strength=given["strength"],
        exposure=given["exposure"],
        compare=given["compare"],
        skip_bright=given["skip_bright"],
        smoothing=given["smoothing"],
        estimate_every=given["estimate_every"],
        sampling=given["sampling"],
        strict=False,
        report=given["report"],
        quiet=given["quiet"],
    )
    source = SourceSpec(
        address=f"file:{sources[0]}",
        loop=given["loop"],
        start_s=parse_time("--start", given["start"]),
        duration_s=parse_time("--duration", given["duration"]),
    )
    check_file(source)
    carry_out(source, settings, debug=debug)
