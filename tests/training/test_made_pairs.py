from dataclasses import replace

import pytest
import torch
from training_samples import draws, photograph

from streamlight.errors import UsageError
from streamlight.models.srgb import to_light
from streamlight.training.options import PRESETS
from streamlight.training.recipes import DEFAULT, PAPER, STEPS, Recipe
from streamlight.training.synthesis import Pairs, synthesise, synthesise_with

PHOTOGRAPHS = torch.stack([torch.from_numpy(photograph(n)).permute(2, 0, 1) for n in range(8)])
PLAIN = PHOTOGRAPHS.float() / 255
DARKENED = Recipe(exposure_ev=(-3.0, -3.0))


def made(recipe: Recipe, step: int = 0) -> Pairs:
    return synthesise(PHOTOGRAPHS, recipe, draws(step))


def test_the_same_step_makes_the_same_pairs() -> None:
    first, again, other = made(DEFAULT), made(DEFAULT), made(DEFAULT, step=1)
    assert torch.equal(first.dark, again.dark)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.dark, other.dark)


def test_exposure_is_by_stops_of_light_and_the_target_is_the_photograph() -> None:
    pairs = made(DARKENED)
    assert torch.allclose(pairs.target, PLAIN, atol=1e-5)
    bright = PLAIN > 0.5  # where 8 bits of the dark picture are fine enough to compare
    ratio = to_light(pairs.dark)[bright] / to_light(PLAIN)[bright]
    assert ratio.median().item() == pytest.approx(1 / 8, rel=0.02)


def test_an_identity_pair_is_left_alone_but_for_noise_and_coding() -> None:
    plain = DEFAULT.without("noise", "jpeg", "h264")
    pairs = made(replace(plain, identity=1, deepen=(1.0, 1.0), grey=0, black=0, white=0))
    assert torch.allclose(pairs.dark, pairs.target, atol=0.5 / 255 + 1e-4)
    assert torch.allclose(pairs.target, PLAIN, atol=1e-5)


def test_a_longer_exposure_clips_the_target_and_not_the_dark_picture() -> None:
    longer = made(replace(DARKENED, clip=1, clip_ev=(2.0, 2.0)))
    assert torch.allclose(longer.dark, made(DARKENED).dark, atol=1.01 / 255)
    assert (longer.target > 1 - 1e-6).float().mean() > 0.2
    assert bool((longer.target >= made(DARKENED).target - 1e-6).all())


def test_only_pictures_below_the_limit_are_clipped() -> None:
    stops = torch.log2(to_light(PLAIN).mean(dim=(1, 2, 3))) - 3  # of the dark pictures
    limit = float(stops.sort().values[3:5].mean())  # between two of the eight
    pairs = made(replace(DARKENED, clip=1, clip_ev=(2.0, 2.0), black_night_ev=limit))
    is_same = (pairs.target - PLAIN).abs().amax((1, 2, 3)) < 1e-5
    assert is_same.tolist() == (stops > limit).tolist()


def test_highlights_are_in_the_dark_picture_and_not_in_the_target() -> None:
    pairs = made(replace(DARKENED, highlights=1.0, highlights_ev=6.0))
    assert torch.allclose(pairs.target, PLAIN, atol=1e-5)
    assert pairs.dark.amax() > made(DARKENED).dark.amax() * 1.2


def test_uneven_light_has_an_evenly_lit_target() -> None:
    recipe = Recipe(exposure_ev=(-1.0, -1.0), uneven=1, uneven_ev=(5.0, 5.0))
    pairs = made(recipe)
    seen_lamps = (pairs.target - PLAIN).amax((1, 2, 3)) > 0.05
    assert torch.allclose(pairs.target[~seen_lamps], PLAIN[~seen_lamps], atol=1e-5)
    assert 0 < int(seen_lamps.sum()) < len(PLAIN)
    ratio = to_light(pairs.dark).mean(1) / to_light(pairs.target).mean(1).clamp_min(1e-3)
    spans = ratio.flatten(1).quantile(0.95, dim=1) / ratio.flatten(1).quantile(0.05, dim=1)
    assert spans.median() > 4


STREET = Recipe(street=1, street_ev=(-4.0, -4.0), street_pools_ev=(0.0, 0.0))


def test_a_street_is_dark_between_its_lamps_and_its_target_is_not() -> None:
    pairs = made(STREET)
    assert bool((pairs.target >= pairs.dark - 1 / 255).all())  # nothing gets darker
    below = slice(100, None)  # below every horizon
    dark, target = (to_light(x)[:, :, below] for x in (pairs.dark, pairs.target))
    plain = to_light(PLAIN)[:, :, below]
    is_ground = ((target - plain).abs() < 0.01 + 0.01 * plain).all(dim=1)  # no lamp, no halo
    assert is_ground.float().mean() > 0.3
    stops = torch.log2(dark.mean(dim=1) / target.mean(dim=1))[is_ground]
    assert stops.quantile(0.05).item() == pytest.approx(-4, abs=0.5)
    assert stops.max().item() > -2  # in a pool


