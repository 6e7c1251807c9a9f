"""What a backend is: the two functions of GLADNet on some device."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamlight.color import ColorSpec
from streamlight.frame import Image, Planes
from streamlight.models.prior_index import Place
from streamlight.view import Viewable

Prior = NDArray[np.float32]
"""Illumination features (1, C, 96, 96), FP32, on the host."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What was opened, for people.

    Attributes:
        backend: name, as `--backend` takes it.
        device: what runs the network, as the driver calls it.
        precision: of the detail network: "fp32", "bf16", "fp16" or "int8".
    """

    backend: str
    device: str
    precision: str

    def __str__(self) -> str:
        """Say it in one phrase: "openvino, BF16 on AMD EPYC 9R14"."""
        return f"{self.backend}, {self.precision.upper()} on {self.device}"


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a backend takes of its device's memory; docs/tiles.md says how it was measured.

    Attributes:
        fixed_bytes: with its libraries and weights, before any picture.
        bytes_per_pixel: for each pixel of a picture in one call of `reconstruct`, besides the
            picture and the result.
    """

    fixed_bytes: int
    bytes_per_pixel: float


class Backend(Protocol):
    """Runs one model on one device. Buffers belong to it; arrays that it returns do not.

    Attributes:
        parallel: how many calls of `reconstruct` may usefully run at once, at least 1.
        memory: what it takes.
    """

    parallel: int
    memory: MemoryNeed

    @property
    def info(self) -> BackendInfo:
        """What runs the network; of a `HotSwapBackend` it changes."""

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """Estimate the illumination of a view (1, 3, 96, 96) in [0, 1].

        Raises:
            BackendError: the device failed.
        """

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """Enhance a picture or a tile of one; may be called from `parallel` threads at once.

        Args:
            image: RGB (H, W, 3), C-contiguous; both sides are multiples of the model's
                `unshuffle`; uint8, uint16, or float32 in [0, 1].
            prior: what `estimate` gave for the whole frame, smoothed or not.
            place: where `image` lies in its frame, where it is a tile. Its result is that of the
                whole frame but for a border of `streamlight.tiles.halo_of` pixels.

        Returns:
            A new array of the same shape and dtype.

        Raises:
            OutOfMemoryError: the device has too little memory; a smaller picture may fit.
            BackendError: the device failed.
        """

    def free_bytes(self) -> int | None:
        """Memory of the device that is free now; None where that cannot be told."""

    def close(self) -> None:
        """Free the device; the backend cannot be used afterwards."""


@dataclass(frozen=True, slots=True)
class PlanesForm:
    """What pictures that stay on the device have in common.

    Attributes:
        width: even.
        height: even.
        bits: 8 for NV12, 10 for P010.
        color: matrix and range of the pictures, filled in.
        written: likewise of the results.
        blends: whether a strength below 1 may be asked for.
        stays: whether results stay on the device.
    """

    width: int
    height: int
    bits: int
    color: ColorSpec
    written: ColorSpec
    blends: bool = False
    stays: bool = False


class PlanesNetwork(Protocol):
    """A backend's way for pictures of one form that stay on its device."""

    def take(self, planes: Planes) -> Viewable:
        """Take in a decoded picture; from any thread."""

    def reconstruct(self, picture: Viewable, prior: Prior, strength: float) -> Planes:
        """Enhance a picture that `take` gave; from `Backend.parallel` threads at once.

        Raises:
            BackendError: the device failed.
        """


@runtime_checkable
class PlanesBackend(Protocol):
    """A backend that can keep pictures on its device.

    Attributes:
        device_index: of the GPU, as CUDA counts.
    """

    device_index: int

    def planes_network(self, form: PlanesForm) -> PlanesNetwork:
        """Prepare for pictures of a form.

        Raises:
            OutOfMemoryError: the device has too little memory for them.
            BackendError: it failed.
        """
