"""Random numbers of one training step: a function of the seed and the step, and of nothing else.

So a run that was stopped goes on with the numbers that it would have drawn, and no state of a
generator has to be kept.
"""

import hashlib

import torch
from torch import Tensor


class Draws:
    """Draws for one step: parameters on the CPU, noise on the device."""

    def __init__(self, seed: int, step: int, device: torch.device) -> None:
        """Seed both generators, each with numbers of its own for (seed, step)."""
        self.device = device
        self._parameters = torch.Generator().manual_seed(_mixed(seed, step, "parameters"))
        self._noise = torch.Generator(device).manual_seed(_mixed(seed, step, "noise"))

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


def _mixed(seed: int, step: int, purpose: str) -> int:
    """Mix into 32 bits, which is all that PyTorch's generator on the CPU takes of a seed."""
    text = f"{seed} {step} {purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
