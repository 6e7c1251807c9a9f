"""How far a result is from its target; pictures are RGB (B, 3, H, W) in [0, 1]."""

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.training.options import LossWeights

CHANNELS = (0.29891, 0.58661, 0.11448)
"""Weights of red, green and blue in the paper's loss (section III)."""


def weighted_l1(result: Tensor, target: Tensor) -> Tensor:
    """The paper's loss: mean over pixels of the weighted sum of absolute differences."""
    weights = torch.tensor(CHANNELS, device=result.device).view(1, 3, 1, 1)
    return ((result - target).abs() * weights).sum(dim=1).mean()


def ssim(result: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """Mean structural similarity with a flat window.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, IEEE TIP 13(4), 2004, with its
    K1 0.01 and K2 0.03.
    """
    maps = torch.cat([result, target, result**2, target**2, result * target])
    means = F.avg_pool2d(F.avg_pool2d(maps, (window, 1), 1), (1, window), 1)
    mean_r, mean_t, square_r, square_t, product = means.chunk(5)
    variance = square_r - mean_r**2 + square_t - mean_t**2
    covariance = product - mean_r * mean_t
    alike = (2 * mean_r * mean_t + 1e-4) / (mean_r**2 + mean_t**2 + 1e-4)
    return (alike * (2 * covariance + 9e-4) / (variance + 9e-4)).mean()


def loss_of(result: Tensor, target: Tensor, weights: LossWeights) -> Tensor:
    """Sum the terms, in FP32."""
    result, target = result.float(), target.float()
    loss = weighted_l1(result, target)
    if weights.coarse:
        loss = loss + weights.coarse * coarse(result, target)
    if weights.structure:
        loss = loss + weights.structure * (1 - ssim(result, target))
    return loss


def coarse(result: Tensor, target: Tensor, cells: tuple[int, int] = (8, 32)) -> Tensor:
    """Return the paper's loss on means of 8x8 and of 32x32 pixels, the mean of both."""
    result, target = result.float(), target.float()
    fine, wide = (
        weighted_l1(F.avg_pool2d(result, cell), F.avg_pool2d(target, cell)) for cell in cells
    )
    return (fine + wide) / 2
