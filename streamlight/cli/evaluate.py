"""`streamlight evaluate`: figures for pictures and for the steadiness of video."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log
from streamlight.errors import SinkError, StreamlightError, UsageError

EXAMPLES = """\b
Examples:
  streamlight evaluate low high --models gladnet,gladnet-fast --sampling many,nearest
  streamlight evaluate kodak --ev -2 --ev -3 --baselines gamma,lime
  streamlight evaluate my-dark-pictures
  streamlight evaluate --video --smoothing 0,12 --denoise off,strong
  streamlight evaluate --video tripod.mp4 --static
"""

_WHAT, _METHODS = "Pictures and clips", "Methods"


def evaluate(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="LOW|CLIP", help="Folder of dark pictures, or a video."),
    ] = None,
    high: Annotated[
        Path | None, typer.Argument(metavar="HIGH", help="Folder of the references.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write.")
    ] = Path("evaluation"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="Write into a folder that is not empty.")
    ] = False,
    video: Annotated[
        bool,
        typer.Option("--video", help="Measure steadiness: of CLIP, or by a synthetic protocol."),
    ] = False,
    ev: Annotated[
        list[float] | None,
        typer.Option(
            "--ev",
            metavar="EV",
            help="Make dark pictures of bright ones, so many stops darker; may be repeated. "
            "Of the synthetic clips, once.  [default: -4 for clips]",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", help="Of the noise.", rich_help_panel=_WHAT),
    ] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Take the first so many pictures, or frames of CLIP.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="FOLDER",
            help="Make the clips of its first two pictures.  [default: two of scikit-image]",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option("--size", metavar="WxH", help="Of the clips.", rich_help_panel=_WHAT),
    ] = "640x360",
    frames: Annotated[
        int,
        typer.Option("--frames", metavar="N", help="Of each clip.", rich_help_panel=_WHAT),
    ] = 50,
    static: Annotated[
        bool,
        typer.Option(
            "--static",
            help="Nothing moves in CLIP and its light is steady, so every change is an error.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    models: Annotated[
        str,
        typer.Option(
            "--models",
            metavar="NAME,...|none",
            help="Networks to compare; see `streamlight models`.",
            rich_help_panel=_METHODS,
        ),
    ] = "auto",
    sampling: Annotated[
        str,
        typer.Option(
            "--sampling",
            metavar="many,nearest,area",
            help="How the network's small view is taken; one or more.",
            rich_help_panel=_METHODS,
        ),
    ] = "many",
    smoothing: Annotated[
        str,
        typer.Option(
            "--smoothing",
            metavar="SECONDS,...",
            help="Time constants to compare, for --video.",
            rich_help_panel=_METHODS,
        ),
    ] = "0,12",
    denoise: Annotated[
        str,
        typer.Option(
            "--denoise",
            metavar="off,light,strong",
            help="What is done before the networks; one or more, for --video.",
            rich_help_panel=_METHODS,
        ),
    ] = "off",
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="all|none|NAME,...",
            help="Other methods in the same table: input, gamma, auto-gamma, clahe, msrcr, dehz, "
            "lime, srie.  [default: all; for --video the first four]",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="auto|openvino|cuda|torch|tensorrt|tensorrt-rtx",
            help="What runs the networks.",
            rich_help_panel=_METHODS,
        ),
    ] = "auto",
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="Of the backend.  [default: the best]",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="fp32|bf16|fp16|int8",
            help="Of the networks.  [default: the fastest that is good]",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure how good results are, beside other methods.

    Of pictures with references: PSNR, SSIM and GT-mean PSNR; of all: NIQE and brightness. With
    --video: flicker, lag and warping error. Needs: pip install "streamlight[evaluate]".
    """
    with one_line_errors(debug):
        start_log(debug)
        _check_packages()
        _check_use(video, source, high, ev, limit, pictures, static, denoise)
        from streamlight.cli.evaluate_run import networks, on_clip, on_pictures, on_protocol
        from streamlight.evaluation.baselines import BASELINES
        from streamlight.evaluation.pairs import CHEAP_BASELINES, open_methods

        usual = CHEAP_BASELINES if video else tuple(BASELINES)
        chosen = {None: usual, "all": tuple(BASELINES)}.get(baselines) or _names(baselines or "")
        times_s = _numbers("--smoothing", smoothing) if video else [None]
        _prepare(output, overwrite)
        with open_methods(
            _names(models),
            cast(Any, _names(sampling)),
            chosen,
            times_s,
            _names(denoise),
            backend=backend,
            device=device,
            precision=precision,
        ) as methods:
            facts: dict[str, Any] = {"seed": seed, "networks": networks(methods)}
            if not video:
                on_pictures(cast(Path, source), high, ev, seed, limit, methods, output, facts)
            elif source is not None:
                on_clip(source, limit, static, methods, output, facts)
            else:
                form = {"size": _size(size), "frames": frames, "ev": (ev or [-4.0])[0]}
                on_protocol(pictures, form | {"seed": seed}, methods, output, facts)


def _check_packages() -> None:
    try:
        import cv2  # noqa: F401
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
        import skimage  # noqa: F401
    except ImportError as error:
        raise StreamlightError(
            f'evaluation needs {error.name}: pip install "streamlight[evaluate]"'
        ) from error


def _check_use(
    video: bool,
    source: Path | None,
    high: Path | None,
    ev: list[float] | None,
    limit: int | None,
    pictures: Path | None,
    static: bool,
    denoise: str,
) -> None:
    """Refuse what would be ignored."""
    if not video:
        if source is None:
            raise UsageError("a folder of pictures is missing; --video needs none")
        if ev and high is not None:
            raise UsageError(
                "--ev darkens the pictures of one folder; give that of the bright ones"
            )
        if pictures is not None or static or denoise != "off":
            raise UsageError("--pictures, --static and --denoise are for --video")
        return
    if high is not None:
        raise UsageError(f"{high}: --video takes one clip, or none for the synthetic protocol")
    if source is not None and (ev or pictures is not None):
        raise UsageError(f"{source}: --ev and --pictures are for the synthetic clips")
    if source is None and (static or limit is not None):
        raise UsageError("--static and --limit are for a clip of your own; see --frames")
    if ev and len(ev) > 1:
        raise UsageError("--ev: one exposure for the clips; run again for another")


def _prepare(folder: Path, overwrite: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not overwrite:
            raise SinkError(f"{folder}: is not empty; -y writes into it, -o into another")
    except OSError as error:
        raise SinkError(f"{folder}: cannot be made ({error.strerror})") from error


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["none"] else list(dict.fromkeys(names))


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in _names(text)]
    except ValueError as error:
        raise UsageError(f"{option} {text}: expected numbers such as 0,2") from error


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size {text}: expected WIDTHxHEIGHT, such as 640x360")
    return int(width), int(height)
