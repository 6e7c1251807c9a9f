"""`streamlight train`: a network from a folder of photographs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from streamlight.cli import completion
from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log

EXAMPLES = """\b
Examples:
  streamlight train photographs --model gladnet-fast --out runs/mine --init seed --minutes 60
  streamlight train photographs --model gladnet --out runs/paper --preset paper
  streamlight train photographs --model gladnet --out runs/mine --resume
  streamlight train photographs --out runs/mine --eval-dir low high --eval-kodak kodak
  streamlight file night.mp4 --model runs/mine/mine.safetensors
"""

_RUN, _PAIRS, _MEASURE = "The run", "Pairs", "Evaluation"


def _option(*names: str, panel: str | None = None, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **settings)


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Well-exposed photographs: folders, lists of paths (.txt), files.",
        ),
    ],
    out: Annotated[
        Path,
        _option("--out", "-o", metavar="FOLDER", help="Of the run; its name is the model's name."),
    ],
    model: Annotated[
        str,
        _option(
            "--model",
            metavar="gladnet|gladnet-fast|FILE",
            help="Whose layers to train.",
            autocompletion=completion.packaged_names,
        ),
    ] = "gladnet-fast",
    preset: Annotated[
        str,
        _option("--preset", metavar="default|paper", help="What works best, or the paper's way."),
    ] = "default",
    resume: Annotated[
        bool,
        _option("--resume", help="Go on with the run in --out, if there is one."),
    ] = False,
    init: Annotated[
        str | None,
        _option(
            "--init",
            metavar="seed|NAME|FILE|prior:FILE",
            help="Weights to begin with: the model's own (seed), or others of its layout; prior: "
            "takes the illumination network alone.  [default: drawn at random]",
            panel=_RUN,
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        _option(
            "--teacher", metavar="NAME|FILE", help="A network to learn from as well.", panel=_RUN
        ),
    ] = None,
    add: Annotated[
        str | None,
        _option(
            "--add",
            metavar="street|uneven",
            help="Learn this kind of light, and hold the result to the --init weights in all else.",
            panel=_RUN,
        ),
    ] = None,
    freeze: Annotated[
        str | None,
        _option("--freeze", metavar="detail|prior", help="A part that stays as it is.", panel=_RUN),
    ] = None,
    steps: Annotated[
        int | None,
        _option(
            "--steps",
            metavar="N",
            min=0,
            help="Of the run; 0 fits the meter of --init's weights, and nothing else.",
            panel=_RUN,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        _option(
            "--minutes",
            metavar="M",
            help="End after so many, learning rate and all, if the steps take longer.",
            panel=_RUN,
        ),
    ] = None,
    batch: Annotated[
        int | None, _option("--batch", metavar="N", min=1, help="Pairs a step.", panel=_RUN)
    ] = None,
    crop: Annotated[
        int | None,
        _option(
            "--crop",
            metavar="PIXELS",
            help="Side of the part of each frame that the detail network sees.",
            panel=_RUN,
        ),
    ] = None,
    rate: Annotated[
        float | None, _option("--rate", metavar="R", help="Highest learning rate.", panel=_RUN)
    ] = None,
    keep: Annotated[
        float | None,
        _option(
            "--keep",
            metavar="SHARE",
            help="Of the --init weights in the result; 0.5 is the mean of the beginning and the "
            "end, often better than both.",
            panel=_RUN,
        ),
    ] = None,
    meter: Annotated[
        int | None,
        _option(
            "--meter",
            metavar="VIEWS",
            min=0,
            help="Give the network a meter, which recognises photographs that were darkened, and "
            "fit it to so many views at the end; 0 for a network without.  [default: 12000 where "
            "the model has one]",
            panel=_RUN,
        ),
    ] = None,
    seed: Annotated[
        int, _option("--seed", metavar="N", help="Of everything random.", panel=_RUN)
    ] = 0,
    device: Annotated[
        str | None,
        _option(
            "--device",
            metavar="cpu|cuda|cuda:1",
            help="Where to train.  [default: the best]",
            panel=_RUN,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        _option(
            "--precision",
            metavar="fp32|bf16|fp16",
            help="Of the networks.  [default: bf16 on a GPU, fp32 on a CPU]",
            panel=_RUN,
        ),
    ] = None,
    checkpoint_every: Annotated[
        int,
        _option("--checkpoint-every", metavar="N", min=1, help="Steps.", panel=_RUN),
    ] = 500,
    without: Annotated[
        str,
        _option(
            "--without",
            metavar="STEP,...",
            help="Steps of the synthesis, terms of the loss and settings of the optimiser to leave "
            "out: clip, uneven, noise, agreement, ema, ...",
            panel=_PAIRS,
        ),
    ] = "",
    index: Annotated[
        Path | None,
        _option(
            "--index",
            metavar="CSV",
            help="Columns `file` and `licence` of the photographs, for the model card.",
            panel=_PAIRS,
        ),
    ] = None,
    eval_dir: Annotated[
        tuple[Path, Path] | None,
        _option(
            "--eval-dir",
            metavar="LOW HIGH",
            help="Folders of dark pictures and their references.",
            panel=_MEASURE,
        ),
    ] = None,
    eval_kodak: Annotated[
        Path | None,
        _option(
            "--eval-kodak",
            metavar="FOLDER",
            help="Well-exposed pictures, darkened by 0, 2, 3 and 4 stops.",
            panel=_MEASURE,
        ),
    ] = None,
    eval_every: Annotated[
        int,
        _option(
            "--eval-every", metavar="N", min=0, help="Steps; 0 only at the end.", panel=_MEASURE
        ),
    ] = 2000,
    eval_limit: Annotated[
        int | None,
        _option(
            "--eval-limit", metavar="N", min=1, help="The first N pictures of each.", panel=_MEASURE
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Train a network on your own photographs, and write weights that --model takes.

    Dark pictures are made of well-exposed ones. Ctrl-C writes a checkpoint, and --resume goes on
    from it. Needs: pip install "streamlight[train]"; for --eval-dir and --eval-kodak also
    "streamlight[evaluate]".
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cli.train_run import Request, run_training

        given = {
            "steps": steps,
            "minutes": minutes,
            "batch": batch,
            "crop": crop,
            "rate": rate,
            "freeze": freeze,
            "add": add,
            "keep": keep,
            "meter": meter,
            "precision": precision,
        }
        run_training(
            Request(
                data=data,
                out=out,
                model=model,
                preset=preset,
                given={name: value for name, value in given.items() if value is not None},
                seed=seed,
                without=[step for step in without.split(",") if step],
                resume=resume,
                init=init,
                teacher=teacher,
                device=device,
                checkpoint_every=checkpoint_every,
                index=index,
                eval_dir=eval_dir,
                eval_kodak=eval_kodak,
                eval_every=eval_every,
                eval_limit=eval_limit,
            )
        )
