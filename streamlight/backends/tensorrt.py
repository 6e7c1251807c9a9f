"""TensorRT, in both of its flavours: engines from the store, built and verified where missing."""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamlight.backends.base import Backend, BackendInfo, MemoryNeed, Prior
from streamlight.backends.engine_runner import Cuda, EngineRunner, Layout
from streamlight.engines import (
    FLAVOURS,
    EngineIdentity,
    EngineRequest,
    EngineStore,
    Flavour,
    Sizes,
    build_engine,
    identify,
    parse_sizes,
    torch_compiler,
)
from streamlight.engines.gpu import Gpu, find_gpu
from streamlight.engines.graphs import Pixels, Precision
from streamlight.engines.loading import LoadedEngine, check_gpu, load_plan
from streamlight.engines.verification import NamedFrame, compare, sample_pictures
from streamlight.errors import BackendUnavailableError
from streamlight.frame import Image
from streamlight.models import PRIOR_SIZE, GraphName
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import ModelSpec
from streamlight.tiles import choose_tiles, halo_of
from streamlight.view import sample

logger = logging.getLogger(__name__)

_LIVE_MAPS = 3
"""Feature maps of a context that are alive at once: input, result and workspace of a
convolution. An assumption; nothing here was measured (docs/tensorrt.md)."""

_FIXED_BYTES = 1_000_000_000
"""CUDA context and libraries: likewise an assumption."""

_VERIFY_SHARE = 0.25
"""Of the free memory, for the FP32 network in a verification."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the backend stands on; tests put fakes here.

    Attributes:
        cuda: memory and streams.
        gpu: that runs it.
        store: of engines.
        load: makes an engine of a plan.
        open_reference: opens FP32 of the same model, to verify engines by.
    """

    cuda: Cuda
    gpu: Gpu
    store: EngineStore
    load: Callable[[EngineIdentity, bytes], LoadedEngine]
    open_reference: Callable[[], Backend]


