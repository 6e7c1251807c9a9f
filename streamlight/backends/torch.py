"""PyTorch: the reference, and CUDA devices."""

import importlib

import numpy as np
import torch
from numpy.typing import NDArray

from streamlight.backends.base import BackendInfo, MemoryNeed, Prior
from streamlight.errors import BackendUnavailableError, OutOfMemoryError
from streamlight.frame import Image
from streamlight.memory import available_bytes
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import ModelSpec

_TYPES = {"fp32": torch.float32, "fp16": torch.float16}

_LIVE_MAPS = 5.5
"""Feature maps that are alive at once, workspace included (measured: docs/tiles.md)."""

_PICTURE_BYTES = 110
"""For each pixel, the picture and the result in floats on their way (measured: docs/tiles.md)."""

_FIXED_BYTES = 400_000_000
"""Interpreter and libraries (measured: docs/tiles.md)."""


class TorchBackend:
    """The network of `streamlight.models.gladnet`, as it is written."""

    def __init__(
        self,
        model: ModelSpec,
        device: str | None = None,
        precision: str | None = None,
        parallel: int | None = 1,
    ) -> None:
        """Open a device.

        Args:
            model: what to run.
            device: "cpu", "cuda" or "cuda:1"; None takes CUDA where there is one.
            precision: "fp32" or "fp16"; None takes FP16 on CUDA, else FP32.
            parallel: how many pictures at once; None means 1.

        Raises:
            BackendUnavailableError: there is no such device, or safetensors is missing.
        """
        device = (device or ("cuda" if torch.cuda.is_available() else "cpu")).lower()
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise BackendUnavailableError("torch finds no CUDA device here; --device cpu works")
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise BackendUnavailableError(f"torch has no device {device} here") from error
        precision = precision or ("fp16" if self._device.type == "cuda" else "fp32")
        self._dtype = _TYPES[precision]
        weights = importlib.import_module("streamlight.models.weights")
        network = weights.load_network(model).to(self._device)
        self._prior_network = network.prior  # stays FP32: smoothing remembers its output
        self._detail = network.detail.to(self._dtype)
        self._model = model
        width_bytes = model.widest * self._dtype.itemsize
        self.memory = MemoryNeed(
            _FIXED_BYTES, _LIVE_MAPS * width_bytes / model.unshuffle**2 + _PICTURE_BYTES
        )
        name = "CPU"
        if self._device.type == "cuda":
            name = torch.cuda.get_device_name(self._device)
            self._detail = self._detail.to(memory_format=torch.channels_last)
        self.info = BackendInfo("torch", name, precision)
        self.parallel = parallel or 1

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        with torch.inference_mode():
            prior = self._prior_network(torch.from_numpy(view).to(self._device))
            return np.asarray(prior.cpu().numpy(), np.float32)

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`."""
        height, width = image.shape[:2]
        peak = 1.0 if image.dtype == np.float32 else float(np.iinfo(image.dtype).max)
        sides = (height, width) if place is None else (place.height, place.width)
        is_compact = self._model.is_compact(*sides)
        forward = self._detail.forward_compact if is_compact else self._detail
        try:
            with torch.inference_mode():
                at = None
                if place is not None:
                    rows, columns = prior_indices(place, height, width, self._model, is_compact)
                    at = tuple(torch.from_numpy(i).to(self._device) for i in (rows, columns))
                x = torch.from_numpy(image).to(self._device)
                x = (x.permute(2, 0, 1)[None].float() / peak).to(self._dtype)
                y = torch.from_numpy(prior).to(self._device, self._dtype)
                result = forward(x, y, at)[0].permute(1, 2, 0).float()
                if image.dtype != np.float32:
                    result = (result * peak).round()
                    result = result.to(torch.uint8 if peak == 255 else torch.int32)
                return np.asarray(result.cpu().numpy(), image.dtype)
        except RuntimeError as error:
            is_full = isinstance(error, torch.OutOfMemoryError)  # on CUDA
            if not is_full and "can't allocate memory" not in str(error):
                raise
            raise OutOfMemoryError(
                f"{self.info.device} ran out of memory at {width}x{height}; "
                "--model gladnet-fast needs less"
            ) from error

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`."""
        return free_bytes_of(self._device)

    def close(self) -> None:
        """See `Backend.close`."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def free_bytes_of(device: torch.device) -> int | None:
    """Ask for a device's free memory; what PyTorch holds and does not use counts as free."""
    if device.type != "cuda":
        return available_bytes()
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device)
    return free + held - torch.cuda.memory_allocated(device)
