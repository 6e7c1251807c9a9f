"""OpenVINO: the default on a CPU, and Intel's GPUs and NPUs."""

import os
import queue
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import openvino.properties as properties
import openvino.properties.hint as hints
import platformdirs
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from streamlight.backends.base import BackendInfo, Prior
from streamlight.errors import BackendError, BackendUnavailableError
from streamlight.frame import Image
from streamlight.models import GraphName, graph_path
from streamlight.models.spec import ModelSpec

_TYPES = {"fp32": ov.Type.f32, "bf16": ov.Type.bf16, "fp16": ov.Type.f16}

_MEMORY_BUDGET_BYTES = 1_000_000_000
"""What the feature maps of all streams may take; large frames get fewer streams."""

_LIVE_MAPS = 3
"""Feature maps of one stream that are alive at once (measured: docs/architecture.md)."""


class OpenVinoBackend:
    """The shipped ONNX graphs through OpenVINO.

    The detail network is compiled for each picture size and dtype that comes (a video has one),
    with as many streams as the processor and the memory allow: on a CPU, independent streams of
    few threads leave no core waiting for another.
    """

    def __init__(
        self,
        model: ModelSpec,
        device: str = "CPU",
        precision: str | None = None,
        parallel: int | None = 1,
    ) -> None:
        """Open a device ("CPU", "GPU", "NPU", or "GPU.1").

        Args:
            model: what to run.
            device: OpenVINO's name of it.
            precision: "fp32", "bf16" or "fp16"; None takes BF16 (CPU) or FP16 (GPU, NPU) where
                the device has it, else FP32.
            parallel: how many pictures at once; None for the most in all, 1 for the least time
                a picture.

        Raises:
            BackendUnavailableError: there is no such device, or it has no such precision.
        """
        self._model = model
        self._core = shared_core()
        self._device = device.upper()
        if self._device.split(".")[0] not in {
            d.split(".")[0] for d in self._core.available_devices
        }:
            raise BackendUnavailableError(
                f"openvino has no device {device} here; it has: "
                f"{', '.join(self._core.available_devices)}"
            )
        try:
            capabilities = self._core.get_property(self._device, properties.device.capabilities)
        except RuntimeError as error:
            raise BackendUnavailableError(f"openvino has no device {device} here") from error
        precision = precision or _best_precision(capabilities)
        if precision.upper() not in capabilities:
            raise BackendUnavailableError(
                f"{device} has no {precision.upper()} here; --precision fp32 works everywhere"
            )
        self._precision = precision
        name = self._core.get_property(self._device, properties.device.full_name)
        self.info = BackendInfo("openvino", " ".join(name.split()), precision)
        self._cores = os.cpu_count() or 1
        most = min(4, self._cores) if self._device == "CPU" else 2
        self.parallel = most if parallel is None else parallel
        if (cache := _cache_folder()) is not None:
            self._core.set_property({properties.cache_dir: str(cache)})
        try:
            self._estimate = self._compile_estimate()
        except RuntimeError as error:
            raise BackendUnavailableError(
                f"openvino cannot run {model.name} on {device}: {_reason(error)}"
            ) from error
        self._networks: dict[tuple[tuple[int, ...], Any], _Network] = {}
        self._lock = threading.Lock()

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        try:
            self._estimate.infer({0: view})
        except RuntimeError as error:
            raise BackendError(f"openvino failed on {self._device}: {_reason(error)}") from error
        return np.array(self._estimate.get_output_tensor().data)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """See `Backend.reconstruct`."""
        try:
            return self._network(image).run(image, prior)
        except RuntimeError as error:
            raise BackendError(f"openvino failed on {self._device}: {_reason(error)}") from error

    def close(self) -> None:
        """See `Backend.close`."""
        self._networks.clear()

    def _compile_estimate(self) -> Any:
        graph = self._core.read_model(graph_path(self._model, "estimate"))
        # FP32: it is a thousandth of the work, and its output is what smoothing remembers
        config = {hints.inference_precision: ov.Type.f32, properties.num_streams: 1}
        return self._core.compile_model(graph, self._device, config).create_infer_request()

    def _network(self, image: Image) -> "_Network":
        key = (image.shape, image.dtype)
        with self._lock:
            network = self._networks.get(key)
            if network is None:
                network = self._networks[key] = self._compile(image)
            return network

    def _compile(self, image: Image) -> "_Network":
        height, width = image.shape[:2]
        is_compact = min(height, width) >= self._model.compact_min_side
        name: GraphName = "reconstruct_compact" if is_compact else "reconstruct"
        graph = self._core.read_model(graph_path(self._model, name))
        graph.reshape({"image": [1, height, width, 3]})
        config: dict[Any, Any] = {hints.inference_precision: _TYPES[self._precision]}
        if self._device == "CPU":
            streams = self._streams(height, width)
            config[properties.num_streams] = streams
            config[properties.inference_num_threads] = self._cores
        else:
            streams = self.parallel
        compiled = self._core.compile_model(
            _with_integers(graph, image.dtype), self._device, config
        )
        return _Network(compiled, streams)

    def _streams(self, height: int, width: int) -> int:
        pixels = height * width // self._model.unshuffle**2
        bytes_each = 4 if self._precision == "fp32" else 2
        stream = pixels * max(self._model.detail_widths) * bytes_each * _LIVE_MAPS
        return max(1, min(self.parallel, _MEMORY_BUDGET_BYTES // max(1, stream)))


class _Network:
    """The detail network for one size, with a request for each stream."""

    def __init__(self, compiled: Any, streams: int) -> None:
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())

    def run(self, image: Image, prior: Prior) -> Image:
        result = np.empty_like(image)
        request = self._idle.get()
        try:
            # shared memory: the network reads the picture and writes the result in place
            request.set_tensor("image", ov.Tensor(image[None], shared_memory=True))
            request.set_tensor("prior", ov.Tensor(prior, shared_memory=True))
            request.set_output_tensor(ov.Tensor(result[None], shared_memory=True))
            request.infer()
        finally:
            self._idle.put(request)
        return result


def _with_integers(graph: Any, dtype: "np.dtype[Any]") -> Any:
    """Let a graph of float pictures in [0, 1] take and give the integers of `dtype`."""
    if dtype == np.float32:
        return graph
    peak = float(np.iinfo(dtype).max)
    integer = ov.Type(dtype)
    wrapper = PrePostProcessor(graph)
    image = wrapper.input("image")
    image.tensor().set_element_type(integer)
    image.preprocess().convert_element_type(ov.Type.f32).scale(peak)
    wrapper.output().postprocess().custom(
        lambda output: ops.convert(
            ops.round(ops.multiply(output, ops.constant(np.float32(peak)))), integer
        ).output(0)
    )
    return wrapper.build()


def _best_precision(capabilities: list[str]) -> str:
    return next((p for p in ("bf16", "fp16") if p.upper() in capabilities), "fp32")


def _reason(error: RuntimeError) -> str:
    """Take the last line of OpenVINO's message; those before it are places in its source."""
    return (str(error).strip() or "no reason given").splitlines()[-1]


@lru_cache(maxsize=1)
def shared_core() -> Any:
    """Return the process's one Core, which lives as long as the process does.

    Each Core's CPU plugin gives the thread an alternate signal stack, and puts the one before it
    back when it goes. Cores that go in another order than they came in leave a stack that is
    freed, and the next signal (a Ctrl-C) crashes the process. Seen with OpenVINO 2026.4.
    """
    return ov.Core()


def _cache_folder() -> Path | None:
    """Return where compiled networks are kept for the next time; None where nothing can be."""
    folder = platformdirs.user_cache_path("streamlight") / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder
