"""NVIDIA GPUs through PyTorch: FP16, recorded as CUDA graphs, with kernels of our own."""

import importlib
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from streamlight.backends.base import Backend, BackendInfo, MemoryNeed, PlanesForm, Prior
from streamlight.backends.torch import TorchBackend, free_bytes_of
from streamlight.cuda.network import DetailNetwork
from streamlight.cuda.ops import load_ops
from streamlight.cuda.planes import PlanesPicture, PlanesProgram, PlanesSize
from streamlight.cuda.programs import RgbProgram, Size
from streamlight.cuda.replay import Replay
from streamlight.cuda.ycbcr import YCbCr
from streamlight.errors import BackendError, BackendUnavailableError, OutOfMemoryError
from streamlight.frame import Image, Planes
from streamlight.models.prior_index import Place
from streamlight.models.spec import PRIOR_SIZE, ModelSpec
from streamlight.view import sample_nearest

_T = TypeVar("_T")

_MOST_PARALLEL = 2
"""One picture is copied while another is computed; a third would only take memory."""

_PROGRAMS = 3
"""Sizes that a context keeps ready; a video has one, and tiles of it one more."""

LEAST_PSNR_DB = 50
"""Against FP32, after rounding to 8 bits; docs/architecture.md promises it."""

_LIVE_MAPS = 5.5
_PICTURE_BYTES = 110
_FIXED_BYTES = 400_000_000
"""Those of the torch backend (docs/tiles.md), which keeps more; so they are bounds."""


class _Context:
    """A stream, and what is ready to run on it; used by one thread at a time."""

    def __init__(self, stream: "torch.cuda.Stream | None") -> None:
        self.stream = stream
        self.programs: OrderedDict[Size | PlanesSize, Any] = OrderedDict()