def test_a_black_sky_stays_black_in_the_target() -> None:
    sky = to_light(made(STREET).target)[:, :, :3].mean(dim=(1, 2, 3))
    plain = to_light(PLAIN)[:, :, :3].mean(dim=(1, 2, 3))
    is_black = sky < 0.2 * plain
    assert 0 < int(is_black.sum()) < len(PLAIN)


@pytest.mark.parametrize("step", ["street", "uneven"])
def test_one_kind_of_light_is_in_the_later_half_alone(step: str) -> None:
    recipe = replace(DARKENED, identity=1.0, **{step: 0.5})  # type: ignore[arg-type]
    pairs, known = synthesise_with(step, PHOTOGRAPHS, recipe, draws())
    assert known == 4
    differs = (pairs.dark - pairs.target).abs().mean(dim=(1, 2, 3)) > 0.02
    assert differs.tolist() == [False] * 4 + [True] * 4
    every, count = synthesise_with(None, PHOTOGRAPHS, recipe, draws())
    assert count == 8
    assert torch.equal(every.dark, made(recipe).dark)


@pytest.mark.parametrize(("kind", "value"), [("black", 0.0), ("white", 1.0)])
def test_black_and_white_pairs_are_so_on_both_sides(kind: str, value: float) -> None:
    shares = {"grey": 0.0, "black": 0.0, "white": 0.0} | {kind: 1.0}
    pairs = made(replace(PAPER, **shares))  # type: ignore[arg-type]
    assert bool((pairs.dark == value).all())
    assert bool((pairs.target == value).all())


def test_grey_pairs_have_no_colour() -> None:
    pairs = made(replace(DARKENED, grey=1))
    for codes in (pairs.dark, pairs.target):
        assert torch.equal(codes[:, 0], codes[:, 2])


def test_the_paper_dulls_colour_and_contrast_and_adds_no_noise() -> None:
    recipe = replace(PAPER, grey=0, black=0, white=0, exposure_ev=(0.0, 0.0))
    pairs = made(recipe)
    assert pairs.dark.std() < 0.9 * pairs.target.std()
    assert torch.equal(made(recipe.without("vibrance", "contrast")).dark * 255, PLAIN * 255)


def test_dark_pictures_have_8_bits() -> None:
    codes = made(DEFAULT).dark * 255
    assert torch.allclose(codes, codes.round(), atol=1e-3)


def test_a_step_left_out_leaves_the_others_as_they_were() -> None:
    assert DEFAULT.without("clip", "jpeg") == replace(DEFAULT, clip=0, jpeg=0)
    assert DEFAULT.without("deepen") == replace(DEFAULT, deepen=(1.0, 1.0))
    options = PRESETS["default"].without("clip", "agreement", "zooms", "schedule", "ema")
    assert (options.zooms, options.schedule, options.ema) == ((1,), "paper", 0)
    assert options.clip_norm == PRESETS["default"].clip_norm
    assert options.recipe == replace(DEFAULT, clip=0)
    assert options.loss == replace(PRESETS["default"].loss, agreement=0)
    assert set(STEPS) == {
        *("black", "white", "grey", "identity", "deepen", "vibrance", "contrast", "clip"),
        *("highlights", "uneven", "street", "cast", "noise", "mosaic", "black_level", "tone"),
        *("jpeg", "h264"),
    }
    with pytest.raises(UsageError, match=r"--without fog: choose among .*clip.*h264.*overall"):
        PRESETS["default"].without("clip", "fog")


def test_deeper_targets_are_deeper_on_both_sides() -> None:
    plain, deeper = made(DARKENED), made(replace(DARKENED, deepen=(1.4, 1.4)))
    assert torch.allclose(to_light(deeper.target), to_light(plain.target) ** 1.4, atol=1e-3)
    assert deeper.dark.mean() < plain.dark.mean()


def test_what_is_white_in_the_dark_picture_is_white_in_the_target() -> None:
    pairs = made(Recipe(exposure_ev=(-1.0, -1.0), highlights=1.0, highlights_ev=30.0))
    is_white = pairs.dark > 1 - 1e-6
    assert is_white.float().mean() > 0.01
    assert (pairs.target[is_white] > 1 - 1e-6).float().mean() > 0.9  # the rest was rounded to white
    assert (PLAIN[is_white] > 1 - 1e-6).float().mean() < 0.5
