"""What the tests of the training share: a tiny network, photographs, options."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

from streamlight.frame import Image
from streamlight.models.spec import ModelSpec
from streamlight.training.draws import Draws
from streamlight.training.options import LossWeights, TrainingOptions
from streamlight.training.photographs import Photographs
from streamlight.training.start import he_initialised
from streamlight.training.trainer import Trainer

CPU = torch.device("cpu")
TINY = ModelSpec("tiny", 8, (8,), 2, 8_972, "", "for tests")
OPTIONS = TrainingOptions(
    steps=20,
    batch=2,
    crop=32,
    frames=((96, 112), (112, 96)),
    loss=LossWeights(coarse=0.5, structure=0.1, overall=0.5, agreement=0.5),
)


def photograph(number: int, height: int = 128, width: int = 160) -> Image:
    """Draw a smooth colourful picture (H, W, 3)."""
    rng = np.random.default_rng(number)
    rows = np.linspace(0, 3, height)[:, None, None]
    columns = np.linspace(0, 4, width)[None, :, None]
    waves = np.sin(rows * rng.uniform(1, 3, 3) + columns * rng.uniform(1, 3, 3) + rng.random(3) * 6)
    return np.asarray((0.5 + 0.4 * waves) * 255, np.uint8)


def write_photographs(folder: Path, count: int = 5) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Pillow.fromarray(photograph(number)).save(path)
    return paths


def new_trainer(
    photographs: Photographs, options: TrainingOptions = OPTIONS, teacher: bool = False
) -> Trainer:
    taught_by = he_initialised(TINY, 7) if teacher else None
    return Trainer(he_initialised(TINY, 1), photographs, options, CPU, taught_by)


def draws(step: int = 0) -> Draws:
    return Draws(0, step, CPU)


def codes(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))
