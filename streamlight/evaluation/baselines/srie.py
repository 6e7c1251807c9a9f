"""SRIE: reflectance and illumination at once, in the logarithmic domain.

Source: X. Fu, D. Zeng, Y. Huang, X.-P. Zhang, X. Ding, "A Weighted Variational Model for
Simultaneous Reflectance and Illumination Estimation", CVPR 2016. It minimises

    |r + l - s|^2 + c1 |R grad r|_1 + c2 |L grad l|^2,   r <= 0,  s <= l,

where s, r, l are logarithms of the picture's brightness (on a scale of 1 to 255), the reflectance
R and the illumination L. R and L as weights are those of the step before, so that the gradients
count as they do in the picture itself. Alternating steps: a shrinkage for R grad r, least squares
for r, least squares for l.

The least squares are solved in the Fourier domain, as in the paper. That takes weights that are
the same everywhere; here these are the root mean squares of R and of L.

The GLADNet paper finds its results too dark.
"""

import numpy as np
from numpy.typing import NDArray

from streamlight.evaluation.baselines.pixels import check_picture, to_bytes
from streamlight.frame import Image

Field = NDArray[np.float64]

WHITE = 255.0


def srie(image: Image, gamma: float = 2.2) -> Image:
    """Apply a power curve to the illumination of HSV's value channel and keep the reflectance.

    Args:
        image: uint8 RGB (H, W, 3).
        gamma: the illumination is raised to 1 / gamma.
    """
    check_picture(image)
    value = np.maximum(image.max(axis=2), 1).astype(np.float64)
    reflectance, illumination = decompose(value)
    enhanced = reflectance * WHITE * (illumination / WHITE) ** (1 / gamma)
    # scaling the three channels alike keeps hue and saturation
    return to_bytes(image * (enhanced / value)[:, :, None] / WHITE)


def decompose(
    value: Field,
    c1: float = 0.01,
    c2: float = 0.1,
    penalty: float = 1.0,
    iterations: int = 20,
    tolerance: float = 1e-3,
) -> tuple[Field, Field]:
    """Split brightness into reflectance and illumination.

    Args:
        value: (H, W), 1 to 255.
        c1: weight of the reflectance's gradients; few, large ones are preferred.
        c2: weight of the illumination's gradients; small ones are preferred.
        penalty: of the split variable d = R grad r, the paper's lambda.
        iterations: at most.
        tolerance: relative change of r and of l that ends the iterations.

    Returns:
        Reflectance in (0, 1] and illumination in [value, 255], both (H, W).
    """
    observed = np.log(value)
    gradient_power = _gradient_power(observed.shape)
    log_r, log_l = np.zeros_like(observed), observed
    multiplier = np.zeros((2, *observed.shape))
    for _ in range(iterations):
        previous = log_r, log_l
        weight = np.exp(log_r)
        split = _shrink(weight * _gradient(log_r) + multiplier, 1 / (2 * penalty))
        mean_square = np.mean(weight**2)
        log_r = _solve(
            observed - log_l + c1 * penalty * np.sqrt(mean_square) * _adjoint(split - multiplier),
            1 + c1 * penalty * mean_square * gradient_power,
        )
        log_r = np.minimum(log_r, 0)
        multiplier += np.exp(log_r) * _gradient(log_r) - split
        log_l = _solve(observed - log_r, 1 + c2 * np.mean(np.exp(2 * log_l)) * gradient_power)
        log_l = np.clip(log_l, observed, np.log(WHITE))
        if all(
            np.linalg.norm(new - old) <= tolerance * np.linalg.norm(old)
            for new, old in zip((log_r, log_l), previous, strict=True)
        ):
            break
    return np.exp(log_r), np.exp(log_l)


def _gradient(field: Field) -> Field:
    """Forward differences (2, H, W); the picture repeats beyond its edges."""
    return np.stack([np.roll(field, -1, axis) - field for axis in (0, 1)])


def _adjoint(vectors: Field) -> Field:
    """Transpose of `_gradient`: from (2, H, W) to (H, W)."""
    rows, columns = vectors
    return np.asarray(np.roll(rows, 1, 0) - rows + np.roll(columns, 1, 1) - columns)


def _gradient_power(shape: tuple[int, ...]) -> Field:
    """|F(d/dy)|^2 + |F(d/dx)|^2 for the frequencies of `rfft2`, where |e^iw - 1|^2 = 4 sin^2."""
    rows = 4 * np.sin(np.pi * np.fft.fftfreq(shape[0])) ** 2
    columns = 4 * np.sin(np.pi * np.fft.rfftfreq(shape[1])) ** 2
    return np.asarray(rows[:, None] + columns[None, :])


def _solve(right_side: Field, spectrum: Field) -> Field:
    return np.asarray(np.fft.irfft2(np.fft.rfft2(right_side) / spectrum, s=right_side.shape))


def _shrink(values: Field, threshold: float) -> Field:
    return np.asarray(np.sign(values) * np.maximum(np.abs(values) - threshold, 0))
