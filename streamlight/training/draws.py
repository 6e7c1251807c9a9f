"""Random numbers of one training step: a function of the seed and the step, and of nothing else.

So a run that was stopped goes on with the numbers that it would have drawn, and no state of a
generator has to be kept.
"""

import torch
from torch import Tensor

_STEPS = 2**32
"""More than a run has; seeds are kept apart by it."""


class Draws:
    """Draws for one step: parameters on the CPU, noise on the device."""

    def __init__(self, seed: int, step: int, device: torch.device) -> None:
        """Seed both generators with (seed, step)."""
        number = (seed * _STEPS + step) % 2**63
        self.device = device
        self._parameters = torch.Generator().manual_seed(number)
        self._noise = torch.Generator(device).manual_seed(number)

    def uniform(self, count: int, low: float, high: float) -> Tensor:
        """Draw (count, 1, 1, 1) from [low, high), on the device."""
        drawn = torch.rand(count, 1, 1, 1, generator=self._parameters)
        return (low + (high - low) * drawn).to(self.device)

    def log_uniform(self, count: int, low: float, high: float) -> Tensor:
        """Draw (count, 1, 1, 1) whose logarithm is uniform between those of low and high."""
        ratio = torch.tensor(high / low)
        return low * torch.exp(self.uniform(count, 0, 1) * torch.log(ratio).to(self.device))

    def normal(self, *shape: int) -> Tensor:
        """Draw parameters (*shape) from the standard normal distribution, on the device."""
        return torch.randn(*shape, generator=self._parameters).to(self.device)

    def chance(self, count: int, probability: float) -> Tensor:
        """Draw (count, 1, 1, 1) of bool, true with a probability, on the device."""
        drawn = torch.rand(count, 1, 1, 1, generator=self._parameters)
        return (drawn < probability).to(self.device)

    def integer(self, low: int, high: int) -> int:
        """Draw one of low, low + 1, ..., high."""
        return int(torch.randint(low, high + 1, (), generator=self._parameters))

    def noise_like(self, x: Tensor) -> Tensor:
        """Draw standard normal noise of the shape of x, on the device."""
        return torch.randn(x.shape, generator=self._noise, device=self.device)
