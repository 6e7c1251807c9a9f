"""By how much the illumination network's answer to a view is too bright: the meter.

A well-exposed photograph clips some places. Darkened they stay flat, so that a flat brightest place
tells how bright all was meant; the convolutions of the illumination network do not learn to see it
(docs/training.md, "Flat places"). The meter counts pixels instead.
"""

import math
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.models.srgb import luminance, to_codes, to_light

LEVELS = 32
RELATIVE_STOPS = 10.0
ABSOLUTE_STOPS = 12.0
BRIGHTEST = 5
"""The so many brightest pixel is the brightest place; single ones may be noise."""

PATCHES = 4
FEATURES = 3 * LEVELS - 1 + 1 + 1 + PATCHES**2 + 1 + 3
"""Of the view; those of the prior, one a channel, come to them."""

HIDDEN = 128

WHITE_STOPS = (-0.2, -1.0)
"""Brightest places from which on nothing, and all, is corrected. What is white is no darkened
photograph: one that is exposed right, or a lamp in the night."""

DARK_STOPS = (-5.5, -4.5)
"""Likewise. In 8 bits, 15 % of so dark a place are three codes, and what is rounded looks flat."""

SPOT_SHARES = (0.004, 0.008)
"""Likewise: of all pixels, how many are within 15 % of the brightest place; fewer are a spot."""

FLAT_SHARES = (0.2, 0.4)
"""Likewise: of the pixels within a stop of the brightest place, how many are within 15 % of it. A
smooth hill (Gaussian) has 0.23, whatever its size; what was clipped has more."""

_LEAST = 2.0**-13


class Meter(nn.Module):
    """A small network on counts of a view's pixels and on the means of its prior."""

    def __init__(self, prior_channels: int) -> None:
        """Build the layers, which say 0 until they are trained."""
        super().__init__()
        features = FEATURES + prior_channels
        self.centre = nn.Parameter(torch.zeros(features), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(features), requires_grad=False)
        widths = (features, HIDDEN, HIDDEN, 1)
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.reset()

    def reset(self) -> None:
        """Let it say 0, as before it was fitted."""
        for values in self.layers[-1].parameters():
            nn.init.zeros_(values)

    @property
    def is_fitted(self) -> bool:
        """Whether it says anything."""
        return any(bool(values.any()) for values in self.layers[-1].parameters())

    def forward(self, view: Tensor, prior: Tensor) -> Tensor:
        """Map view (B, 3, 96, 96) in [0, 1] and its prior (B, C, 96, 96) to stops (B, 1, 1, 1).

        Returns:
            How much brighter the view is to be made, in stops, so that the result is right; 0
            where the brightest place of the view is white, too dark to tell, a spot, or not flat.
        """
        light = to_light(view)
        brightest, top = _brightest(light)
        seen = _seen(light, brightest, top, prior)
        stops = self.rest(self.first(self.normalised(seen)))
        return (stops * _gate(brightest, top)).view(-1, 1, 1, 1)

    def normalised(self, seen: Tensor) -> Tensor:
        """Shift and scale what `observed` gives as when the meter was fitted."""
        return ((seen - self.centre) * self.scale).clamp(-6, 6)

    def first(self, x: Tensor) -> Tensor:
        """Compute the first hidden layer."""
        return torch.relu(self.layers[0](x))

    def rest(self, x: Tensor) -> Tensor:
        """Compute the stops (B, 1) from the first hidden layer."""
        return cast(Tensor, self.layers[2](torch.relu(self.layers[1](x))))


def observed(view: Tensor, prior: Tensor) -> Tensor:
    """Count the pixels of view (B, 3, 96, 96), and take the means of prior (B, C, 96, 96)."""
    light = to_light(view)
    return _seen(light, *_brightest(light), prior)


def exposed(view: Tensor, stops: Tensor) -> Tensor:
    """Expose view (B, 3, 96, 96), sRGB in [0, 1], by stops (B, 1, 1, 1) more; clipped to [0, 1]."""
    factor = torch.exp(stops * math.log(2))  # Torch-TensorRT converts no exp2
    return to_codes(to_light(view) * factor)


def _brightest(light: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest channel of each pixel (B, N), and of the brightest place (B, 1)."""
    brightest = light.amax(dim=1).flatten(1)
    top = brightest.topk(BRIGHTEST, dim=1).values[:, -1:]
    return brightest, top.clamp_min(_LEAST)


def _gate(brightest: Tensor, top: Tensor) -> Tensor:
    """Return how far views are to be corrected, (B, 1) from 0 to 1; see `_brightest`."""
    stops = torch.log2(top)
    near, around = ((brightest >= part * top).to(top.dtype).mean(1, True) for part in (0.85, 0.5))
    flat = near / around.clamp_min(1 / brightest.shape[1])
    return (
        _ramp(stops, *WHITE_STOPS)
        * _ramp(stops, *DARK_STOPS)
        * _ramp(near, *SPOT_SHARES)
        * _ramp(flat, *FLAT_SHARES)
    )


def _seen(light: Tensor, brightest: Tensor, top: Tensor, prior: Tensor) -> Tensor:
    """Return what is counted of light (B, 3, 96, 96), and the means of its prior."""
    steps = torch.linspace(0, 1, LEVELS + 1, device=light.device)
    relative = _shares(
        torch.log2((brightest / top).clamp_min(2.0**-11)), -RELATIVE_STOPS * steps**2
    )
    absolute = _shares(torch.log2(brightest.clamp_min(_LEAST)), -ABSOLUTE_STOPS * steps)
    luma = luminance(light)
    mean = luma.mean(dim=(2, 3)).clamp_min(_LEAST)
    patches = F.avg_pool2d(luma, light.shape[2] // PATCHES).flatten(1).clamp_min(_LEAST)
    rows = brightest.view(-1, *light.shape[2:])
    step = (rows[:, 1:] - rows[:, :-1]).abs().mean(dim=(1, 2))[:, None]
    step = step / brightest.mean(dim=1, keepdim=True).clamp_min(1e-4)
    color = light.mean(dim=(2, 3))
    color = color / color.mean(dim=1, keepdim=True).clamp_min(1e-5)
    return torch.cat(
        [
            relative,
            absolute,
            relative[:, 1:] - relative[:, :-1],
            torch.log2(top),
            torch.log2(mean),
            torch.log2(patches) - torch.log2(mean),
            torch.log2(step.clamp_min(2.0**-10)),
            torch.log2(color + 0.01),
            prior.mean(dim=(2, 3)),
        ],
        dim=1,
    )


def _shares(stops: Tensor, levels: Tensor) -> Tensor:
    """Shares (B, LEVELS) of stops (B, N) above each of falling levels (LEVELS + 1,), by ramps."""
    upper, lower = levels[:-1], levels[1:]
    return ((stops[:, :, None] - lower) / (upper - lower)).clamp(0, 1).mean(dim=1)


def _ramp(x: Tensor, none: float, all_: float) -> Tensor:
    return ((x - none) / (all_ - none)).clamp(0, 1)
