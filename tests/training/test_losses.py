import pytest
import torch
from training_samples import codes

from streamlight.training.losses import coarse, loss_of, ssim, weighted_l1
from streamlight.training.options import LossWeights


@pytest.mark.parametrize(("channel", "weight"), [(0, 0.29891), (1, 0.58661), (2, 0.11448)])
def test_channels_have_the_papers_weights(channel: int, weight: float) -> None:
    target = codes(1, 3, 8, 8)
    result = target.clone()
    result[:, channel] += 0.5
    assert weighted_l1(result, target).item() == pytest.approx(weight / 2, abs=1e-6)


def test_structure_is_lost_by_noise_and_not_by_nothing() -> None:
    target = codes(1, 3, 32, 32)
    assert ssim(target, target).item() == pytest.approx(1, abs=1e-5)
    assert ssim(target.roll(1, 2), target) < 0.5


def test_the_coarse_term_sees_exposure_and_not_noise() -> None:
    target = torch.full((1, 3, 64, 64), 0.5)
    noise = (codes(1, 3, 64, 64) - 0.5) * 0.4
    shift = noise.abs().mean()
    coarse = LossWeights(coarse=1)
    exposure = loss_of(target + shift, target, coarse) - weighted_l1(target + shift, target)
    noisy = loss_of(target + noise, target, coarse) - weighted_l1(target + noise, target)
    assert noisy < exposure / 5


def test_without_weights_it_is_the_papers_loss() -> None:
    result, target = codes(1, 3, 32, 32), codes(1, 3, 32, 32).flip(3)
    assert loss_of(result, target, LossWeights()) == weighted_l1(result, target)
    assert loss_of(result, target, LossWeights(structure=1)) > weighted_l1(result, target)


def test_the_coarse_loss_takes_means_of_the_cells_that_it_is_given() -> None:
    flat = torch.full((1, 3, 48, 48), 0.5)
    stripes = flat.clone()
    stripes[..., ::2] = 0.25
    stripes[..., 1::2] = 0.75
    assert coarse(stripes, flat, (4, 16)).item() == pytest.approx(0, abs=1e-6)
    assert coarse(stripes, flat, (1, 16)).item() == pytest.approx(0.125, abs=1e-3)
