"""Pairs of a dark picture and its target, made from well-exposed photographs.

The order is that of nature: the scene's light, the lamps, the exposure, the sensor, the camera's
processing, the coding.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from streamlight.models.srgb import to_codes
from streamlight.training import camera, light
from streamlight.training.draws import Draws
from streamlight.training.jpeg import jpeg
from streamlight.training.recipes import ADDABLE, Recipe
from streamlight.training.street import draw_street
from streamlight.training.video_coding import h264

GREY_BT601 = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures of one size, RGB (B, 3, H, W) in [0, 1].

    Attributes:
        dark: what the network gets.
        target: what it should make of it.
    """

    dark: Tensor
    target: Tensor


def synthesise(photographs: Tensor, recipe: Recipe, draws: Draws) -> Pairs:
    """Make pairs.

    Args:
        photographs: well exposed, uint8 (B, 3, H, W) sRGB, both sides multiples of 16, on the
            device of `draws`.
        recipe: what is done, how often and how much.
        draws: of this step.
    """
    count = len(photographs)
    is_identity = draws.chance(count, recipe.identity)
    scene = light.bytes_to_light(photographs)
    is_flat = light.is_flat(scene) if recipe.flat_stays else torch.zeros_like(is_identity)
    scene = light.deepen(scene, draws.uniform(count, *recipe.deepen))
    exposure = draws.uniform(count, *recipe.exposure_ev).masked_fill(is_identity, 0)
    mean = scene.mean(dim=(1, 2, 3), keepdim=True)
    is_night = torch.log2(mean + 1e-6) + exposure < recipe.black_night_ev
    is_longer = draws.chance(count, recipe.clip) & is_night & ~is_flat
    stops = draws.uniform(count, *recipe.clip_ev) * is_longer
    scene = scene * torch.exp2(stops)  # as a longer exposure of the target sees it
    exposure = exposure - stops
    is_uneven = draws.chance(count, recipe.uneven) & ~is_identity
    held = draws.chance(count, recipe.highlights) & ~is_identity
    more = recipe.highlights_ev * draws.uniform(count, 0, 1) ** recipe.highlights_power * held
    more = more * (~is_flat | (exposure + more >= 0))
    seen = light.unclip(scene, more, draws.uniform(count, *recipe.highlights_knee))
    dark, target = _lit(seen, scene, exposure, is_uneven, recipe, draws)
    target = torch.where(dark >= 1, 1, target)  # what is white already stays so
    if recipe.street:
        is_street = draws.chance(count, recipe.street) & ~is_identity & ~is_uneven
        dark, target = _street(dark, target, scene, is_street, recipe, draws)
    target = to_codes(target)
    dark = to_codes(_seen(dark, is_identity, recipe, draws))
    dark = _developed(dark, is_identity, recipe, draws)
    dark = _coded(camera.to_8_bits(dark), recipe, draws)
    return _special(Pairs(dark, target), recipe, draws)


def synthesise_with(
    step: str | None, photographs: Tensor, recipe: Recipe, draws: Draws
) -> tuple[Pairs, int]:
    """Make pairs, the later half of them with one step of the recipe that the others have not.

    Args:
        step: "street" or "uneven"; None for `synthesise`.
        photographs: as there.
        recipe: of all else.
        draws: of this step of the training.

    Returns:
        The pairs, and how many have not that step.
    """
    if step is None:
        return synthesise(photographs, recipe, draws), len(photographs)
    count = len(photographs) // 2
    added = replace(recipe.without("identity", *ADDABLE), **{step: 1.0})  # type: ignore[arg-type]
    before = synthesise(photographs[:count], recipe.without(step), draws)
    after = synthesise(photographs[count:], added, draws)
    dark, target = torch.cat([before.dark, after.dark]), torch.cat([before.target, after.target])
    return Pairs(dark, target), count


