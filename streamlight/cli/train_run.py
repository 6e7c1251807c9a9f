"""What `streamlight train` does with its options."""

import importlib.util
import shlex
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from streamlight.cli.messages import say
from streamlight.cli.signals import StopSignals
from streamlight.cli.train_progress import TrainingProgress
from streamlight.errors import BackendUnavailableError, UsageError
from streamlight.models.own import find_model, hash_of
from streamlight.models.packaged import weights_path
from streamlight.models.spec import ModelSpec

if TYPE_CHECKING:
    from streamlight.evaluation.tables import Table
    from streamlight.models.gladnet import GLADNet
    from streamlight.training.options import TrainingOptions
    from streamlight.training.origin import Origin
    from streamlight.training.photographs import Photographs
    from streamlight.training.session import RunFolder, Validate
    from streamlight.training.trainer import Trainer


_STOPPED_EARLY = "stopped before the first step: nothing was written"


@dataclass(frozen=True, slots=True)
class Request:
    """The options of the command; `given` holds those of `TrainingOptions` that were given."""

    data: list[Path]
    out: Path
    model: str
    preset: str
    given: dict[str, Any]
    seed: int
    without: list[str]
    resume: bool
    init: str | None
    teacher: str | None
    device: str | None
    checkpoint_every: int
    index: Path | None
    eval_dir: tuple[Path, Path] | None
    eval_kodak: Path | None
    eval_every: int
    eval_limit: int | None


def run_training(request: Request) -> None:
    """Train, and say what was written.

    Raises:
        StreamlightError: see `streamlight.errors`.
        typer.Exit: with the signal's code when it was stopped.
    """
    _check_packages(request)
    from streamlight.models.weights import load_network
    from streamlight.training.card import count_licences
    from streamlight.training.photographs import find_photographs
    from streamlight.training.session import Rhythm, RunFolder, run_session
    from streamlight.training.start import begin, open_device
    from streamlight.training.trainer import Trainer

    start_spec = find_model(request.model)
    folder = RunFolder(request.out)
    device = open_device(request.device)
    options = _options(request, device.type)
    if options.add and request.init is None and not request.resume:
        raise UsageError(f"--add {options.add}: needs --init, whose weights the result is held to")
    may_have_meter = start_spec.is_metered or "meter" in request.given
    start_spec = replace(start_spec, is_metered=may_have_meter and options.meter > 0)
    network = begin(start_spec, request.init, request.seed)
    count = sum(values.numel() for values in network.parameters())
    network.spec = replace(start_spec, name=folder.name, weights=None, parameters=count)
    learnt_from = find_model(request.teacher, "--teacher") if request.teacher else None
    teacher = load_network(learnt_from) if learnt_from else None
    paths = find_photographs(request.data)
    stop = threading.Event()
    validate = _validator(request, folder, stop)
    folder.prepare(resume=request.resume)
    progress = TrainingProgress()
    with StopSignals(stop, notice="stopping") as signals:
        with progress:
            photographs = _read(paths, progress, stop)
            if stop.is_set():
                say(_STOPPED_EARLY)
                raise typer.Exit(signals.exit_code)
            licences = count_licences(request.index, photographs.paths) if request.index else {}
            origin = _origin(request, learnt_from)
            trainer = Trainer(network, photographs, options, device, teacher, origin)
            is_done = run_session(
                trainer,
                folder,
                rhythm=Rhythm(checkpoint=request.checkpoint_every, evaluate=request.eval_every),
                card=lambda network, rows: _card(
                    request, trainer, network, photographs, licences, rows
                ),
                validate=validate,
                resume=request.resume,
                stop=stop,
                on_step=lambda report: progress.step(trainer, report.loss),
                on_view=progress.view,
                on_figures=_say_figures,
                on_warning=lambda text: say(f"warning: {text}"),
            )
        if not is_done:
            where = "in the meter's fitting" if trainer.is_done else f"after step {trainer.step}"
            late = f"stopped {where}: --resume goes on from {folder.checkpoint}"
            say(late if trainer.step or trainer.is_done else _STOPPED_EARLY)
            raise typer.Exit(signals.exit_code)
    typer.echo(folder.weights)


def _check_packages(request: Request) -> None:
    for package in ("torch", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise BackendUnavailableError(
                f'training needs {package}: pip install "streamlight[train]"'
            )
    if request.eval_dir or request.eval_kodak:
        from streamlight.cli.evaluate import _check_packages as check_evaluation

        check_evaluation()


def _options(request: Request, device: str) -> "TrainingOptions":
    from streamlight.training.options import PRESETS

    if request.preset not in PRESETS:
        raise UsageError(f"--preset {request.preset}: choose one of {', '.join(PRESETS)}")
    if request.given.get("steps") == 0 and request.init is None:
        raise UsageError(
            "--steps 0 fits the meter of --init's weights; give the ones to begin with"
        )
    if "keep" in request.given and (request.init is None or request.init.startswith("prior:")):
        raise UsageError("--keep mixes in the weights of --init; give the ones to begin with")
    preset = PRESETS[request.preset]
    precision = "bf16" if device == "cuda" else "fp32"
    options: dict[str, Any] = {"precision": precision, "seed": request.seed} | request.given
    return replace(preset.without(*request.without), **options)


def _read(paths: list[Path], progress: TrainingProgress, stop: threading.Event) -> "Photographs":
    from streamlight.training.photographs import Photographs

    photographs = Photographs(paths, on_read=progress.read, stop=stop)
    for line in photographs.skipped:
        say(f"skipped: {line}")
    return photographs


def _validator(request: Request, folder: "RunFolder", stop: threading.Event) -> "Validate | None":
    if request.eval_dir is None and request.eval_kodak is None:
        return None
    from streamlight.training.validation import ValidationSets, validate, write_results

    sets = ValidationSets(request.eval_dir, request.eval_kodak, request.eval_limit)
    sets.check()

    def measure(network: Any, sheet: Path) -> "Table":
        rows = validate(network, sets, folder.name, sheet, stop)
        if rows:
            write_results(sheet.with_suffix(".csv"), rows)
        return rows

    return measure


def _origin(request: Request, teacher: ModelSpec | None) -> "Origin":
    from streamlight.training.origin import Origin

    begins = {None: "", "seed": f"the weights of {request.model}"}
    return Origin(
        command=shlex.join(["streamlight", *sys.argv[1:]]),
        model=request.model,
        init=begins.get(request.init, f"the weights {request.init}"),
        teacher=request.teacher or "",
        teacher_sha256=hash_of(weights_path(teacher)) if teacher else "",
    )


def _card(
    request: Request,
    trainer: "Trainer",
    network: "GLADNet",
    photographs: "Photographs",
    licences: dict[str, int],
    rows: "Table",
) -> str:
    from streamlight.training.card import CardFacts, model_card

    return model_card(
        CardFacts(
            name=network.spec.name,
            spec=network.spec,
            is_meter_fitted=network.prior.meter is not None and network.prior.meter.is_fitted,
            options=trainer.options,
            steps=trainer.step,
            minutes=trainer.elapsed_s / 60,
            device=trainer.device_name,
            origin=trainer.origin,
            photographs=len(photographs),
            skipped=len(photographs.skipped),
            licences=licences,
            has_pictures=request.eval_dir is not None or request.eval_kodak is not None,
            results=rows,
        )
    )


def _say_figures(step: int, rows: "Table") -> None:
    from streamlight.training.validation import figures

    say(
        f"step {step}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures(rows).items())
    )