class TensorRtBackend:
    """One engine for `estimate`, and one for each size of picture that comes."""

    def __init__(
        self,
        model: ModelSpec,
        flavour: Flavour,
        parts: Parts,
        precision: str | None = None,
        parallel: int | None = 1,
        stop: threading.Event | None = None,
    ) -> None:
        """Open the illumination network; `TensorRtBackend.open` is the usual way.

        Args:
            model: what to run.
            flavour: of TensorRT.
            parts: what it stands on.
            precision: "fp32" or "fp16"; None for FP16.
            parallel: how many pictures at once; None means 2.
            stop: ends a build under way when it is set.

        Raises:
            BackendUnavailableError: it cannot run here; the message says why.
        """
        self._model = model
        self._flavour = flavour
        self._parts = parts
        self._precision: Precision = "fp32" if precision == "fp32" else "fp16"
        self.info = BackendInfo(flavour.name, parts.gpu.name, self._precision)
        self.parallel = parallel or 2  # one computes while the other's pictures are copied
        width_bytes = model.widest * (2 if self._precision == "fp16" else 4)
        self.memory = MemoryNeed(_FIXED_BYTES, _LIVE_MAPS * width_bytes / model.unshuffle**2)
        self._stop = stop
        self._opening = threading.Lock()
        self._details: dict[_Key, EngineRunner] = {}
        self._estimate_id, loaded = self._engine("estimate", None, "float32", "fp32")
        side = (PRIOR_SIZE, PRIOR_SIZE)
        view: Layout = {"view": ((1, 3, *side), "float32")}
        prior: Layout = {
            _output(self._estimate_id, "prior"): ((1, model.prior_channels, *side), "float32")
        }
        self._estimate = self._runner(self._estimate_id, loaded, view, prior, 1)

    @classmethod
    def open(
        cls,
        flavour: str,
        model: ModelSpec,
        device: str | None = None,
        precision: str | None = None,
        parallel: int | None = 1,
        engine_dir: Path | None = None,
        stop: threading.Event | None = None,
    ) -> Self:
        """Open a flavour on a GPU, "cuda" or "cuda:1".

        The other arguments are those of the constructor, and where engines are kept (None for
        `streamlight.engines.default_folder`).

        Raises:
            BackendUnavailableError: the flavour or PyTorch is not installed, there is no such GPU,
                or TensorRT cannot run on it.
        """
        of = FLAVOURS[flavour]
        name = (device or "cuda").lower()
        number = re.fullmatch(r"cuda(?::(\d+))?", name)
        if number is None:
            raise BackendUnavailableError(f"{flavour} has no device {device}; cuda or cuda:1")
        of.load()
        gpu = find_gpu(int(number[1] or 0))
        if gpu is None:
            raise BackendUnavailableError(f"{flavour} finds no NVIDIA GPU {name} here")
        try:
            from streamlight.backends.torch import TorchBackend
            from streamlight.backends.torch_cuda import TorchCuda
        except ImportError as error:
            raise BackendUnavailableError(f"{flavour} needs PyTorch: {of.install}") from error
        parts = Parts(
            TorchCuda(name),
            gpu,
            EngineStore(engine_dir),
            lambda identity, plan: load_plan(of, plan),
            lambda: TorchBackend(model, name, "fp32"),
        )
        return cls(model, of, parts, precision, parallel, stop)

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        """See `Backend.estimate`."""
        return np.asarray(self._estimate.run({"view": view}), np.float32)

    def reconstruct(self, image: Image, prior: Prior, place: Place | None = None) -> Image:
        """See `Backend.reconstruct`; uint16 goes through FP32 in and out."""
        if image.dtype != np.uint16:
            return self._run(image, prior, place)
        peak = np.float32(np.iinfo(np.uint16).max)
        result = self._run(image.astype(np.float32) / peak, prior, place)
        return np.asarray((result * peak).round(), np.uint16)

    def free_bytes(self) -> int | None:
        """See `Backend.free_bytes`."""
        return self._parts.cuda.free_bytes()

    def close(self) -> None:
        """See `Backend.close`."""
        for runner in (self._estimate, *self._details.values()):
            runner.close()
        self._details.clear()
        self._parts.cuda.close()

    def _run(self, image: Image, prior: Prior, place: Place | None) -> Image:
        height, width = image.shape[:2]
        whole = place or Place(height, width, 0, 0)
        is_compact = self._model.is_compact(whole.height, whole.width)
        rows, columns = prior_indices(whole, height, width, self._model, is_compact)
        inputs = {
            "image": image[None],
            "prior": prior,
            "rows": rows.astype(np.int32),
            "columns": columns.astype(np.int32),
        }
        key = (height, width, image.dtype.name, is_compact)
        runner = self._details.get(key) or self._open(key)
        return np.asarray(runner.run(inputs)[0])

    def _open(self, key: "_Key") -> EngineRunner:
        """Open the engine of a size; other sizes run meanwhile, and others who want it wait."""
        with self._opening:
            runner = self._details.get(key)
            if runner is None:
                runner = self._details[key] = self._open_detail(key)
            return runner

    def _open_detail(self, key: "_Key") -> EngineRunner:
        height, width, dtype, is_compact = key
        graph: GraphName = "reconstruct_compact" if is_compact else "reconstruct"
        pixels: Pixels = "uint8" if dtype == "uint8" else "float32"
        sizes = Sizes(*((width, height),) * 3)
        identity, loaded = self._engine(graph, sizes, pixels, self._precision)
        r, side = self._model.unshuffle, (PRIOR_SIZE, PRIOR_SIZE)
        inputs: Layout = {
            "image": ((1, height, width, 3), dtype),
            "prior": ((1, self._model.prior_channels, *side), "float32"),
            "rows": ((height // r,), "int32"),
            "columns": ((width // r,), "int32"),
        }
        output: Layout = {_output(identity, "enhanced"): ((1, height, width, 3), dtype)}
        runner = self._runner(identity, loaded, inputs, output, self.parallel)
        verification = self._parts.store.find(identity).verification
        if not verification.is_done or verification.gpu != self._parts.gpu.name:
            self._verify(runner, identity, key)
        return runner

    def _engine(
        self, graph: GraphName, sizes: Sizes | None, pixels: Pixels, precision: Precision
    ) -> tuple[EngineIdentity, LoadedEngine]:
        """Take an engine out of the store, or build it."""
        gpu, store = self._parts.gpu, self._parts.store
        request = EngineRequest(
            self._model, graph, sizes, self._flavour, precision, pixels, gpu=gpu
        )

        def takes(theirs: str) -> bool:
            return sizes is None or sizes.best in parse_sizes(theirs, self._model)

        identity = store.fitting(identify(request), gpu.compute, takes)
        if identity is None:
            wanted = identify(replace(request, compiler="torch-tensorrt"))
            identity = store.fitting(wanted, gpu.compute, takes)
        if identity is None:
            built = build_engine(request, store, stop=self._stop)
            identity = built.record.identity
            logger.info("%s was built: %s", identity.name, built.reason)
        check_gpu(identity, gpu)
        _, plan = store.load(identity)
        return identity, self._parts.load(identity, plan)

    def _runner(
        self,
        identity: EngineIdentity,
        loaded: LoadedEngine,
        inputs: Layout,
        output: Layout,
        contexts: int,
    ) -> EngineRunner:
        parts = self._parts
        cache = parts.store.kernel_cache(identity, parts.gpu.name)
        return EngineRunner(self._flavour, loaded, parts.cuda, inputs, output, contexts, cache)

    def _verify(self, runner: EngineRunner, identity: EngineIdentity, key: "_Key") -> None:
        """Compare the engines with FP32, and note it; a wrong one is refused, and stays so."""
        height, width, dtype, is_compact = key
        # a frame of which the picture is the first tile, where it is smaller than the graph's
        step = max(self._model.cells_min_side if is_compact else 0, 1)
        place = Place(max(height, step), max(width, step), 0, 0)
        rows, columns = prior_indices(place, height, width, self._model, is_compact)
        indices = {"rows": rows.astype(np.int32), "columns": columns.astype(np.int32)}
        network = _Tested(self.estimate, runner, indices, dtype)
        reference = self._parts.open_reference()
        free = self._parts.cuda.free_bytes() * _VERIFY_SHARE
        try:
            found = compare(
                network,
                _Tiled(reference, self._model, place, free),
                [NamedFrame(name, p, sample(p)) for name, p in sample_pictures(width, height)],
                self._parts.gpu.name,
            )
        finally:
            reference.close()
        for verified in (identity, self._estimate_id):
            with self._parts.store.locked(verified):
                self._parts.store.mark_verified(verified, found)
        logger.info("%s: %s", identity.name, found)


def _output(identity: EngineIdentity, name: str) -> str:
    """Return what an engine calls its output, which is `name` in our graphs."""
    return torch_compiler.OUTPUT if identity.compiler == torch_compiler.NAME else name


_Key = tuple[int, int, str, bool]
"""Height, width and dtype of a picture, and whether its graph is the compact one."""


@dataclass(frozen=True, slots=True)
class _Tested:
    """The engines as `compare` wants them: bytes in and out."""

    estimate: Callable[[NDArray[np.float32]], Prior]
    runner: EngineRunner
    indices: dict[str, NDArray[Any]]
    dtype: str

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        peak = np.float32(1 if self.dtype == "uint8" else 255)
        picture = image if self.dtype == "uint8" else image.astype(np.float32) / peak
        result = self.runner.run({"image": picture[None], "prior": prior, **self.indices})[0]
        return np.asarray((result * peak).round(), np.uint8) if peak != 1 else result


@dataclass(frozen=True, slots=True)
class _Tiled:
    """FP32 in tiles that fit the memory: it takes several times what the engine takes."""

    backend: Backend
    model: ModelSpec
    place: Place
    budget_bytes: float

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        return self.backend.estimate(view)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        height, width = image.shape[:2]
        need = self.backend.memory.bytes_per_pixel
        step = self.model.unshuffle
        grid = choose_tiles(
            width, height, need, self.budget_bytes, halo=halo_of(self.model), step=step
        )
        result = np.empty_like(image)
        for tile in grid:
            bottom, right = tile.top + grid.tile_height, tile.left + grid.tile_width
            window = np.ascontiguousarray(image[tile.top : bottom, tile.left : right])
            place = Place(self.place.height, self.place.width, tile.top, tile.left)
            enhanced = self.backend.reconstruct(window, prior, place)
            core = np.s_[tile.core_top : tile.core_bottom, tile.core_left : tile.core_right]
            top, left = tile.core_top - tile.top, tile.core_left - tile.left
            kept = result[core]
            kept[:] = enhanced[top : top + kept.shape[0], left : left + kept.shape[1]]
        return result
