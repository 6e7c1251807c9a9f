"""How to train, as data: what a run consists of, and the two presets."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streamlight.errors import UsageError
from streamlight.training.recipes import DEFAULT, PAPER, STEPS, Recipe

FRAMES = ((288, 384), (384, 288), (320, 320), (256, 384), (384, 256))
"""Heights and widths of the whole frames, one of them a step; multiples of 16."""


SEEDS = 2**32
"""So many there are: PyTorch's generator on the CPU takes 32 bits."""

METER_VIEWS = 12_000
LEAST_METER_VIEWS = 256


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the terms beside the paper's; see `streamlight.training.losses`.

    Attributes:
        coarse: of the same loss on means of 8x8 and 32x32 pixels: exposure and colour, which
            noise and edges hide in the fine one.
        structure: of 1 - SSIM.
        overall: of the loss on the whole frame, made small, by means of a 12th and of a third of
            its sides: the prior is of the whole frame, and a part shows little of it.
        agreement: of the difference of such means between what is made of a frame with one view
            of it and with another: what makes a still scene flicker.
    """

    coarse: float = 0.0
    structure: float = 0.0
    overall: float = 0.0
    agreement: float = 0.0

    def without(self, *terms: str) -> "LossWeights":
        """Leave terms out, for an ablation."""
        return replace(self, **dict.fromkeys(terms, 0.0))


LOSS_TERMS = tuple(term.name for term in fields(LossWeights))
"""What `LossWeights.without` takes."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    Attributes:
        steps: of the whole run.
        batch: pairs a step.
        crop: side of the square of each frame that the detail network sees.
        zooms: how much larger than in the frame it sees that square, one of them a step; powers
            of 2.
        frames: sizes of the whole frames.
        recipe: of the pairs.
        loss: weights of its terms.
        schedule: "cosine" with a warm-up, or "paper": 0.96 times per 100 steps.
        rate: highest learning rate.
        weight_decay: of AdamW; 0 is Adam.
        ema: decay of the averaged weights; 0 keeps no average.
        clip_norm: of the gradient; 0 for none.
        keep: share of the weights that the run began with in those that it gives. M. Wortsman et
            al., "Robust fine-tuning of zero-shot models" (CVPR 2022): the mean of both is often
            better than either (docs/models.md).
        freeze: "detail" or "prior", which stays as it is; None trains both.
        teach: share of the loss that is taken against the teacher's result, if there is one.
        precision: of the networks: fp32, bf16 or fp16.
        add: "street" or "uneven", a kind of light to learn without forgetting the rest: half of
            the pairs are of it, and in the others the target is what the weights that the run
            began with make of the dark picture. Z. Li, D. Hoiem, "Learning without forgetting"
            (ECCV 2016).
        seed: of everything random.
        meter: views that the meter is fitted to when the training is over, where the network has
            one (`streamlight.training.metering`); 0 for a network without.
        minutes: of training after which it ends, learning rate and all, if the steps are not
            done before. Such a run depends on the machine's speed.
    """

    steps: int = 20_000
    batch: int = 8
    crop: int = 192
    zooms: tuple[int, ...] = (1, 1, 2, 4)
    frames: tuple[tuple[int, int], ...] = FRAMES
    recipe: Recipe = DEFAULT
    loss: LossWeights = field(default_factory=lambda: LossWeights(0.5, 0.3, 0.5, 0.5))
    schedule: str = "cosine"
    rate: float = 5e-4
    weight_decay: float = 1e-4
    ema: float = 0.999
    clip_norm: float = 1.0
    keep: float = 0.0
    freeze: str | None = None
    teach: float = 0.5
    precision: str = "fp32"
    add: str | None = None
    seed: int = 0
    meter: int = METER_VIEWS
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that nothing can be trained with, before anything is read.

        Raises:
            UsageError: `rate`, `minutes`, `seed` or `meter` is such a one.
        """
        if not 0 < self.rate < math.inf:
            raise UsageError(f"--rate {self.rate:g}: more than 0, such as 5e-4")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UsageError(f"--minutes {self.minutes:g}: more than 0")
        if not 0 <= self.seed < SEEDS:
            raise UsageError(f"--seed {self.seed}: from 0 to {SEEDS - 1}")
        if self.meter != 0 and self.meter < LEAST_METER_VIEWS:
            raise UsageError(f"--meter {self.meter}: 0, or at least {LEAST_METER_VIEWS}")

    def without(self, *names: str) -> "TrainingOptions":
        """Leave out steps of the recipe, terms of the loss and other departures from the paper.

        For an ablation; the others are `OTHER_DEPARTURES`.

        Raises:
            UsageError: there is none of that name.
        """
        known = (*STEPS, *LOSS_TERMS, *OTHER_DEPARTURES)
        for name in names:
            if name not in known:
                raise UsageError(f"--without {name}: choose among {', '.join(known)}")
        return replace(
            self,
            recipe=self.recipe.without(*(name for name in names if name in STEPS)),
            loss=self.loss.without(*(name for name in names if name in LOSS_TERMS)),
            **{name: OTHER_DEPARTURES[name] for name in names if name in OTHER_DEPARTURES},
        )


OTHER_DEPARTURES: dict[str, Any] = {
    "zooms": (1,),
    "schedule": "paper",
    "weight_decay": 0.0,
    "ema": 0.0,
    "clip_norm": 0.0,
}
"""What the paper does not have or has otherwise, and its value there."""

PRESETS = {
    "default": TrainingOptions(),
    "paper": TrainingOptions(
        recipe=PAPER, loss=LossWeights(), rate=1e-3, meter=0, **OTHER_DEPARTURES
    ),
}
"""What works best here, and what the paper says (its section III)."""
