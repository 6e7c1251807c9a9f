"""OpenVINO: the default on a CPU, and Intel's GPUs and NPUs."""

import os
import queue
import re
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

from streamlight.backends.base import BackendInfo, MemoryNeed, Prior
from streamlight.errors import BackendError, BackendUnavailableError, OutOfMemoryError
from streamlight.frame import Image
from streamlight.memory import available_bytes
from streamlight.models import GraphName, graph_path
from streamlight.models.packaged import int8_graph_path
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import ModelSpec

_TYPES = {"fp32": ov.Type.f32, "bf16": ov.Type.bf16, "fp16": ov.Type.f16}

_MEMORY_BUDGET_BYTES = 1_000_000_000
"""What the feature maps of all streams may take; large frames get fewer streams."""

_LIVE_MAPS = 2
"""Feature maps of one stream that are alive at once (measured: docs/tiles.md)."""

_PICTURE_BYTES = 16
"""For each pixel, the picture as the network takes and gives it (measured: docs/tiles.md)."""

_AFFINE_VALUES = 12
"""For each pixel, two maps of factors and offsets: of 2 bytes a value where `_carry_in_bf16` is at
work, else in FP32."""

_AFFINE_PICTURE_BYTES = 40
"""For each pixel, the picture in the affine form, twice in FP32 (measured: docs/tiles.md)."""

_FIXED_BYTES = 250_000_000
"""Interpreter, libraries and compiled networks (measured: docs/tiles.md)."""

_PRIOR_AXES = {1: "rows", 2: "columns"}
"""Axes of the two Gathers by which a graph resizes the prior, and what tiles call their indices."""

_NHWC_OF_NCHW, _NCHW_OF_NHWC = (0, 2, 3, 1), (0, 3, 1, 2)
"""Transpositions of a prior, which lies in memory as the convolutions give and take it."""

