"""The network on whole frames and parts of them, with the views that it meets when it runs."""

import torch
from torch import Tensor

from streamlight.models.gladnet import GLADNet
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


def estimate(network: GLADNet, frames: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Estimate the priors (B, C, 96, 96) of frames, each from one of the recipe's views."""
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
    priors = network.estimate(torch.cat(views))
    if len(views) == count:
        return priors
    mixing = torch.zeros(count, len(views), device=frames.device)
    mixing[owners, range(len(views))] = torch.tensor(shares, device=frames.device)
    return (mixing.to(priors.dtype) @ priors.flatten(1)).view(count, *priors.shape[1:])


def reconstruct_part(
    network: GLADNet, frames: Tensor, priors: Tensor, top: int, left: int, side: int
) -> Tensor:
    """Enhance a square of each frame with the priors of the whole frames, as a tile is.

    Args:
        network: to run.
        frames: whole, (B, 3, H, W).
        priors: of `frames`, (B, C, 96, 96).
        top: first row of the square; a multiple of the model's `unshuffle`, like all sides.
        left: its first column.
        side: its side.
    """
    r = network.spec.unshuffle
    rows = network.detail.index(frames.shape[2] // r, frames.device)
    columns = network.detail.index(frames.shape[3] // r, frames.device)
    at = (
        rows[top // r : (top + side) // r],
        columns[left // r : (left + side) // r],
    )
    part = frames[:, :, top : top + side, left : left + side]
    result: Tensor = network.detail(part, priors, at)
    return result


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
