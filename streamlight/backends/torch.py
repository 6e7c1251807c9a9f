"""PyTorch: the reference, and CUDA devices."""

import importlib

import numpy as np
import torch
from numpy.typing import NDArray

from streamlight.backends.base import BackendInfo, Prior
from streamlight.errors import BackendError, BackendUnavailableError
from streamlight.frame import Image
from streamlight.models.spec import ModelSpec

_TYPES = {"fp32": torch.float32, "fp16": torch.float16}


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
        self._min_compact = model.compact_min_side
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

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """See `Backend.reconstruct`."""
        peak = 1.0 if image.dtype == np.float32 else float(np.iinfo(image.dtype).max)
        try:
            with torch.inference_mode():
                x = torch.from_numpy(image).to(self._device)
                x = (x.permute(2, 0, 1)[None].float() / peak).to(self._dtype)
                y = torch.from_numpy(prior).to(self._device, self._dtype)
                forward = (
                    self._detail.forward_compact
                    if min(image.shape[:2]) >= self._min_compact
                    else self._detail
                )
                result = forward(x, y)[0].permute(1, 2, 0).float()
                if image.dtype != np.float32:
                    result = (result * peak).round()
                    result = result.to(torch.uint8 if peak == 255 else torch.int32)
                return np.asarray(result.cpu().numpy(), image.dtype)
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"{self.info.device} ran out of memory at {image.shape[1]}x{image.shape[0]}; "
                "--model gladnet-fast needs less"
            ) from error

    def close(self) -> None:
        """See `Backend.close`."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
