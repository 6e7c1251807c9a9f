"""`streamlight evaluate`: figures for pictures and for the steadiness of video."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from streamlight.cli.errors import one_line_errors
from streamlight.cli.messages import say
from streamlight.cli.options import Debug, start_log
from streamlight.errors import SinkError, SourceError, StreamlightError, UsageError

if TYPE_CHECKING:
    from streamlight.evaluation.pairs import Method
    from streamlight.frame import Image

EXAMPLES = """\b
Examples:
  streamlight evaluate low high --models gladnet,gladnet-fast --sampling nearest,area
  streamlight evaluate kodak --ev -2 --ev -3 --baselines gamma,lime
  streamlight evaluate my-dark-pictures
  streamlight evaluate --video --smoothing 0,4
  streamlight evaluate --video tripod.mp4 --static
"""

_WHAT, _METHODS = "Pictures and clips", "Methods"
_NIQE = (
    "NIQE: features and distance of Mittal et al. 2013, with streamlight's own model of pristine "
    "pictures; it orders results and does not compare with published values"
)


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
            metavar="nearest,area",
            help="How the network's small view is taken; one or both.",
            rich_help_panel=_METHODS,
        ),
    ] = "nearest",
    smoothing: Annotated[
        str,
        typer.Option(
            "--smoothing",
            metavar="SECONDS,...",
            help="Time constants to compare, for --video.",
            rich_help_panel=_METHODS,
        ),
    ] = "0,4",
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
            metavar="auto|openvino|torch",
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
            metavar="fp32|bf16|fp16",
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
        _check_use(video, source, high, ev, limit, pictures, static)
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
            backend=backend,
            device=device,
            precision=precision,
        ) as methods:
            facts: dict[str, Any] = {"seed": seed, "networks": _networks(methods)}
            if not video:
                _on_pictures(cast(Path, source), high, ev, seed, limit, methods, output, facts)
            elif source is not None:
                _on_clip(source, limit, static, methods, output, facts)
            else:
                form = {"size": _size(size), "frames": frames, "ev": (ev or [-4.0])[0]}
                _on_protocol(pictures, form | {"seed": seed}, methods, output, facts)


def _on_pictures(
    low: Path,
    high: Path | None,
    ev: list[float] | None,
    seed: int,
    limit: int | None,
    methods: "Sequence[Method]",
    output: Path,
    facts: dict[str, Any],
) -> None:
    from dataclasses import asdict
    from itertools import islice

    from streamlight.evaluation import pairs, report

    source = (
        pairs.darkened_pictures(low, ev, seed, limit)
        if ev
        else islice(pairs.folder_pictures(low, high), limit)
    )
    sheet = report.ContactSheet()
    rows = []
    with _progress() as show:
        for row in pairs.evaluate(source, methods, sheet.add):
            rows.append(row)
            show(f"{row.image}: {row.method} {row.sampling}")
    summary = pairs.summarise(rows)
    report.write_csv(output / "images.csv", [asdict(row) for row in rows])
    sheet.write(output / "sheet.jpg")
    report.plot_figures(output / "figures.png", rows)
    facts |= {"low": str(low), "high": str(high or ""), "ev": ev, "niqe": _NIQE}
    _finish(output, "Pictures", facts, summary)


def _on_protocol(
    folder: Path | None,
    form: Mapping[str, Any],
    methods: "Sequence[Method]",
    output: Path,
    facts: dict[str, Any],
) -> None:
    from dataclasses import asdict

    from streamlight.evaluation import report, video
    from streamlight.evaluation.synthesis import ClipForm

    names, first, second = _two_pictures(folder)
    with _progress() as show:
        rows, courses = video.run_protocol(first, second, methods, ClipForm(**form), show)
    report.write_csv(output / "video.csv", rows)
    for course in courses:
        report.plot_luma(output / f"luma_{course.clip}.png", course)
    facts |= {"pictures": names, "form": dict(form), "figures": video.FIGURES}
    facts["luma"] = [asdict(course) for course in courses]
    _finish(output, "Steadiness", facts, rows)


def _on_clip(
    clip: Path,
    limit: int | None,
    is_static: bool,
    methods: "Sequence[Method]",
    output: Path,
    facts: dict[str, Any],
) -> None:
    from dataclasses import asdict

    from streamlight.evaluation import report, video

    with _progress() as show:
        rows, course = video.run_clip(clip, methods, limit, is_static, show)
    report.write_csv(output / "video.csv", rows)
    report.plot_luma(output / "luma.png", course)
    facts |= {"clip": str(clip), "static": is_static, "luma": [asdict(course)]}
    _finish(output, "Steadiness", facts, rows)


def _finish(
    output: Path, title: str, facts: dict[str, Any], rows: "Sequence[Mapping[str, Any]]"
) -> None:
    """Write the summary, and print its table."""
    from streamlight.cli.table import print_table
    from streamlight.cli.versions import versions
    from streamlight.evaluation import report

    notes = [f"{key}: {value}" for key, value in facts.items() if isinstance(value, str) and value]
    notes += [f"{key}: {value}" for key, value in facts.get("figures", {}).items()]
    notes += [f"{name}: {backend}" for name, backend in facts["networks"].items()]
    report.write_json(
        output / "summary.json", facts | {"versions": versions(), "rows": [*map(dict, rows)]}
    )
    report.write_markdown(output / "summary.md", title, notes, rows)
    print_table(*report.as_text(rows))
    say(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")


def _two_pictures(folder: Path | None) -> "tuple[list[str], Image, Image]":
    from itertools import islice

    if folder is None:
        from skimage import data

        return ["scikit-image chelsea", "scikit-image coffee"], data.chelsea(), data.coffee()
    from streamlight.evaluation.pairs import folder_pictures

    found = list(islice(folder_pictures(folder), 2))
    if len(found) < 2:
        raise SourceError(f"{folder}: two pictures were expected, of different scenes")
    first, second = found
    return [first.name, second.name], first.dark, second.dark


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
) -> None:
    """Refuse what would be ignored."""
    if not video:
        if source is None:
            raise UsageError("a folder of pictures is missing; --video needs none")
        if ev and high is not None:
            raise UsageError(
                "--ev darkens the pictures of one folder; give that of the bright ones"
            )
        if pictures is not None or static:
            raise UsageError("--pictures and --static are for --video")
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


def _networks(methods: "Sequence[Method]") -> dict[str, str]:
    return {method.name: method.backend for method in methods if method.backend}


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done, in one line of the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(Text(text))
