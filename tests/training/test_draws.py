import torch
from training_samples import CPU

from streamlight.training.draws import Draws


def numbers(seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 8 normal numbers of the parameters, and 8 of the noise."""
    draws = Draws(seed, step, CPU)
    return draws.normal(8), draws.noise_like(torch.empty(8))


def test_the_same_seed_and_step_give_the_same_numbers() -> None:
    for first, again in zip(numbers(3, 5), numbers(3, 5), strict=True):
        assert torch.equal(first, again)


def test_seeds_steps_parameters_and_noise_all_differ() -> None:
    drawn = [row for place in ((0, 0), (0, 1), (1, 0), (1, 1)) for row in numbers(*place)]
    assert len({tuple(row.tolist()) for row in drawn}) == len(drawn)
