"""The network on whole frames and parts of them, with the views that it meets when it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.models.gladnet import GLADNet, Indices
from streamlight.models.spec import PRIOR_SIZE
from streamlight.training.draws import Draws
from streamlight.training.recipes import Recipe

PHASE_STEPS = 16
"""As `streamlight.view`: a phase is a sixteenth of a cell."""

MANY = 4
"""Views whose priors are averaged, where several are. (At run time up to 16; the mean of four has
a quarter of the noise already, and costs a quarter.)"""


def nearest_view(frames: Tensor, row_phase: int, column_phase: int) -> Tensor:
    """Take views (B, 3, 96, 96) as `streamlight.view.sample_nearest` does, on the device."""
    rows = _indices(frames.shape[2], row_phase, frames.device)
    columns = _indices(frames.shape[3], column_phase, frames.device)
    return frames.index_select(2, rows).index_select(3, columns)


def area_view(frames: Tensor) -> Tensor:
    """Take views (B, 3, 96, 96) as `streamlight.view.sample_area` does, on the device."""
    down = _averaging(frames.shape[2], frames.device)
    right = _averaging(frames.shape[3], frames.device)
    return down @ frames @ right.T


@dataclass(frozen=True, slots=True)
class Views:
    """What the illumination network sees of some frames.

    Attributes:
        views: (N, 3, 96, 96), one or several of each frame.
        mixing: the share that each view's prior has in each frame's, (B, N).
    """

    views: Tensor
    mixing: Tensor

    def estimate(self, look: Callable[[Tensor], Tensor]) -> Tensor:
        """Estimate the priors (B, C, 96, 96) of the frames.

        Args:
            look: maps views (N, 3, 96, 96) to priors (N, C, 96, 96).
        """
        priors = look(self.views)
        if len(self.views) == len(self.mixing):
            return priors
        mixed = self.mixing.to(priors.dtype) @ priors.flatten(1)
        return mixed.view(len(self.mixing), *priors.shape[1:])


def draw_views(frames: Tensor, recipe: Recipe, draws: Draws) -> Views:
    """Take one of the recipe's views of each frame.

    Args:
        frames: (B, 3, H, W) in [0, 1].
        recipe: of the views.
        draws: which view each frame gets.
    """
    count = len(frames)
    total = recipe.nearest + recipe.area + recipe.many
    kind = draws.uniform(count, 0, total).flatten().tolist()
    views, owners, shares = [], [], []
    for number, value in enumerate(kind):
        frame = frames[number : number + 1]
        if value < recipe.area:
            taken = [area_view(frame)]
        else:
            times = MANY if value < recipe.area + recipe.many else 1
            taken = [nearest_view(frame, *_phase(draws)) for _ in range(times)]
        views += taken
        owners += [number] * len(taken)
        shares += [1 / len(taken)] * len(taken)
    mixing = torch.zeros(count, len(views), device=frames.device)
    mixing[owners, range(len(views))] = torch.tensor(shares, device=frames.device)
    return Views(torch.cat(views), mixing)


@dataclass(frozen=True, slots=True)
class Part:
    """A square of each frame, which the detail network sees as it is or enlarged.

    Enlarged, it is like a part of so much larger frames, where each cell of the prior covers more
    pixels than the network sees at once: it has to learn not to show the cells' edges.

    Attributes:
        top: first row of the square; a multiple of the model's `unshuffle`, like all sides.
        left: its first column.
        side: its side in the frames.
        zoom: how much larger the network sees it.
    """

    top: int
    left: int
    side: int
    zoom: int

    def take(self, frames: Tensor) -> Tensor:
        """Cut the square out of frames (B, 3, H, W) in [0, 1], and enlarge it."""
        bottom, right = self.top + self.side, self.left + self.side
        part = frames[:, :, self.top : bottom, self.left : right]
        if self.zoom == 1:
            return part
        return F.interpolate(part, scale_factor=float(self.zoom), mode="bicubic").clamp(0, 1)

    def places(self, network: GLADNet, height: int, width: int) -> Indices:
        """Which rows and columns of the prior it takes, of frames (height, width) enlarged."""
        r, device = network.spec.unshuffle, next(network.parameters()).device
        rows = network.detail.index(height * self.zoom // r, device)
        columns = network.detail.index(width * self.zoom // r, device)
        top, left, side = (x * self.zoom // r for x in (self.top, self.left, self.side))
        return rows[top : top + side], columns[left : left + side]


def draw_part(
    draws: Draws, height: int, width: int, crop: int, zooms: Sequence[int], r: int
) -> Part:
    """Draw a part of frames (height, width) that the network sees with sides of at most `crop`."""
    zoom = zooms[draws.integer(0, len(zooms) - 1)]
    side = crop // (zoom * r) * r
    top = draws.integer(0, (height - side) // r) * r
    left = draws.integer(0, (width - side) // r) * r
    return Part(top, left, side, zoom)


def regrain(part: Tensor, draws: Draws) -> Tensor:
    """Add noise of 0 to 2.5 levels, in 8 bits: enlarging has made that of the camera smooth."""
    levels = draws.uniform(len(part), 0, 2.5)
    noisy = part * 255 + draws.noise_like(part) * levels
    return noisy.round().clamp(0, 255) / 255


def _phase(draws: Draws) -> tuple[int, int]:
    return draws.integer(0, PHASE_STEPS - 1), draws.integer(0, PHASE_STEPS - 1)


def _indices(size: int, phase: int, device: torch.device) -> Tensor:
    steps = torch.arange(PRIOR_SIZE, device=device) * PHASE_STEPS + phase
    return steps * size // (PRIOR_SIZE * PHASE_STEPS)


def _averaging(size: int, device: torch.device) -> Tensor:
    """Matrix (96, size) that averages the pixels of each cell."""
    starts = _indices(size, 0, device)
    ends = torch.cat([starts[1:], torch.tensor([size], device=device)])
    ends = torch.maximum(ends, starts + 1)
    places = torch.arange(size, device=device)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    return inside / inside.sum(dim=1, keepdim=True)
