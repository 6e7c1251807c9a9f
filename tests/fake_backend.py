"""A backend without a network. Its prior is its view; the picture comes back one level brighter."""

import numpy as np
from numpy.typing import NDArray

from streamlight.backends import BackendInfo, MemoryNeed, Prior
from streamlight.frame import Image
from streamlight.models.prior_index import Place


class FakeBackend:
    """Notes what it is given."""

    def __init__(self, info: BackendInfo | None = None, parallel: int = 1) -> None:
        self.info = info or BackendInfo("fake", "nothing", "fp32")
        self.parallel = parallel
        self.memory = MemoryNeed(fixed_bytes=0, bytes_per_pixel=1)
        self.free: int | None = None
        self.views: list[NDArray[np.float32]] = []
        self.images: list[Image] = []
        self.places: list[Place | None] = []
        self.is_closed = False

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        self.views.append(view)
        return view

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        self.images.append(image)
        self.places.append(place)
        return np.asarray(image + image.dtype.type(1))

    def free_bytes(self) -> int | None:
        return self.free

    def close(self) -> None:
        self.is_closed = True
