"""Light of a scene: exposure, lamps and light that falls off.

Pictures are RGB (B, 3, H, W). Codes are sRGB in [0, 1]; light is linear, 1 is white, and may
exceed it.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from streamlight.models.srgb import to_light
from streamlight.training.draws import Draws


@lru_cache(maxsize=4)
def _light_of_bytes(device: torch.device) -> Tensor:
    return to_light(torch.arange(256, dtype=torch.float32, device=device) / 255)


def bytes_to_light(picture: Tensor) -> Tensor:
    """Undo the sRGB curve of uint8 pictures, by a table."""
    table = _light_of_bytes(picture.device)
    return table.index_select(0, picture.flatten().int()).view(picture.shape)


def unclip(scene: Tensor, stops: Tensor, knee: Tensor) -> Tensor:
    """Give back to bright places the light that the photograph clipped or compressed.

    How much is not in the photograph, so bright places get up to `stops` more, by a curve of the
    light alone. (What depends on the neighbourhood as well teaches the network to undo it, and
    so to draw halos: docs/training.md.)

    Args:
        scene: light of the photograph, at most 1.
        stops: what white gets, (B, 1, 1, 1).
        knee: light from which on a place is bright, below 1, (B, 1, 1, 1).
    """
    brightest = scene.amax(dim=1, keepdim=True)
    share = ((brightest - knee) / (1 - knee)).clamp(0, 1)
    share = share**2 * (3 - 2 * share)  # no edge where it begins
    return scene * torch.exp2(stops * share)


def is_flat(scene: Tensor) -> Tensor:
    """Whether scenes (B, 3, H, W) clip: (B, 1, 1, 1) of bool.

    They do where more than 0.2 % of the pixels are within 5 % of the brightest place, the quantile
    .9995 of the pixels' largest channel.
    """
    brightest = scene.amax(dim=1).flatten(1)
    top = brightest.quantile(0.9995, dim=1, keepdim=True)
    return ((brightest >= 0.95 * top).float().mean(dim=1) > 0.002).view(-1, 1, 1, 1)


def deepen(scene: Tensor, exponent: Tensor) -> Tensor:
    """Undo the lift that photographs for show were given: light to a power above 1.

    Cameras expose for a mean of 18 % (ISO 2720), 2.5 stops below white; collections of
    photographs are brighter. White and black stay.
    """
    return scene.clamp_min(1e-7) ** exponent


def falling_off(height: int, width: int, stops: Tensor, direction: Tensor) -> Tensor:
    """Light that falls off across the picture, as far from a window.

    Args:
        height: of the picture.
        width: likewise.
        stops: from the brightest to the darkest corner, (B, 1, 1, 1).
        direction: in which it falls off, in radians, (B, 1, 1, 1).

    Returns:
        What the scene is multiplied by, (B, 1, H, W), at most 1.
    """
    rows = torch.linspace(-1, 1, height, device=stops.device).view(1, 1, height, 1)
    columns = torch.linspace(-1, 1, width, device=stops.device).view(1, 1, 1, width)
    down, right = torch.sin(direction), torch.cos(direction)
    span = down.abs() + right.abs()
    place = (rows * down + columns * right) / (2 * span) + 0.5  # 0 at one corner, 1 at the other
    return torch.exp2(-stops * place)


def lamps(
    height: int, width: int, centres: Tensor, radius: Tensor, stops: Tensor, is_lit: Tensor
) -> Tensor:
    """Light of lamps over a dark ground, by the fourth power of a cosine.

    A flat lamp at height h above a plane lights it by (h^2 / (h^2 + d^2))^2 at distance d: the
    inverse square of the distance in space, and a cosine each of the lamp and of the plane. That
    is the pool of light of a street lamp.

    Args:
        height: of the picture.
        width: likewise.
        centres: of the lamps, (B, N, 2), down and right in [0, 1].
        radius: of each pool in parts of the picture's height, (B, N).
        stops: from the pools' middle down to the ground far from them, (B, 1, 1, 1).
        is_lit: which lamps there are, (B, N) of 0 and 1.

    Returns:
        What the scene is multiplied by, (B, 1, H, W); 1 in the middle of a pool.
    """
    device = stops.device
    rows = ((torch.arange(height, device=device) + 0.5) / height).view(1, 1, height, 1)
    columns = ((torch.arange(width, device=device) + 0.5) / width).view(1, 1, 1, width)
    down = rows - centres[:, :, 0, None, None]  # (B, N, H, 1)
    right = (columns - centres[:, :, 1, None, None]) * (width / height)
    squared = radius[:, :, None, None] ** 2
    pools = is_lit[:, :, None, None] * squared / (squared + down**2 + right**2)
    pool = pools.amax(dim=1, keepdim=True)
    ground = torch.exp2(-stops)
    return ground + (1 - ground) * pool**2


def glow(
    height: int, width: int, centres: Tensor, radius: Tensor, is_seen: Tensor, power: Tensor
) -> Tensor:
    """Light that the lamps themselves send into the camera: small discs with a soft edge.

    Args:
        height: of the picture.
        width: likewise.
        centres: (B, N, 2), as of `lamps`.
        radius: of the discs in parts of the picture's height, (B, N).
        is_seen: which lamps are in the picture, (B, N) of 0 and 1.
        power: their light, in units of white, (B, 1, 1, 1).

    Returns:
        What is added to the scene, (B, 1, H, W).
    """
    device = centres.device
    rows = ((torch.arange(height, device=device) + 0.5) / height).view(1, 1, height, 1)
    columns = ((torch.arange(width, device=device) + 0.5) / width).view(1, 1, 1, width)
    down = rows - centres[:, :, 0, None, None]
    right = (columns - centres[:, :, 1, None, None]) * (width / height)
    distance = (down**2 + right**2) / radius[:, :, None, None] ** 2
    disc = torch.exp(-(distance**2)) * is_seen[:, :, None, None]
    return power * disc.amax(dim=1, keepdim=True)


def draw_uneven_light(
    draws: Draws, count: int, height: int, width: int, stops: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Draw light of lamps, or falling off, for `count` pictures.

    Returns:
        What the scene is multiplied by and what is added, each (B, 1, H, W).
    """
    most = 4
    depth = draws.uniform(count, *stops)
    fall = falling_off(height, width, depth, draws.uniform(count, 0, 2 * math.pi))
    centres = draws.uniform(count * most * 2, -0.1, 1.1).view(count, most, 2)
    radius = draws.log_uniform(count * most, 0.15, 0.8).view(count, most)
    is_lit = draws.chance(count * most, 0.5).view(count, most).float()
    is_lit[:, 0] = 1
    pools = lamps(height, width, centres, radius, depth, is_lit)
    has_lamps = draws.chance(count, 0.6)
    is_seen = is_lit * draws.chance(count * most, 0.5).view(count, most)
    discs = draws.log_uniform(count * most, 0.008, 0.05).view(count, most)
    power = draws.log_uniform(count, 1, 8) * has_lamps
    seen = glow(height, width, centres, discs, is_seen, power)
    return torch.where(has_lamps, pools, fall), seen
