import math

import pytest
import torch
from training_samples import codes, draws

from streamlight.models.srgb import to_codes, to_light
from streamlight.training import light


def scalar(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


@pytest.mark.parametrize(
    ("code", "linear"), [(0.0, 0.0), (0.04, 0.0030960), (0.5, 0.2140411), (1.0, 1.0)]
)
def test_the_curve_is_that_of_iec_61966_2_1(code: float, linear: float) -> None:
    assert to_light(torch.tensor(code)).item() == pytest.approx(linear, abs=1e-6)
    assert to_codes(torch.tensor(linear)).item() == pytest.approx(code, abs=1e-4)


def test_light_above_white_is_clipped_by_the_curve_alone() -> None:
    assert to_codes(torch.tensor([-1.0, 4.0])).tolist() == pytest.approx([0.0, 1.0])


def test_the_table_of_bytes_is_the_curve() -> None:
    picture = (codes(1, 3, 8, 8) * 255).byte()
    expected = to_light(picture.float() / 255)
    assert torch.allclose(light.bytes_to_light(picture), expected, atol=1e-7)


def test_bright_places_get_their_light_back_and_others_stay() -> None:
    scene = torch.full((1, 3, 128, 128), 0.2)
    scene[:, :, 32:96, 32:96] = 1  # a large place that the photograph shows as white
    scene[:, :, 4:6, 4:6] = 1  # a small one
    seen = light.unclip(scene, scalar(2), scalar(0.5))
    assert torch.equal(seen[scene < 1], scene[scene < 1])
    assert torch.allclose(seen[scene == 1], torch.tensor(4.0))  # wherever it is: no halos


def test_a_deeper_picture_has_the_same_black_and_white() -> None:
    scene = torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3).expand(1, 3, 2, 3)
    deeper = light.deepen(scene, scalar(1.5))
    assert deeper[0, 0, 0].tolist() == pytest.approx([0, 0.125, 1], abs=1e-6)
    assert torch.allclose(light.deepen(scene, scalar(1)), scene, atol=1e-6)


def test_the_more_the_nearer_to_white_and_without_an_edge() -> None:
    ramp = torch.linspace(0, 1, 256).expand(1, 3, 64, 256)
    gain = light.unclip(ramp, scalar(2), scalar(0.4))[0, 0, 32, 1:] / ramp[0, 0, 32, 1:]
    assert bool((gain[:102] == 1).all())
    assert bool((gain[103:].diff() >= -1e-6).all())
    assert gain.diff().abs().amax() < 0.06


def test_light_falls_off_by_the_stops_from_corner_to_corner() -> None:
    fall = light.falling_off(32, 48, scalar(3), scalar(math.atan2(1, 1)))
    assert fall[0, 0, 0, 0].item() == pytest.approx(1, abs=1e-5)
    assert fall[0, 0, -1, -1].item() == pytest.approx(1 / 8, abs=1e-5)


def test_a_lamp_lights_its_pool_and_leaves_the_ground_dark() -> None:
    centre = torch.tensor([[[0.5, 0.5]]])
    lit = light.lamps(101, 101, centre, torch.tensor([[0.05]]), scalar(4), is_lit=torch.ones(1, 1))
    assert lit.max().item() == pytest.approx(1, abs=1e-4)
    assert lit[0, 0, 50, 50] == lit.max()
    assert 1 / 16 < lit[0, 0, 0, 0].item() < 1.05 / 16


def test_a_lamp_that_is_out_lights_nothing() -> None:
    centre = torch.tensor([[[0.5, 0.5]]])
    lit = light.lamps(9, 9, centre, torch.tensor([[0.3]]), scalar(4), is_lit=torch.zeros(1, 1))
    assert torch.allclose(lit, torch.full_like(lit, 1 / 16))


def test_a_lamp_in_the_picture_glows_where_it_is() -> None:
    centre = torch.tensor([[[0.25, 0.75]]])
    seen = light.glow(40, 80, centre, torch.tensor([[0.05]]), torch.ones(1, 1), scalar(6))
    row, column = divmod(int(seen.argmax()), 80)
    assert (row, column) in {(9, 59), (9, 60), (10, 59), (10, 60)}
    assert seen.max().item() > 4
    assert seen[0, 0, -1, 0].item() == pytest.approx(0, abs=1e-6)


def test_uneven_light_spans_several_stops() -> None:
    field, glow = light.draw_uneven_light(draws(), 16, 48, 64, (3.0, 5.0))
    spans = torch.log2(field.amax((1, 2, 3)) / field.amin((1, 2, 3)))
    assert field.shape == glow.shape == (16, 1, 48, 64)
    assert field.max() <= 1 + 1e-6
    assert spans.median() > 2
    assert (glow.amax((1, 2, 3)) > 0.5).any()
    assert (glow.amax((1, 2, 3)) == 0).any()
