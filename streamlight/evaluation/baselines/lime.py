"""LIME: estimate the illumination from the brightest channel, smooth it, divide by it.

Source: X. Guo, Y. Li, H. Ling, "LIME: Low-Light Image Enhancement via Illumination Map
Estimation", IEEE Transactions on Image Processing 26(2), 2017: the sped-up solver with the third
weighting strategy, alpha 0.15, gamma 0.8. Its optional denoising (BM3D) is left out.

The GLADNet paper finds the highlights of its results over-bright.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from streamlight.evaluation.baselines.pixels import to_bytes, to_unit
from streamlight.frame import Image

EPSILON = 1e-3
"""Keeps the divisions finite."""


def lime(image: Image, alpha: float = 0.15, gamma: float = 0.8, sigma: float = 2.0) -> Image:
    """Divide by the illumination map raised to `gamma`.

    About 1 s for 600x400; the time grows faster than the number of pixels.

    Args:
        image: uint8 RGB (H, W, 3).
        alpha: weight of the map's smoothness.
        gamma: of the illumination map; 1 would take all illumination away.
        sigma: in pixels, of the window that tells texture (gradients of both signs) from edges.
    """
    picture = to_unit(image)
    illumination = smooth_illumination(picture.max(axis=2), alpha, sigma)
    return to_bytes(picture / (illumination**gamma)[:, :, None])


def smooth_illumination(
    initial: NDArray[np.float32], alpha: float, sigma: float
) -> NDArray[np.float64]:
    """Solve (I + sum_d D_d^T diag(w_d) D_d) t = initial, w_d = alpha W_d / (|D_d initial| + eps).

    D_d is the forward difference along axis d and W_d the weight of the third strategy. The
    matrix is symmetric, positive definite and has five diagonals: a sparse LU solves it exactly.

    Args:
        initial: brightest channel of each pixel, (H, W) in [0, 1].
        alpha: weight of the smoothness.
        sigma: in pixels, of the window of W_d.

    Returns:
        The illumination map, (H, W), in (0, 1].
    """
    down, right = (
        alpha * _edge_weight(difference, sigma) / (np.abs(difference) + EPSILON)
        for difference in (
            np.diff(initial, axis=0, append=initial[-1:]),
            np.diff(initial, axis=1, append=initial[:, -1:]),
        )
    )
    # each pixel is coupled to the next one below and on the right
    index = np.arange(initial.size).reshape(initial.shape)
    here = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    next_ = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    weights = np.concatenate([down[:-1].ravel(), right[:, :-1].ravel()]).astype(np.float64)
    couplings = sparse.coo_array((weights, (here, next_)), shape=(initial.size, initial.size))
    couplings = couplings + couplings.T
    matrix = sparse.diags_array(1 + couplings.sum(axis=1)) - couplings
    solver = splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0,
        options={"SymmetricMode": True},
    )
    solution = solver.solve(initial.ravel().astype(np.float64))
    return np.asarray(np.maximum(solution.reshape(initial.shape), EPSILON))


def _edge_weight(difference: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Low where the differences around a pixel agree in sign: at an edge, not in texture."""
    summed = np.asarray(cv2.GaussianBlur(difference, (0, 0), sigma))
    return np.asarray(1 / (np.abs(summed) + np.float32(EPSILON)))