def _lit(
    seen: Tensor,
    scene: Tensor,
    exposure: Tensor,
    is_uneven: Tensor,
    recipe: Recipe,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """Expose what is seen, some of it under uneven light: the dark picture's light, the target's.

    Args:
        seen: light of the scene, which the dark picture is an exposure of.
        scene: the same as the target shows it.
        exposure: in stops, (B, 1, 1, 1).
        is_uneven: which scenes have uneven light, (B, 1, 1, 1) of bool.
        recipe: of the light.
        draws: of this step.
    """
    dark = seen * torch.exp2(exposure)
    chosen = is_uneven.flatten().nonzero().flatten()
    if not len(chosen):
        return dark, scene
    height, width = scene.shape[2:]
    field, glow = light.draw_uneven_light(draws, len(chosen), height, width, recipe.uneven_ev)
    lit = exposure[chosen] / 2  # what the lamps reach is not that dark
    dark = dark.index_copy(0, chosen, seen[chosen] * torch.exp2(lit) * field + glow)
    return dark, scene.index_copy(0, chosen, scene[chosen] + glow)


def _street(
    dark: Tensor, target: Tensor, scene: Tensor, is_street: Tensor, recipe: Recipe, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Make streets at night of some scenes: the dark pictures' light, the targets'.

    Args:
        dark: light of the other dark pictures.
        target: of the other targets.
        scene: light of the photographs.
        is_street: which are streets, (B, 1, 1, 1) of bool.
        recipe: of the light.
        draws: of this step.
    """
    chosen = is_street.flatten().nonzero().flatten()
    if not len(chosen):
        return dark, target
    height, width = scene.shape[2:]
    field, glow, sky = draw_street(
        draws, len(chosen), height, width, recipe.street_ev, recipe.street_pools_ev
    )
    night = scene[chosen] * field + glow
    even = torch.maximum(scene[chosen] * sky + glow, night.clamp_max(1))  # nothing gets darker
    return dark.index_copy(0, chosen, night), target.index_copy(0, chosen, even)


def _seen(dark: Tensor, is_identity: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Let the sensor see the light: cast, noise, black level."""
    count = len(dark)
    has_cast = draws.chance(count, recipe.cast) & ~is_identity
    stops = draws.normal(count, 3, 1, 1) * recipe.cast_ev * has_cast
    dark = camera.cast(dark, stops).clamp_max(1)
    has_noise = draws.chance(count, recipe.noise)
    shot = draws.log_uniform(count, *recipe.shot) * has_noise
    read = draws.log_uniform(count, *recipe.read) * has_noise
    is_mosaic = draws.chance(count, recipe.mosaic)
    if recipe.noise:
        dark = camera.add_noise(dark, draws, shot, read, is_mosaic)
    is_off = draws.chance(count, recipe.black_level) & ~is_identity
    return dark + draws.normal(count, 1, 1, 1) * recipe.black_level_deviation * is_off


def _developed(dark: Tensor, is_identity: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Apply the tone curves of the camera or of an editor."""
    count = len(dark)
    bends = draws.chance(count, recipe.tone) & ~is_identity
    chosen = bends.flatten().nonzero().flatten()
    if len(chosen):
        gamma = torch.exp2(draws.normal(len(chosen), 1, 1, 1) * recipe.tone_stops)
        dark = dark.index_copy(0, chosen, camera.tone(dark[chosen], gamma))
    if recipe.vibrance is not None:
        dark = camera.vibrance(dark, draws.uniform(count, *recipe.vibrance))
    if recipe.contrast is not None:
        dark = camera.contrast(dark, draws.uniform(count, *recipe.contrast))
    return dark


def _coded(dark: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Send some of the pictures through JPEG, and others through H.264."""
    count = len(dark)
    is_jpeg = draws.chance(count, recipe.jpeg).flatten()
    is_h264 = draws.chance(count, recipe.h264).flatten() & ~is_jpeg
    quality = draws.uniform(count, *recipe.jpeg_quality).flatten()
    crf = draws.uniform(count, *recipe.h264_crf).flatten()
    chosen = is_jpeg.nonzero().flatten()
    if len(chosen):
        dark = dark.index_copy(0, chosen, jpeg(dark[chosen], quality[chosen]))
    for number in is_h264.nonzero().flatten().tolist():
        picture = (dark[number] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        decoded = torch.from_numpy(h264(picture, float(crf[number])))
        dark[number] = decoded.to(dark.device).permute(2, 0, 1) / 255
    return dark


def _special(pairs: Pairs, recipe: Recipe, draws: Draws) -> Pairs:
    """Replace some pairs by grey ones, and by black and white ones."""
    count = len(pairs.dark)
    weights = torch.tensor(GREY_BT601, device=draws.device).view(1, 3, 1, 1)
    kind = draws.uniform(count, 0, 1)
    is_grey = kind < recipe.grey
    is_black = (kind >= recipe.grey) & (kind < recipe.grey + recipe.black)
    is_white = kind >= 1 - recipe.white

    def replaced(codes: Tensor) -> Tensor:
        grey = (codes * weights).sum(dim=1, keepdim=True).expand_as(codes)
        codes = torch.where(is_grey, grey, codes)
        return codes.masked_fill(is_black, 0).masked_fill(is_white, 1)

    return Pairs(replaced(pairs.dark), replaced(pairs.target))
