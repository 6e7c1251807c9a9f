"""What a camera does to the light: colour cast, noise, black level, tone, 8 bits.

Pictures are RGB (B, 3, H, W); light is linear with white at 1, codes are sRGB in [0, 1].
Parameters are (B, 1, 1, 1) unless they say otherwise.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.training.draws import Draws

GREEN = ((0.0, 1.0, 0.0), (1.0, 4.0, 1.0), (0.0, 1.0, 0.0))
RED_BLUE = ((1.0, 2.0, 1.0), (2.0, 4.0, 2.0), (1.0, 2.0, 1.0))


def cast(light: Tensor, stops: Tensor) -> Tensor:
    """Multiply the channels by 2^stops (B, 3, 1, 1): a white balance that is off.

    Green is left alone, so that the cast moves the brightness little.
    """
    return light * torch.exp2(stops - stops[:, 1:2])


def noise_deviation(light: Tensor, shot: Tensor, read: Tensor) -> Tensor:
    """Standard deviation of a sensor's noise: sqrt(shot * light + read^2), in units of white.

    Source: A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, "Practical Poissonian-Gaussian
    noise modeling and fitting for single-image raw-data", IEEE TIP 17(10), 2008.
    """
    return torch.sqrt(shot * light.clamp_min(0) + read**2)


def demosaiced(noise: Tensor) -> Tensor:
    """Give white noise the correlation that bilinear demosaicing of an RGGB mosaic gives.

    Each pixel measures one colour; the others are means of two or four neighbours, so the noise
    of a colour is smooth between its pixels, and red and blue have coarser noise than green.

    Source: B. E. Bayer, US patent 3,971,065; bilinear interpolation as in H. S. Malvar, L. He,
    R. Cutler, "High-quality linear interpolation for demosaicing", ICASSP 2004, section 1.
    """
    mosaic = torch.zeros_like(noise)
    mosaic[:, 0, 0::2, 0::2] = noise[:, 0, 0::2, 0::2]
    mosaic[:, 1, 0::2, 1::2] = noise[:, 1, 0::2, 1::2]
    mosaic[:, 1, 1::2, 0::2] = noise[:, 1, 1::2, 0::2]
    mosaic[:, 2, 1::2, 1::2] = noise[:, 2, 1::2, 1::2]
    kernels = torch.tensor([RED_BLUE, GREEN, RED_BLUE], device=noise.device)[:, None] / 4
    return F.conv2d(mosaic, kernels, padding=1, groups=3)


def add_noise(light: Tensor, draws: Draws, shot: Tensor, read: Tensor, is_mosaic: Tensor) -> Tensor:
    """Add noise of a sensor; where `is_mosaic` (bool), with the correlation of demosaicing."""
    noise = draws.noise_like(light)
    if bool(is_mosaic.any()):
        chosen = is_mosaic.flatten().nonzero().flatten()
        noise[chosen] = demosaiced(noise[chosen])
    return light + noise * noise_deviation(light, shot, read)


def tone(codes: Tensor, gamma: Tensor) -> Tensor:
    """Bend the tone curve: codes^gamma, as cameras do in their own ways."""
    return codes.clamp_min(1e-6) ** gamma


def to_8_bits(codes: Tensor) -> Tensor:
    """Round to the nearest of 256 codes, still in [0, 1]."""
    return (codes.clamp(0, 1) * 255).round() / 255


def contrast(codes: Tensor, amount: Tensor) -> Tensor:
    """Lower (amount -1 to 0) the contrast around the middle code, to a half at -1."""
    return 0.5 + (codes - 0.5) * (1 + amount / 2)


def vibrance(codes: Tensor, amount: Tensor) -> Tensor:
    """Lower (amount -1 to 0) the saturation, the more the less a pixel has of it.

    "Vibrance" of photo editors has no published formula. Here a colour keeps the part
    1 + amount * (1 - saturation) of its distance from grey (BT.601 luma), with the saturation
    max - min of the codes.
    """
    weights = torch.tensor([0.299, 0.587, 0.114], device=codes.device).view(1, 3, 1, 1)
    grey = (codes * weights).sum(dim=1, keepdim=True)
    saturation = codes.amax(dim=1, keepdim=True) - codes.amin(dim=1, keepdim=True)
    return grey + (codes - grey) * (1 + amount * (1 - saturation))
