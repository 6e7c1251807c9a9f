"""What the tests of the models share: the loaded networks, and dark pictures for them."""

from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from streamlight.models import get_spec
from streamlight.models.weights import load_network

if TYPE_CHECKING:
    from streamlight.models.gladnet import GLADNet


@cache
def network(name: str) -> "GLADNet":
    """Return a packaged network, loaded once."""
    return load_network(get_spec(name))


@cache
def dark_prior(name: str) -> npt.NDArray[np.float32]:
    """Return the prior (1, C, 96, 96) of a dark view, by PyTorch."""
    import torch

    with torch.inference_mode():
        prior = network(name).estimate(torch.from_numpy(dark(1, 3, 96, 96)))
    return cast(npt.NDArray[np.float32], prior.numpy())


def dark(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return noise in [0, 0.2): with its own prior, no model brightens it into the clamp."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32) * np.float32(0.2)


def darkened_view() -> npt.NDArray[np.float32]:
    """Return a view (1, 3, 96, 96) of a scene that clips, taken down: what a meter corrects."""
    light = np.random.default_rng(0).random((1, 3, 96, 96), dtype=np.float32) ** 2
    light[..., :3] = 1
    return np.asarray((light / 8) ** (1 / 2.2), np.float32)


def assert_not_saturated(image: npt.NDArray[np.floating]) -> None:
    """Fail where the clamp to [0, 1] might hide a difference."""
    assert image.min() > 0.01
    assert image.max() < 0.99
