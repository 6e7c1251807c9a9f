from dataclasses import replace

import torch
from training_samples import draws

from streamlight.training import street
from streamlight.training.street import draw_street

ONE = torch.ones(1, 1)
LAMP = street.Lamps(
    down=0.25 * ONE,
    right=0.75 * ONE,
    color=torch.tensor([[[1.0, 0.5, 0.0]]]),
    power=4 * ONE,
    size=0.05 * ONE,
    aspect=4 * ONE,
    radius=0.1 * ONE,
    lit=0.5 * ONE,
)


def test_a_street_has_lamps_of_many_colours_and_pools_of_light() -> None:
    field, glow, sky = draw_street(draws(), 12, 64, 96, (-4.0, -3.0), (0.0, 0.0))
    assert (field.shape, glow.shape) == ((12, 1, 64, 96), (12, 3, 64, 96))
    assert sky.shape[2:] == (64, 1)
    assert 2**-4 <= field[:, :, -8:].min() < 2**-3
    assert 0.5 < field.max() < 1.2
    peaks = glow.flatten(2).amax(dim=2)
    assert bool((peaks.amax(dim=1) > 0.3).all())
    assert ((peaks / peaks.amax(dim=1, keepdim=True)).amin(dim=1) < 0.99).any()
    assert (glow.amax(dim=1) > 0.3).float().mean() < 0.2  # lamps are small


def test_a_lamp_has_its_place_colour_and_shape() -> None:
    seen = street.discs(LAMP, 320, 640)
    assert torch.allclose(seen[0, :, 80, 480], torch.tensor([4, 2, 0.0]), rtol=0.05)
    is_bright = seen[0, 0] > 2
    tall, wide = int(is_bright.any(dim=1).sum()), int(is_bright.any(dim=0).sum())
    assert 3.5 < wide / tall < 4.5  # the aspect
    assert seen[0, 0, 240, 80] == 0


def test_a_pool_fades_and_light_is_scattered_around_a_lamp() -> None:
    lit, veil = street.pools_and_veil(LAMP, torch.full((1, 1, 1, 1), 0.01), 320, 640)
    assert (lit.shape, veil.shape) == ((1, 1, 320, 640), (1, 3, 320, 640))
    assert 0.4 < lit[0, 0, 80, 480] <= 0.5
    assert 0.2 < lit[0, 0, 112, 480] / lit[0, 0, 80, 480] < 0.35  # at the radius: 1 / (1 + 1)^2
    assert 0.03 < veil[0, 0, 80, 480] < 0.041
    assert 0 < veil[0, 0, 240, 80] < 0.01
    assert veil[0, 2].max() == 0


def test_a_lamp_that_is_out_is_not_seen_and_lights_nothing() -> None:
    out = replace(LAMP, power=0 * ONE, lit=0 * ONE)
    lit, veil = street.pools_and_veil(out, torch.full((1, 1, 1, 1), 0.01), 320, 640)
    assert street.discs(out, 320, 640).max() == lit.max() == veil.max() == 0


def test_streets_are_the_same_in_any_size() -> None:
    small, large = (draw_street(draws(), 2, h, 2 * h, (-4.0, -4.0), (0.0, 0.0)) for h in (128, 384))
    for few, many in zip(small[:2], large[:2], strict=True):
        fewer = torch.nn.functional.interpolate(many, (128, 256), mode="area")
        assert (few - fewer).abs().mean() < 0.25 * few.mean()
