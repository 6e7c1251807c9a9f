"""One training step after the other, and all the state that there is between two of them."""

import copy
import math
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from streamlight.errors import ModelError, UsageError
from streamlight.models.gladnet import GLADNet
from streamlight.training.draws import Draws
from streamlight.training.losses import coarse, loss_of
from streamlight.training.options import METER_VIEWS, TrainingOptions
from streamlight.training.origin import Origin
from streamlight.training.photographs import Photographs, take_frames
from streamlight.training.recipes import ADDABLE, Recipe
from streamlight.training.synthesis import Pairs, synthesise_with
from streamlight.training.views import Part, area_view, draw_part, draw_views, regrain

WARM_UP = 50
"""Steps in which the learning rate rises."""

SMALL_SIDE = 48
"""Side at which the detail network sees whole frames in `LossWeights.overall`."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step.

    Attributes:
        step: steps done, this one included.
        loss: of this step.
        rate: learning rate of this step.
        step_s: how long it took.
    """

    step: int
    loss: float
    rate: float
    step_s: float


class Trainer:
    """Trains one network, but for its meter: `streamlight.training.metering` fits that at the end.

    Attributes:
        network: in training.
        photographs: that it is trained on.
        options: of the run.
        origin: how the run began; of a restored one, as its checkpoint tells.
        step: steps done.
        elapsed_s: time spent in steps, over all parts of the run.
    """

    def __init__(
        self,
        network: GLADNet,
        photographs: Photographs,
        options: TrainingOptions,
        device: torch.device,
        teacher: GLADNet | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Put everything on the device.

        Raises:
            UsageError: the options contradict each other.
        """
        _check(options, network)
        self.network = _channels_last(network.to(device)).train()
        self.options = options
        self.origin = origin or Origin()
        self.step = 0
        self.elapsed_s = 0.0
        self.photographs = photographs
        self._device = device
        self._teacher = _channels_last(teacher.to(device)).eval() if teacher is not None else None
        for name, part in (("prior", network.prior), ("detail", network.detail)):
            part.requires_grad_(options.freeze != name)
        if network.prior.meter is not None:
            network.prior.meter.requires_grad_(False)
            if options.steps:  # it was fitted to other weights than those to come
                network.prior.meter.reset()
        trained = [p for p in network.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            trained, lr=options.rate, weight_decay=options.weight_decay
        )
        self._average = (
            AveragedModel(network, avg_fn=_averaging(options.ema)) if options.ema else None
        )
        self._scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")
        self._first = copy.deepcopy(network).eval().requires_grad_(False) if options.add else None
        needs_begin = options.keep or options.add  # a checkpoint holds it for both
        self._begin = copy.deepcopy(network.state_dict()) if needs_begin else None

    def result(self) -> GLADNet:
        """Return the network to use: of averaged weights, mixed with those of the beginning."""
        network = self.network
        if self._average is not None:
            network = cast(GLADNet, self._average.module)
        if self._begin is None or not self.options.keep:
            return network
        mixed = copy.deepcopy(network)
        for name, value in mixed.state_dict().items():
            value.lerp_(self._begin[name], self.options.keep)
        return mixed

    @property
    def device_name(self) -> str:
        """What the run is on, for people."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return f"a CPU with {torch.get_num_threads()} threads"

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1, by steps or by time, whichever is further."""
        done = self.step / self.options.steps if self.options.steps else 1.0
        if self.options.minutes is not None:
            done = max(done, self.elapsed_s / (60 * self.options.minutes))
        return min(1.0, done)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress >= 1

    def advance(self) -> StepReport:
        """Do one step.

        Raises:
            ModelError: the loss is not a number any more.
        """
        start = time.perf_counter()
        rate = self._set_rate()
        loss = self._loss()
        if not math.isfinite(value := float(loss.detach())):
            raise ModelError(
                f"the loss is {value} at step {self.step + 1}; go on from the latest checkpoint "
                "with a lower --rate, or with --precision fp32"
            )
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        if self.options.clip_norm:
            self._scaler.unscale_(self._optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.network)
        self.step += 1
        step_s = time.perf_counter() - start
        self.elapsed_s += step_s
        return StepReport(self.step, value, rate, step_s)

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, for `restore`."""
        return {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "network": self.network.state_dict(),
            "begin": self._begin,
            "average": None if self._average is None else self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "layout": _layout(self.network),
            "origin": asdict(self.origin),
            "options": asdict(self.options),
            "photographs": [str(path) for path in self.photographs.paths],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Raises:
            UsageError: it is of a run with another network, teacher or beginning, or with other
                options or photographs.
        """
        origin = Origin(**state["origin"])
        layout = _layout(self.network)
        begun = {"is_metered": False} | state["layout"]  # which older ones do not tell
        if begun == layout | {"is_metered": not layout["is_metered"]}:
            kind, views = ("a", METER_VIEWS) if begun["is_metered"] else ("no", 0)
            raise UsageError(
                f"the checkpoint is of a network with {kind} meter; "
                f"--resume goes on with --meter {views}"
            )
        if begun != layout:
            raise UsageError(
                f"the checkpoint is of a network with other layers, of --model {origin.model}; "
                "--resume goes on with that"
            )
        self.origin.check(origin)
        mine, its = asdict(self.options), dict(state["options"])
        its["recipe"] = asdict(Recipe()) | its["recipe"]  # older ones lack what was off
        its.setdefault("add", None)
        free = ("steps", "minutes", "precision", "meter")
        others = [k for k in mine if k not in free and mine[k] != its.get(k)]
        if others:
            raise UsageError(
                f"the checkpoint is of a run with another {', '.join(others)}; "
                "--resume goes on with the options of that run"
            )
        if state["photographs"] != [str(path) for path in self.photographs.paths]:
            raise UsageError(
                "the checkpoint is of a run with other pictures; give the same ones, "
                "or begin a run with --init from its weights"
            )
        self.origin = origin
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.network.load_state_dict(state["network"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        if state["begin"] is not None:
            self._begin = {name: x.to(self._device) for name, x in state["begin"].items()}
            if self._first is not None:
                self._first.load_state_dict(self._begin)
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:  # else the run was not in FP16 so far
            self._scaler.load_state_dict(state["scaler"])

    def _loss(self) -> Tensor:
        options = self.options
        draws = Draws(options.seed, self.step, self._device)
        photographs = self.photographs.batch(options.seed, self.step, options.batch)
        height, width = options.frames[draws.integer(0, len(options.frames) - 1)]
        r = self.network.spec.unshuffle
        part = draw_part(draws, height, width, options.crop, options.zooms, r)
        with torch.no_grad():
            frames = take_frames(photographs, height, width, draws)
            pairs, known = synthesise_with(options.add, frames, options.recipe, draws)
            dark, target = part.take(pairs.dark), part.take(pairs.target)
            if part.zoom > 1:
                dark = regrain(dark, draws)
            views = draw_views(pairs.dark, options.recipe, draws)
        with self._autocast():
            priors = views.estimate(self.network.prior.look)
            places = part.places(self.network, height, width)
            result = self.network.detail(dark, priors, places)
            held = None
            if self._first is not None:
                with torch.no_grad():
                    held = views.estimate(self._first.prior.look)[:known]
                    made = self._first.detail(dark[:known], held, places)
                target = torch.cat([made, target[known:]])
        loss = loss_of(result, target, options.loss)
        if options.loss.overall or options.loss.agreement:
            loss = loss + self._overall_loss(pairs, priors, held, draws)
        if self._teacher is None:
            return loss
        taught = self._teach(pairs.dark, dark, part)
        return (1 - options.teach) * loss + options.teach * loss_of(result, taught, options.loss)

    def _overall_loss(
        self, pairs: Pairs, priors: Tensor, held: Tensor | None, draws: Draws
    ) -> Tensor:
        """Return what the whole frames, made small, say about the priors.

        Args:
            pairs: of whole frames.
            priors: of all of them.
            held: of the first ones, by the weights that the run began with, if it holds to these.
            draws: of this step.
        """
        weights = self.options.loss
        side = SMALL_SIDE * self.network.spec.unshuffle
        cells = side // 12, side // 3
        with torch.no_grad():
            small, target = (
                F.interpolate(area_view(codes), (side, side), mode="area")
                for codes in (pairs.dark, pairs.target)
            )
        with self._autocast():
            result = self.network.reconstruct(small, priors)
            if self._first is not None and held is not None:
                with torch.no_grad():
                    made = self._first.reconstruct(small[: len(held)], held)
                target = torch.cat([made, target[len(held) :]])
        loss = weights.overall * coarse(result, target, cells)
        if weights.agreement:
            with self._autocast():
                others = draw_views(pairs.dark, self.options.recipe, draws)
                other = self.network.reconstruct(small, others.estimate(self.network.prior.look))
            loss = loss + weights.agreement * coarse(result, other, cells)
        return loss

    def _teach(self, frames: Tensor, dark: Tensor, part: Part) -> Tensor:
        """Return what the teacher makes of the part, from the view that is the paper's."""
        teacher = cast(GLADNet, self._teacher)
        height, width = frames.shape[2:]
        with torch.no_grad(), self._autocast():
            views = draw_views(frames, Recipe(), Draws(0, 0, self._device))
            priors = views.estimate(teacher.estimate)
            return cast(Tensor, teacher.detail(dark, priors, part.places(teacher, height, width)))

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(
            self._device.type,
            PRECISIONS[self.options.precision],
            enabled=self.options.precision != "fp32",
        )

    def _set_rate(self) -> float:
        options = self.options
        if options.schedule == "paper":
            factor = 0.96 ** (self.step // 100)
        else:
            warm = min(1.0, (self.step + 1) / WARM_UP)
            factor = warm * (0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2)
        rate = options.rate * factor
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        return rate


def _channels_last(network: GLADNet) -> GLADNet:
    """Keep the channels of a pixel together, which convolutions in 16 bits are fastest with."""
    return cast(GLADNet, network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _layout(network: GLADNet) -> dict[str, Any]:
    """Return what the shapes of the weights follow from."""
    facts = asdict(network.spec)
    names = ("prior_channels", "detail_widths", "unshuffle", "is_affine", "is_metered")
    return {name: facts[name] for name in names}


def _averaging(decay: float) -> Any:
    """Average with a decay that is low at first, so that the start is soon forgotten."""

    def average(old: Tensor, new: Tensor, count: Tensor) -> Tensor:
        now = torch.clamp((1 + count) / (10 + count), max=decay)
        return torch.lerp(new, old, now.to(old.dtype))

    return average


def _check(options: TrainingOptions, network: GLADNet) -> None:
    r = network.spec.unshuffle
    smallest = min(min(size) for size in options.frames)
    if options.crop % r or not 32 <= options.crop <= smallest:
        raise UsageError(f"--crop {options.crop}: a multiple of {r} from 32 to {smallest}")
    if not options.steps and not network.spec.is_metered:
        raise UsageError(
            f"--steps 0 fits a meter, and this network has none; --meter {METER_VIEWS} gives it one"
        )
    if options.steps < 0 or options.batch < 1:
        raise UsageError(f"--steps {options.steps} --batch {options.batch}: at least 1 each")
    if options.precision not in PRECISIONS:
        raise UsageError(f"--precision {options.precision}: one of {', '.join(PRECISIONS)}")
    if not 0 <= options.keep < 1:
        raise UsageError(f"--keep {options.keep}: from 0 to less than 1")
    if options.add not in (None, *ADDABLE):
        raise UsageError(f"--add {options.add}: one of {', '.join(ADDABLE)}")
    if options.add and options.batch < 2:
        raise UsageError(f"--add {options.add} --batch {options.batch}: at least 2 pairs a step")
    if options.freeze not in (None, "detail", "prior"):
        raise UsageError(f"--freeze {options.freeze}: one of detail, prior")
