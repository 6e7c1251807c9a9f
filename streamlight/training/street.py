"""Streets at night: many lamps and signs, their pools of light, dark ground between them.

Sizes and places are in heights of the picture, or in parts of it where that is said. Light is
linear, 1 is white.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.training.draws import Draws
from streamlight.training.recipes import Range

COLORS = (
    (1.0, 1.0, 1.0),
    (1.0, 0.85, 0.6),
    (1.0, 0.6, 0.2),  # sodium
    (0.75, 0.9, 1.0),
    (1.0, 0.1, 0.05),  # tail lights
    (0.1, 1.0, 0.4),
    (0.15, 0.25, 1.0),
)
"""Light of what is lit at night: lamps, headlights, tail lights, signals, signs."""

MOST_LAMPS = 96
"""Lamps in one street."""

COARSE = 4
"""Pools and scattered light are smooth, and drawn with so many times fewer rows and columns."""


@dataclass(frozen=True, slots=True)
class Lamps:
    """Lamps of B streets, N each; one that is out has no power.

    Attributes:
        down: parts of the height from the top, (B, N).
        right: parts of the width from the left, (B, N).
        color: RGB, (B, N, 3).
        power: light of the lamp, (B, N).
        size: half of its height, of a square one, (B, N).
        aspect: width by height, (B, N).
        radius: of its pool, (B, N).
        lit: light of the middle of its pool, 1 at most, (B, N).
    """

    down: Tensor
    right: Tensor
    color: Tensor
    power: Tensor
    size: Tensor
    aspect: Tensor
    radius: Tensor
    lit: Tensor


def draw_lamps(draws: Draws, horizon: Tensor) -> Lamps:
    """Draw the lamps of streets: 8 to 96, the fewer the likelier; a third have a pool.

    Args:
        draws: of this step.
        horizon: below which most of them are, in parts of the height, (B, 1, 1, 1).
    """
    streets = len(horizon)
    count, shape = streets * MOST_LAMPS, (streets, MOST_LAMPS)
    down = horizon.view(streets, 1) - 0.1 + draws.uniform(count, 0, 0.7).view(shape)
    right = draws.uniform(count, -0.05, 1.05).view(shape)
    many = draws.log_uniform(streets, 8, MOST_LAMPS + 1).view(streets, 1)
    is_lit = torch.arange(MOST_LAMPS, device=draws.device) < many
    color = torch.tensor(COLORS, device=draws.device)
    color = color[draws.uniform(count, 0, len(COLORS)).long().view(shape)]
    size = draws.log_uniform(count, 0.002, 0.03).view(shape)
    aspect = draws.log_uniform(count, 0.4, 2.5).view(shape)
    power = draws.log_uniform(count, 0.3, 8).view(shape) * is_lit
    radius = draws.log_uniform(count, 0.02, 0.25).view(shape)
    lit = draws.log_uniform(count, 0.2, 1).view(shape) * is_lit
    lit = lit * draws.chance(count, 0.3).view(shape)
    return Lamps(down, right, color, power, size, aspect, radius, lit)


def discs(lamps: Lamps, height: int, width: int) -> Tensor:
    """Draw the lamps themselves, as rounded rectangles with a soft edge: light (B, 3, H, W)."""
    aspect = lamps.aspect.sqrt()
    rows = _distances(height, 1, lamps.down) * (aspect / lamps.size)[:, :, None]
    columns = _distances(width, width / height, lamps.right)
    columns = columns / (aspect * lamps.size)[:, :, None]
    power = lamps.power[:, :, None] * lamps.color
    shapes = torch.exp(-(rows**4)), torch.exp(-(columns**4))
    return torch.einsum("bnh,bnw,bnc->bchw", *shapes, power)


def pools_and_veil(
    lamps: Lamps, scattered: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Draw what the lamps light, and their light that is scattered in the lens.

    Pools are those of `light.lamps`, without the colour of their lamp, for the target has none
    (docs/training.md, "Night streets"). Scattered light falls with the square of the distance, as
    the glare in an eye does by the formula of Stiles and Holladay.

    Args:
        lamps: of the streets.
        scattered: share of each lamp's light close to it, (B, 1, 1, 1).
        height: of the picture.
        width: likewise.

    Returns:
        Light on the ground, 1 at most, (B, 1, H, W), and light in the lens, (B, 3, H, W).
    """
    rows = _distances(height // COARSE, 1, lamps.down)[:, :, :, None]
    columns = _distances(width // COARSE, width / height, lamps.right)[:, :, None, :]
    squared = rows**2 + columns**2  # (B, N, H / 4, W / 4)
    pools = 1 / (1 + squared / lamps.radius[:, :, None, None] ** 2) ** 2
    lit = torch.einsum("bnhw,bn->bhw", pools, lamps.lit).clamp_max(1)[:, None]
    halos = scattered / (1 + squared / (4 * lamps.size[:, :, None, None]) ** 2)
    veil = torch.einsum("bnhw,bnc->bchw", halos, lamps.power[:, :, None] * lamps.color)
    smooth = F.interpolate(
        torch.cat([lit, veil], dim=1), (height, width), mode="bilinear", align_corners=False
    )
    return smooth[:, :1], smooth[:, 1:]


def draw_street(
    draws: Draws, count: int, height: int, width: int, ground_ev: Range, pools_ev: Range
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw `count` streets.

    Other than under `light.draw_uneven_light` the pools are exposed right or too long, the lamps
    are coloured, and the sky may be black, which no lamp changes.

    Args:
        draws: of this step.
        count: of the streets.
        height: of the picture.
        width: likewise.
        ground_ev: exposure of the ground between the pools.
        pools_ev: exposure of the brightest pools.

    Returns:
        What the scene is multiplied by, (B, 1, H, W); what is added, (B, 3, H, W); and what the
        sky leaves of the evenly lit scene, (B, 1, H, 1).
    """
    horizon = draws.uniform(count, 0.1, 0.5)
    lamps = draw_lamps(draws, horizon)
    lit, veil = pools_and_veil(lamps, draws.log_uniform(count, 1e-4, 1e-2), height, width)
    rows = ((torch.arange(height, device=draws.device) + 0.5) / height).view(1, 1, height, 1)
    sky = torch.sigmoid((rows - horizon) / draws.log_uniform(count, 0.01, 0.2))
    sky = sky.masked_fill(~draws.chance(count, 0.75), 1)
    ground = torch.exp2(draws.uniform(count, *ground_ev))
    pools = torch.exp2(draws.uniform(count, *pools_ev))
    return (ground + pools * lit) * sky, discs(lamps, height, width) + veil, sky


def _distances(length: int, span: float, places: Tensor) -> Tensor:
    """Distances (B, N, length) of rows or columns from lamps at places, parts of the span."""
    at = (torch.arange(length, device=places.device) + 0.5) / length
    return (at - places[:, :, None]) * span
