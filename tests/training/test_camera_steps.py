import pytest
import torch
from torch import Tensor
from training_samples import codes, draws

from streamlight.training import camera


def every(value: float, count: int = 1) -> Tensor:
    return torch.full((count, 1, 1, 1), value)


def test_noise_has_the_variance_of_shot_and_read() -> None:
    light = torch.full((1, 3, 256, 256), 0.25)
    noisy = camera.add_noise(
        light, draws(), every(4e-4), every(1e-2), torch.zeros(1, 1, 1, 1, dtype=torch.bool)
    )
    assert (noisy - light).std().item() == pytest.approx((4e-4 * 0.25 + 1e-4) ** 0.5, rel=0.02)


def test_demosaiced_noise_is_smooth_between_the_pixels_that_measured_it() -> None:
    noise = camera.demosaiced(torch.randn(1, 3, 512, 512))
    red, green = noise[0, 0], noise[0, 1]
    measured, between = red[0::2, 0::2], red[1:-1:2, 1:-1:2]
    assert measured.var().item() == pytest.approx(1, rel=0.05)
    assert between.var().item() == pytest.approx(1 / 4, rel=0.05)  # mean of four
    assert green[2:-2:2, 2:-2:2].var().item() == pytest.approx(1 / 4, rel=0.05)
    assert red[0, 2:-2:2].mul(red[0, 3:-1:2]).mean().item() == pytest.approx(0.5, abs=0.15)


def test_only_the_chosen_pictures_get_correlated_noise() -> None:
    light = torch.full((2, 3, 64, 64), 0.5)
    which = torch.tensor([True, False]).view(2, 1, 1, 1)
    noise = camera.add_noise(light, draws(), every(0.0, 2), every(0.1, 2), which) - light
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / noise.var((1, 2, 3))
    assert neighbours[0] > 0.3
    assert abs(neighbours[1]) < 0.05


def test_a_cast_leaves_green_alone() -> None:
    light = codes(1, 3, 4, 4)
    stops = torch.tensor([1.0, 0.5, -0.5]).view(1, 3, 1, 1)
    result = camera.cast(light, stops)
    assert torch.equal(result[:, 1], light[:, 1])
    assert torch.allclose(result[:, 0], light[:, 0] * 2**0.5)
    assert torch.allclose(result[:, 2], light[:, 2] / 2)


def test_a_tone_curve_keeps_black_and_white() -> None:
    bent = camera.tone(torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3), every(0.5))
    assert bent.flatten().tolist() == pytest.approx([0.001, 0.5, 1.0])


def test_8_bits_are_256_codes() -> None:
    rounded = camera.to_8_bits(codes(1, 3, 64, 64) * 1.2 - 0.1) * 255
    assert torch.allclose(rounded, rounded.round(), atol=1e-4)
    assert rounded.min() == 0
    assert rounded.max() == 255


def test_contrast_is_halved_around_the_middle() -> None:
    lowered = camera.contrast(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3), every(-1.0))
    assert lowered.flatten().tolist() == [0.25, 0.5, 0.75]


def test_vibrance_takes_most_of_a_pale_colour_and_nothing_of_a_full_one() -> None:
    pale = torch.tensor([0.6, 0.5, 0.5]).view(1, 3, 1, 1)
    full = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    dulled = camera.vibrance(pale, every(-1.0))
    assert (dulled.amax() - dulled.amin()).item() == pytest.approx(0.01, abs=1e-6)
    assert torch.allclose(camera.vibrance(full, every(-1.0)), full, atol=1e-6)
    assert torch.allclose(camera.vibrance(pale, every(0.0)), pale)
