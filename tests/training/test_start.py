"""What a run begins with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_samples import TINY, photograph

from streamlight.errors import ModelError
from streamlight.models import MODELS
from streamlight.models.weights import save_weights
from streamlight.training.losses import weighted_l1
from streamlight.training.start import begin, he_initialised

AFFINE = replace(TINY, name="affine", detail_widths=(4,), is_affine=True)


def test_the_prior_alone_can_be_taken_from_a_network_of_another_detail(tmp_path: Path) -> None:
    other = he_initialised(TINY, 5)
    save_weights(other, tmp_path / "other.safetensors")
    begun = begin(AFFINE, f"prior:{tmp_path / 'other.safetensors'}", 1)
    drawn = he_initialised(AFFINE, 1)
    for mine, its in zip(begun.prior.parameters(), other.prior.parameters(), strict=True):
        assert torch.equal(mine, its.half().float())
    for mine, its in zip(begun.detail.parameters(), drawn.detail.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert all(parameter.requires_grad for parameter in begun.parameters())


def test_a_prior_of_another_width_is_refused(tmp_path: Path) -> None:
    save_weights(he_initialised(TINY, 5), tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="has 8 channels, that of wide 16"):
        begin(
            replace(AFFINE, name="wide", prior_channels=16),
            f"prior:{tmp_path}/other.safetensors",
            1,
        )


def test_the_weights_of_a_name_are_those_and_no_others() -> None:
    fast = MODELS["gladnet-fast"]
    with pytest.raises(ModelError, match=r"gladnet\.safetensors do not fit .* 'gladnet-fast'"):
        begin(fast, "gladnet", 1)
    named, own = begin(replace(fast, name="mine"), "gladnet-fast", 1), begin(fast, "seed", 1)
    for a, b in zip(named.parameters(), own.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_affine_network_begins_by_leaving_pictures_about_as_they_are() -> None:
    network = he_initialised(AFFINE, 3)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    with torch.inference_mode():
        result = network.reconstruct(image, torch.zeros(1, 8, 96, 96))
    assert (result - image).abs().mean() < 0.1


@pytest.mark.parametrize("seed", [2, 7])
def test_a_network_drawn_with_results_outside_the_range_learns_all_three_colours(seed: int) -> None:
    network = he_initialised(MODELS["gladnet"], seed)
    target = torch.from_numpy(photograph(0, 96, 96)).permute(2, 0, 1)[None] / 255
    result = network.reconstruct(target / 2, network.estimate(target / 2))
    weighted_l1(result, target).backward()  # type: ignore[no-untyped-call]
    last: Any = network.detail.convs[-1]
    assert bool((last.bias.grad.abs() > 0.05).all())
    with torch.inference_mode():
        seen = network.eval().reconstruct(target / 2, network.estimate(target / 2))
    assert torch.equal(result, seen)
