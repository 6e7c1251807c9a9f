"""The meter of a network, fitted to what the network makes of many views.

Only the brightness of the results is looked at, so views of 96x96 pixels do for pictures, and the
fit takes seconds once the network has seen them. It belongs to the weights of the network that it
was fitted to: whoever trains those on fits it anew.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.errors import ModelError
from streamlight.models.gladnet import GLADNet
from streamlight.models.meter import Meter, observed
from streamlight.models.spec import PRIOR_SIZE
from streamlight.models.srgb import luminance, to_light
from streamlight.training.draws import Draws
from streamlight.training.options import METER_VIEWS
from streamlight.training.photographs import Photographs, smaller, take_frames
from streamlight.training.recipes import Recipe
from streamlight.training.synthesis import synthesise

_BATCH = 16
_EPOCHS = 60
_FIT_BATCH = 256
_RATE = 3e-3
_WEIGHT_DECAY = 0.1
_DROPOUT = 0.2
_HIGHLIGHTS = 0.8
"""Chance of highlights, evenly from none to the most, in photographs that clip nothing: their
brightest place then tells little of how bright all is, as in real dark scenes (docs/training.md).
"""

_LEAST_SHARE = 0.5
"""Of the results that must be less far off than this; of the shipped networks' 0.99 are."""

_MOST_STOPS = 2.0
"""Results that are further off say little: the scene was lit unevenly, or all was black."""


def fit_meter(
    network: GLADNet,
    photographs: Photographs,
    recipe: Recipe,
    seed: int,
    *,
    views: int = METER_VIEWS,
    stop: threading.Event | None = None,
    on_view: Callable[[int, int], None] = lambda done, total: None,
) -> bool:
    """Fit the meter of a metered network, in place.

    Args:
        network: its specification has `is_metered`.
        photographs: well exposed.
        recipe: of the pairs. Photographs that clip stay flat in it, whatever it says, and if others
            get `highlights` at all, then more of them, and larger ones: `_HIGHLIGHTS`.
        seed: of everything random.
        views: how many are looked at.
        stop: leaves the meter as it was when it is set.
        on_view: called with how many of how many views are done.

    Returns:
        Whether it is fitted; false when it was stopped.

    Raises:
        ValueError: the network has no meter.
        ModelError: most results are too far off; the meter is as it was.
    """
    meter = network.prior.meter
    if meter is None:
        raise ValueError(f"{network.spec.name} has no meter")
    device = next(network.parameters()).device
    network.eval()
    recipe = replace(recipe, flat_stays=True, street=0.0)  # white lamps shut the gates
    if recipe.highlights:
        recipe = replace(recipe, highlights=_HIGHLIGHTS, highlights_power=1.0)
    seen: list[Tensor] = []
    errors: list[Tensor] = []
    for step in range(-(-views // _BATCH)):
        if stop is not None and stop.is_set():
            return False
        draws = Draws(seed, step, device)
        pictures = [smaller(p, 128) for p in photographs.batch(seed, step, _BATCH)]
        frames = take_frames(pictures, PRIOR_SIZE, PRIOR_SIZE, draws)
        pairs = synthesise(frames, recipe, draws)
        with torch.inference_mode():
            prior = network.prior.look(pairs.dark)
            dark, target = pairs.dark, pairs.target
            if network.spec.unshuffle == 1:  # every second pixel tells the brightness as well
                dark, target = dark[:, :, ::2, ::2], target[:, :, ::2, ::2]
            result = network.detail(dark, prior)
            seen.append(observed(pairs.dark, prior))
            errors.append(_stops(result) - _stops(target))
        on_view(min(views, (step + 1) * _BATCH), views)
    _fit(meter, torch.cat(seen).clone(), torch.cat(errors).clone(), seed)
    return True


def _stops(picture: Tensor) -> Tensor:
    """Mean light of pictures (B, 3, H, W), sRGB, in stops from white."""
    return torch.log2(luminance(to_light(picture)).mean(dim=(1, 2, 3)) + 1e-5)


def _fit(meter: Meter, seen: Tensor, errors: Tensor, seed: int) -> None:
    """Fit by the smooth L1 loss (Huber's), which single pictures that are far off do not draw."""
    kept = errors.abs() < _MOST_STOPS
    if (count := int(kept.sum())) < _LEAST_SHARE * len(errors):
        raise ModelError(
            f"the meter is not fitted: of {len(errors)} results {count} are less than "
            f"{_MOST_STOPS:g} stops too bright or too dark"
        )
    meter.layers.requires_grad_(True)
    with torch.no_grad():
        meter.centre.copy_(seen.mean(dim=0))
        meter.scale.copy_(1 / seen.std(dim=0).clamp_min(1e-3))
    x = meter.normalised(seen)[kept]
    y = errors[kept]
    devices = [x.device] if x.is_cuda else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for layer in meter.layers:
            cast(nn.Linear, layer).reset_parameters()
        optimiser = torch.optim.AdamW(meter.layers.parameters(), weight_decay=_WEIGHT_DECAY)
        steps = max(2, _EPOCHS * len(x) // _FIT_BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
        for _ in range(steps):
            chosen = torch.randint(len(x), (_FIT_BATCH,), device=x.device)
            hidden = F.dropout(meter.first(x[chosen]), _DROPOUT)
            loss = F.smooth_l1_loss(meter.rest(hidden)[:, 0], y[chosen], beta=0.3)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
