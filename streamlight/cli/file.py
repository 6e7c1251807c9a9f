"""`streamlight file`: a dark video in, a bright one out."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log
from streamlight.models import MODELS

EXAMPLES = """\b
Examples:
  streamlight file night.mp4
  streamlight file night.mp4 -o bright.mkv --strength 0.8 --exposure 0.5
  streamlight file night.mp4 -o compare.mp4 --compare split
  streamlight file night.mp4 -o out.mp4 -y -q --report out.json

\b
Exit codes: 0 done, 1 failed, 2 wrong arguments, 70 internal error,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""

_NETWORK, _LOOK, _TIME = "Network", "Look", "Over time"
_ENCODER, _SCRIPTS = "Encoder", "Failures and scripts"


def _model_names() -> list[str]:
    return ["auto", *MODELS]


def _backend_names() -> list[str]:
    from streamlight.backends import BACKENDS

    return ["auto", *BACKENDS]


def _precision_names() -> list[str]:
    from streamlight.backends import BACKENDS

    return sorted({precision for row in BACKENDS.values() for precision in row.precisions})


def _compare_names() -> list[str]:
    from streamlight.look import COMPARE

    return list(COMPARE)


def _sampling_names() -> list[str]:
    from streamlight.view import SAMPLING

    return list(SAMPLING)


def _denoise_names() -> list[str]:
    from streamlight.sources.denoise import DENOISE

    return list(DENOISE)


def _preset_names() -> list[str]:
    from streamlight.sinks.file import PRESETS

    return list(PRESETS)


def enhance(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The video to brighten.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="What to write: .mp4, .m4v, .mov or .mkv.  [default: INPUT with .bright before "
            "its extension]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Replace an existing output.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="auto|gladnet|gladnet-fast",
            help="auto: gladnet on a GPU, gladnet-fast on a CPU.",
            autocompletion=_model_names,
            rich_help_panel=_NETWORK,
        ),
    ] = "auto",
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="auto|openvino|torch",
            help="What runs the network; `streamlight doctor` shows what works here.",
            autocompletion=_backend_names,
            rich_help_panel=_NETWORK,
        ),
    ] = "auto",
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="CPU, GPU or NPU of openvino; cpu, cuda or cuda:1 of torch.  [default: the best]",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="fp32|bf16|fp16",
            help="Of the network's arithmetic.  [default: the fastest that is good]",
            autocompletion=_precision_names,
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            "--strength",
            metavar="0..1",
            help="0 is the input, 1 the network's result; between, their blend.",
            rich_help_panel=_LOOK,
        ),
    ] = 1.0,
    exposure: Annotated[
        float,
        typer.Option(
            "--exposure",
            metavar="EV",
            help="Expose the result by so many stops more, -5 to 5.",
            rich_help_panel=_LOOK,
        ),
    ] = 0.0,
    compare: Annotated[
        str,
        typer.Option(
            "--compare",
            metavar="none|split|side",
            help="Before and after in one picture: halves, or both whole.",
            autocompletion=_compare_names,
            rich_help_panel=_LOOK,
        ),
    ] = "none",
    smoothing: Annotated[
        float,
        typer.Option(
            "--smoothing",
            metavar="SECONDS",
            help="Time constant of the illumination in steady light; changes of light are "
            "followed at once. 0 takes every frame by itself.",
            rich_help_panel=_TIME,
        ),
    ] = 4.0,
    estimate_every: Annotated[
        int,
        typer.Option(
            "--estimate-every",
            metavar="K",
            help="Estimate the illumination every K frames, and when the light changes.",
            rich_help_panel=_TIME,
        ),
    ] = 1,
    sampling: Annotated[
        str,
        typer.Option(
            "--sampling",
            metavar="nearest|area",
            help="How the network's small view of the frame is taken; nearest is the paper's way.",
            autocompletion=_sampling_names,
            rich_help_panel=_TIME,
        ),
    ] = "nearest",
    denoise: Annotated[
        str,
        typer.Option(
            "--denoise",
            metavar="off|light|strong",
            help="Average what stands still over 5 or 9 frames, before the network.",
            autocompletion=_denoise_names,
            rich_help_panel=_TIME,
        ),
    ] = "off",
    crf: Annotated[
        float,
        typer.Option(
            "--crf",
            metavar="0..51",
            help="Quality of x264: lower is better and larger; 0 is lossless.",
            rich_help_panel=_ENCODER,
        ),
    ] = 20.0,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="PRESET",
            help="Speed of x264, from ultrafast to veryslow; slower makes smaller files.",
            autocompletion=_preset_names,
            rich_help_panel=_ENCODER,
        ),
    ] = "veryfast",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Fail at a damaged packet instead of skipping it.",
            rich_help_panel=_SCRIPTS,
        ),
    ] = False,
    keep_partial: Annotated[
        bool,
        typer.Option(
            "--keep-partial",
            help="When stopped or failed, keep a playable file of what was done.",
            rich_help_panel=_SCRIPTS,
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write figures and outcome as JSON, also of a failure; replaces the file.",
            rich_help_panel=_SCRIPTS,
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Print errors and stops only.", rich_help_panel=_SCRIPTS
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Brighten a video file.

    The output has the same frames, timing, sound, subtitles and tags. Ctrl-C stops and leaves
    nothing behind, unless --keep-partial is given; a second Ctrl-C does not wait for anything.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.api import enhance_file
        from streamlight.cli.file_run import FileRun
        from streamlight.look import Look
        from streamlight.sinks import EncoderOptions

        run = FileRun(
            source, output, model=model, backend=backend, report_path=report, is_quiet=quiet
        )
        run.carry_out(
            lambda: enhance_file(
                source,
                run.target,
                model=model,
                backend=backend,
                device=device,
                precision=precision,
                look=Look(strength, exposure, cast(Any, compare)),
                smoothing_s=smoothing,
                estimate_every=estimate_every,
                sampling=cast(Any, sampling),
                denoise=denoise,
                encoder=EncoderOptions(crf, preset),
                overwrite=overwrite,
                strict=strict,
                keep_partial=keep_partial,
                stop=run.stop,
                on_open=run.on_open,
                on_progress=run.on_progress,
            )
        )