_OUT_OF_MEMORY = re.compile(
    "bad.?alloc|out of (gpu )?(memory|resources)|max size of memory", re.IGNORECASE
)
"""How OpenVINO's plugins say it; they have no error of its own for it."""


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
            precision: "fp32", "bf16", "fp16", or "int8" on a CPU, of models that have the graph
                for it and pictures of 8 bits (deeper ones are computed in 16 or 32); None takes
                the fastest that is good (`_best_precision`).
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
        int8_graph = int8_graph_path(model) if self._device == "CPU" else None
        precision = precision or _best_precision(capabilities, int8_graph is not None)
        if precision == "int8" and int8_graph is None:
            raise BackendUnavailableError(
                f"{model.name} has no 8-bit graph for {device}; --precision fp32 works everywhere"
            )
        if precision.upper() not in capabilities:
            raise BackendUnavailableError(
                f"{device} has no {precision.upper()} here; --precision fp32 works everywhere"
            )
        self._type = _TYPES[_best_float(capabilities) if precision == "int8" else precision]
        self._int8_graph = int8_graph if precision == "int8" else None
        self._carries_bf16 = self._device == "CPU" and self._type == ov.Type.bf16
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
        need = _LIVE_MAPS * model.widest * self._type.size / model.unshuffle**2 + _PICTURE_BYTES
        if model.is_affine:
            size = 2 if self._carries_bf16 else 4
            need = max(need, _AFFINE_VALUES * size + _AFFINE_PICTURE_BYTES)
        self.memory = MemoryNeed(_FIXED_BYTES, need)
        self._networks: dict[_Key, _Network] = {}
        self._lock = threading.Lock()

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        try:
            self._estimate.infer({0: view})
        except RuntimeError as error:
            raise self._failure(error) from error
        return np.array(self._estimate.get_output_tensor().data).transpose(_NCHW_OF_NHWC)

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`."""
        try:
            return self._network(image, place).run(image, prior, place)
        except RuntimeError as error:
            raise self._failure(error) from error

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`; Intel's GPUs mostly share the main memory."""
        return available_bytes()

    def close(self) -> None:
        """See `Backend.close`."""
        self._networks.clear()

    def _compile_estimate(self) -> Any:
        graph = _with_prior_nhwc(self._core.read_model(graph_path(self._model, "estimate")))
        config: dict[Any, Any] = {
            hints.inference_precision: ov.Type.f32,
            properties.num_streams: 1,
        }
        if self._device == "CPU":
            # Each layer is short, and a second thread is mostly waited for where all cores are at
            # work on the detail network. Precision and threads were measured: docs/tiles.md.
            if not self._model.is_metered:  # a meter counts thousands of pixels
                config[hints.inference_precision] = self._type
            config[properties.inference_num_threads] = 1
        return self._core.compile_model(graph, self._device, config).create_infer_request()

    def _network(self, image: Image, place: Place | None) -> "_Network":
        height, width = image.shape[:2] if place is None else (place.height, place.width)
        is_compact = self._model.is_compact(height, width)
        key = (image.shape, image.dtype, is_compact, place is not None)
        with self._lock:
            network = self._networks.get(key)
            if network is None:
                network = self._networks[key] = self._compile(*key)
            return network

    def _compile(
        self, shape: tuple[int, ...], dtype: "np.dtype[Any]", is_compact: bool, is_tile: bool
    ) -> "_Network":
        height, width = shape[:2]
        name: GraphName = "reconstruct_compact" if is_compact else "reconstruct"
        # 8 bits of a deeper picture would be seen as bands in dark gradients
        int8_graph = self._int8_graph if dtype == np.uint8 else None
        graph = self._core.read_model(int8_graph or graph_path(self._model, name))
        graph.reshape({"image": [1, *shape]})
        if is_tile:
            _take_indices(graph)
        config: dict[Any, Any] = {hints.inference_precision: self._type}
        if self._carries_bf16:
            _carry_in_bf16(graph)
        if self._device == "CPU":
            stream = height * width * self.memory.bytes_per_pixel
            streams = max(1, min(self.parallel, int(_MEMORY_BUDGET_BYTES // stream)))
            config[properties.num_streams] = streams
            config[properties.inference_num_threads] = self._cores
        else:
            streams = self.parallel
        graph = _with_integers(_with_prior_nhwc(graph), dtype)
        compiled = self._core.compile_model(graph, self._device, config)
        return _Network(compiled, streams, self._model, is_compact)

    def _failure(self, error: RuntimeError) -> BackendError:
        reason = _reason(error)
        if _OUT_OF_MEMORY.search(reason):
            return OutOfMemoryError(f"{self.info.device} ran out of memory ({reason})")
        return BackendError(f"openvino failed on {self._device}: {reason}")


_Key = tuple[tuple[int, ...], "np.dtype[Any]", bool, bool]
"""Shape and dtype of a picture; whether its graph is the compact one, and that of a tile."""


class _Network:
    """The detail network for one size, with a request for each stream."""

    def __init__(self, compiled: Any, streams: int, model: ModelSpec, is_compact: bool) -> None:
        self._model = model
        self._is_compact = is_compact
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())

    def run(self, image: Image, prior: Prior, place: Place | None) -> Image:
        result = np.empty_like(image)
        nhwc = np.ascontiguousarray(prior.transpose(_NHWC_OF_NCHW))  # no copy of what is so already
        inputs: dict[str, NDArray[Any]] = {"image": image[None], "prior": nhwc}
        if place is not None:
            height, width = image.shape[:2]
            inputs["rows"], inputs["columns"] = prior_indices(
                place, height, width, self._model, self._is_compact
            )
        request = self._idle.get()
        try:
            # shared memory: the network reads the picture and writes the result in place
            for name, value in inputs.items():
                request.set_tensor(name, ov.Tensor(value, shared_memory=True))
            request.set_output_tensor(ov.Tensor(result[None], shared_memory=True))
            request.infer()
        finally:
            self._idle.put(request)
        return result


def _take_indices(graph: Any) -> None:
    """Let a graph take the rows and columns of the prior as inputs, for tiles.

    In the graph they follow from the size of the picture; those of a tile follow from its place
    in the frame. The two Gathers are the same, so a tile gets just what the whole frame gets.
    """
    gathers = [op for op in graph.get_ordered_ops() if op.get_type_name() == "Gather"]
    for gather in gathers:
        axis = int(gather.input_value(2).get_node().get_data())
        count = gather.output(0).shape[axis]
        indices = ops.parameter([count], np.int64, name=_PRIOR_AXES[axis])
        indices.output(0).set_names({_PRIOR_AXES[axis]})
        gather.input(1).replace_source_output(indices.output(0))
        graph.add_parameters([indices])
    graph.validate_nodes_and_infer_types()


def _with_prior_nhwc(graph: Any) -> Any:
    """Let a graph give or take the prior as NHWC, in which OpenVINO computes; it saves transposes.

    On two cores of a Xeon with AMX the one behind `estimate` took 2 of its 4.4 ms.
    """
    wrapper = PrePostProcessor(graph)
    takes_it = any("prior" in port.get_names() for port in graph.inputs)
    prior = wrapper.input("prior") if takes_it else wrapper.output("prior")
    prior.model().set_layout(ov.Layout("NCHW"))
    prior.tensor().set_layout(ov.Layout("NHWC"))
    return wrapper.build()


def _carry_in_bf16(graph: Any) -> None:
    """Let the factors and offsets of the affine form stay in BF16 until they are used.

    The last convolutions give BF16, but what follows them, OpenVINO would do in FP32. The values
    are the same, and half of the bytes is moved where rows are joined and the two are split.
    """
    for split in [op for op in graph.get_ordered_ops() if op.get_type_name() == "Split"]:
        takers = [(output, list(output.get_target_inputs())) for output in split.outputs()]
        for place in _places_of_values(split):
            narrow = ops.convert(place.get_source_output(), ov.Type.bf16)
            place.replace_source_output(narrow.output(0))
        for output, places in takers:
            wide = ops.convert(output, ov.Type.f32)
            for place in places:
                place.replace_source_output(wide.output(0))
    graph.validate_nodes_and_infer_types()


def _places_of_values(node: Any) -> list[Any]:
    """Find where computed values enter the operations before a node that only move them."""
    is_joint = node.get_type_name() == "Concat"
    found = []
    for place in node.inputs() if is_joint else node.inputs()[:1]:
        source = place.get_source_output().get_node()
        moves = source.get_type_name() in ("Concat", "Reshape", "Transpose", "Unsqueeze")
        found += _places_of_values(source) if moves else [place]
    return found


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


def _best_precision(capabilities: list[str], has_int8_graph: bool) -> str:
    """Choose 8 bits where there is a graph of them; they are the fastest (docs/models.md)."""
    return "int8" if has_int8_graph and "INT8" in capabilities else _best_float(capabilities)


def _best_float(capabilities: list[str]) -> str:
    """Choose 16 bits where the device has them; with 8 bits, for all that is not quantised."""
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
