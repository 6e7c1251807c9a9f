"""Artefacts of JPEG, on any device: the discrete cosine transform, quantised.

Source: ITU-T T.81 (1992), tables K.1 and K.2; the scaling by quality is that of the Independent
JPEG Group's library. Entropy coding loses nothing and is left out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)

_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(codes: Tensor, quality: Tensor) -> Tensor:
    """Code and decode pictures as JPEG with 4:2:0 chroma.

    Args:
        codes: (B, 3, H, W) sRGB in [0, 1]; both sides multiples of 16.
        quality: of the IJG library, 1 to 100, (B,).

    Returns:
        The decoded pictures, of the same shape, in [0, 1], 8 bits.
    """
    ycc = _mix(codes * 255, _TO_YCC)
    luma = _coded(ycc[:, :1] - 128, LUMINANCE, quality) + 128
    small = _coded(F.avg_pool2d(ycc[:, 1:], 2), CHROMINANCE, quality)
    chroma = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    rgb = _mix(torch.cat([luma, chroma], dim=1), _TO_RGB)
    return rgb.round().clamp(0, 255) / 255


def quantisation(table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Scale a table by the quality (B,) as the IJG library does: (B, 8, 8), 1 to 255."""
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    base = torch.tensor(table, dtype=torch.float32, device=quality.device)
    return ((base * percent.view(-1, 1, 1) + 50) / 100).floor().clamp(1, 255)


def cosines(device: torch.device) -> Tensor:
    """Matrix (8, 8) of the orthonormal discrete cosine transform of 8 values."""
    k = torch.arange(8, dtype=torch.float32, device=device)
    matrix = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix


def _mix(x: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    weights = torch.tensor(matrix, device=x.device)
    return torch.einsum("oc,bchw->bohw", weights, x)


def _coded(plane: Tensor, table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    count, channels, height, width = plane.shape
    blocks = plane.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    dct = cosines(plane.device)
    step = quantisation(table, quality).view(count, 1, 1, 1, 8, 8)
    levels = (dct @ blocks @ dct.T / step).round()
    blocks = dct.T @ (levels * step) @ dct
    return blocks.transpose(3, 4).reshape(plane.shape)
