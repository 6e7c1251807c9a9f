"""Pictures that the tests of the metrics share."""

from functools import lru_cache

import numpy as np
from skimage import data

from streamlight.frame import Image


@lru_cache
def photograph() -> Image:
    picture: Image = data.astronaut()
    return np.ascontiguousarray(picture[:384, :384])


def noisy(image: Image, sigma: float, seed: int = 0) -> Image:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def level(value: int) -> Image:
    return np.full((8, 8, 3), value, np.uint8)
