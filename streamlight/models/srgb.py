"""The sRGB curve (IEC 61966-2-1)."""

import torch
from torch import Tensor


def to_light(codes: Tensor) -> Tensor:
    """Undo the curve: codes in [0, 1] to linear light in [0, 1]."""
    return torch.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def to_codes(light: Tensor) -> Tensor:
    """Apply the curve to linear light, clipped to [0, 1] before."""
    light = light.clamp(0, 1)
    curve = 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, curve)


def luminance(light: Tensor) -> Tensor:
    """Return the luminance (B, 1, H, W) of linear light (B, 3, H, W), by ITU-R BT.709."""
    red, green, blue = light[:, :1], light[:, 1:2], light[:, 2:]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue  # no weights to copy into a CUDA graph