class CudaBackend:
    """The detail network of `streamlight.cuda`, the illumination network in FP32.

    Attributes:
        ways: what runs the layers "first", "hidden" and "last", for people.
        check_side: of the noise that `checked` runs; each cell of the prior has two pixels.
        device_index: of the GPU, as CUDA counts.
    """

    def __init__(
        self,
        model: ModelSpec,
        device: torch.device,
        dtype: torch.dtype = torch.float16,
        parallel: int | None = 1,
    ) -> None:
        """Load the weights onto a device; on a CPU, which tests use, nothing is recorded.

        Args:
            model: what to run.
            device: that is there.
            dtype: of the detail network.
            parallel: how many pictures at once; None means 2.
        """
        self._device, self._model = device, model
        self.device_index = device.index or 0
        weights = importlib.import_module("streamlight.models.weights")
        network = weights.load_network(model)
        self.check_side = model.cells_min_side
        self._ops = load_ops(device)
        with torch.inference_mode():
            self._detail = DetailNetwork(network.detail, device, dtype, self._ops)
        self.ways = {kind: way.name for kind, way in self._detail.ways.items()}
        self._prior_network = network.prior.to(device)
        self.parallel = min(parallel or _MOST_PARALLEL, _MOST_PARALLEL)
        self._contexts: SimpleQueue[_Context] = SimpleQueue()
        for _ in range(self.parallel):
            self._contexts.put(_Context(self._new_stream()))
        self._estimating = Lock()
        with torch.inference_mode():
            self._view = torch.zeros(1, 3, PRIOR_SIZE, PRIOR_SIZE, device=device)
            prior_shape = (1, model.prior_channels, PRIOR_SIZE, PRIOR_SIZE)
            self._prior = torch.zeros(prior_shape, device=device)
            self._estimate_stream = self._new_stream()
            self._estimate = Replay(self._estimate_work, self._estimate_stream)
        width_bytes = model.widest * dtype.itemsize
        self.memory = MemoryNeed(
            _FIXED_BYTES, _LIVE_MAPS * width_bytes / model.unshuffle**2 + _PICTURE_BYTES
        )
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        precision = {torch.float16: "fp16", torch.float32: "fp32"}[dtype]
        self.info = BackendInfo("cuda", name, precision)

    def _new_stream(self) -> "torch.cuda.Stream | None":
        return torch.cuda.Stream(self._device) if self._device.type == "cuda" else None

    def _estimate_work(self) -> None:
        self._prior.copy_(self._prior_network(self._view))

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""

        def run() -> Prior:
            self._view.copy_(torch.from_numpy(view))
            self._estimate()
            return np.array(self._prior.cpu().numpy(), np.float32)

        with self._estimating, torch.inference_mode():
            return self._translated("the illumination network", lambda: self._on(run))

    def _on(self, run: Callable[[], _T]) -> _T:
        if self._estimate_stream is None:
            return run()
        with torch.cuda.stream(self._estimate_stream):
            return run()

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`."""
        height, width = image.shape[:2]
        whole = place or Place(height, width, 0, 0)
        is_compact = self._model.is_compact(whole.height, whole.width)
        size = Size(height, width, image.dtype.name, is_compact)
        context = self._contexts.get()  # waits where more threads call than `parallel`
        try:
            with torch.inference_mode():
                return self._translated(
                    f"{width}x{height}",
                    lambda: self._program(context, size)(image, prior, whole),
                    context,
                )
        finally:
            self._contexts.put(context)

    def planes_network(self, form: PlanesForm) -> "CudaPlanes":
        """See `PlanesBackend.planes_network`; every context gets its program at once."""
        spec, written = (YCbCr.of(color, form.bits) for color in (form.color, form.written))
        size = PlanesSize(form.height, form.width, spec, written, form.blends, form.stays)
        contexts = [self._contexts.get() for _ in range(self.parallel)]
        try:
            for context in contexts:
                self._prepare(context, size)
        finally:
            for context in contexts:
                self._contexts.put(context)
        return CudaPlanes(self, size, self._device)

    def _prepare(self, context: _Context, size: PlanesSize) -> None:
        with torch.inference_mode():
            self._translated(
                f"{size.width}x{size.height}", lambda: self._program(context, size), context
            )

    def reconstruct_planes(
        self, size: PlanesSize, picture: PlanesPicture, prior: Prior, strength: float
    ) -> Planes:
        """See `PlanesNetwork.reconstruct`."""
        context = self._contexts.get()
        try:
            with torch.inference_mode():
                planes: Planes = self._translated(
                    f"{size.width}x{size.height}",
                    lambda: self._program(context, size)(picture, prior, strength),
                    context,
                )
            return planes
        finally:
            self._contexts.put(context)

    def _program(self, context: _Context, size: Size | PlanesSize) -> Any:
        program = context.programs.get(size)
        if program is None:
            while len(context.programs) >= _PROGRAMS:
                context.programs.popitem(last=False)
            parts = self._model, self._detail, self._ops, self._device, context.stream
            if isinstance(size, PlanesSize):
                program = PlanesProgram(size, *parts)
            else:
                program = RgbProgram(size, *parts)
            context.programs[size] = program
        context.programs.move_to_end(size)
        return program

    def _translated(self, what: str, run: Callable[[], _T], context: _Context | None = None) -> _T:
        """Run, with PyTorch's errors in our words; what a full device held is let go."""
        try:
            return run()
        except RuntimeError as error:
            if not _is_full(error):
                reason = str(error).partition("\n")[0]
                raise BackendError(f"{self.info.device} failed at {what}: {reason}") from error
            if context is not None:
                context.programs.clear()
            failure = OutOfMemoryError(
                f"{self.info.device} ran out of memory at {what}; --model gladnet-fast needs less"
            )
            failure.__cause__ = error.with_traceback(None)  # its frames hold the buffers
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        raise failure

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`."""
        return free_bytes_of(self._device)

    def close(self) -> None:
        """See `Backend.close`."""
        for _ in range(self._contexts.qsize()):
            self._contexts.get().programs.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


class CudaPlanes:
    """Pictures of one form on the device of a `CudaBackend`; see `PlanesNetwork`."""

    def __init__(self, backend: CudaBackend, size: PlanesSize, device: torch.device) -> None:
        """See `CudaBackend.planes_network`."""
        self._backend, self._size, self._device = backend, size, device

    def take(self, planes: Planes) -> PlanesPicture:
        """See `PlanesNetwork.take`."""
        return PlanesPicture(planes, self._size.spec, self._device)

    def reconstruct(self, picture: Any, prior: Prior, strength: float) -> Planes:
        """See `PlanesNetwork.reconstruct`."""
        return self._backend.reconstruct_planes(self._size, picture, prior, strength)


def open_cuda(
    model: ModelSpec, device: str | None, precision: str | None, parallel: int | None
) -> CudaBackend:
    """Open a CUDA device, "cuda" or "cuda:1", None for the first; and check that it computes right.

    Raises:
        BackendUnavailableError: there is no such device, or its results are not those of FP32.
    """
    name = (device or "cuda").lower()
    if not name.startswith("cuda"):
        raise BackendUnavailableError(f"backend cuda has no device {name}; --device cuda")
    if not torch.cuda.is_available():
        raise BackendUnavailableError("torch finds no CUDA device here; --backend auto works")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise BackendUnavailableError(f"torch has no device {name} here") from error
    dtype = torch.float32 if precision == "fp32" else torch.float16
    return checked(CudaBackend(model, found, dtype, parallel), TorchBackend(model, name, "fp32"))


def checked(backend: CudaBackend, reference: Backend) -> CudaBackend:
    """Return a backend whose results on noise are those of a reference.

    Kernels are compiled on the device of the user, with versions that nobody tested.

    Raises:
        BackendUnavailableError: it fails, or its results are others.
    """
    side = backend.check_side
    noise = np.random.default_rng(0).integers(0, 80, (side, side + 34, 3), dtype=np.uint8)
    advice = "--backend torch --device cuda does without the kernels"
    try:
        prior = reference.estimate(sample_nearest(noise))
        error = backend.reconstruct(noise, prior).astype(np.float64)
        error -= reference.reconstruct(noise, prior)
        psnr_db = -10 * np.log10(max(np.mean(error**2) / 255**2, 1e-12))
    except BackendError as failure:
        backend.close()
        raise BackendUnavailableError(
            f"backend cuda does not run: {failure}; {advice}"
        ) from failure
    finally:
        reference.close()
    if not psnr_db >= LEAST_PSNR_DB:
        backend.close()
        raise BackendUnavailableError(
            f"backend cuda gives wrong results on {backend.info.device} ({psnr_db:.1f} dB against "
            f"FP32, and {LEAST_PSNR_DB} are expected); {advice}"
        )
    return backend


def _is_full(error: RuntimeError) -> bool:
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
    )
