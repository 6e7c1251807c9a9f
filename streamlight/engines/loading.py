"""Plan -> engine of the runtime, or the reason why not."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlight.engines.flavours import Flavour
from streamlight.engines.gpu import Gpu
from streamlight.engines.identity import EngineIdentity
from streamlight.engines.trt_log import TrtLog, without_collection
from streamlight.errors import (
    BackendError,
    BackendUnavailableError,
    DeviceLostError,
    EngineError,
    OutOfMemoryError,
)

_OUT_OF_MEMORY = re.compile("out ?of ?memory|failed_allocation|cudaErrorMemory|bad_alloc", re.I)
_LOST = re.compile(
    "illegal (memory|instruction|address)|misaligned address|launch (failure|timed out)|"
    "device (is )?lost|unrecoverable|ecc error|fallen off|hardware stack|error 7(00|15|16|17|19)",
    re.I,
)
"""Errors after which a CUDA context never works again (CUDA's list of "sticky" errors)."""


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine that can run, with what it needs to live.

    Attributes:
        bindings: of the flavour.
        native: ICudaEngine of the bindings.
        runtime: that made it, and must outlive it.
        log: of the runtime.
    """

    bindings: Any
    native: Any
    runtime: Any
    log: TrtLog


def check_gpu(identity: EngineIdentity, gpu: Gpu | None) -> None:
    """Check that an engine is for a GPU, before TensorRT is asked.

    Raises:
        BackendUnavailableError: there is no GPU.
        EngineError: the engine is for others.
    """
    if gpu is None:
        raise BackendUnavailableError(f"{identity.flavour} finds no NVIDIA GPU here")
    if identity.compute and gpu.compute not in identity.compute:
        raise EngineError(
            f"{identity.name} is for compute capability {', '.join(identity.compute)}, and "
            f"{gpu.name} has {gpu.compute}; build one with --compute {gpu.compute}"
        )


def load_plan(flavour: Flavour, plan: bytes) -> LoadedEngine:
    """Give a plan to the runtime. Its checksum must have been checked: see `EngineStore.load`.

    Raises:
        BackendUnavailableError: the flavour is not installed, or cannot run this plan here; the
            message holds the reason that the runtime gave.
    """
    bindings = flavour.load()
    log = TrtLog(bindings)
    try:
        with without_collection():
            runtime = bindings.Runtime(log.native)
            engine = runtime.deserialize_cuda_engine(plan)
    except (TypeError, RuntimeError) as error:  # pybind11's way to say that there is none
        raise BackendUnavailableError(
            f"{flavour.name} cannot run here: {log.reason if log.errors else error}"
        ) from error
    if engine is None:
        raise BackendUnavailableError(f"{flavour.name} cannot run its engine here: {log.reason}")
    return LoadedEngine(bindings, engine, runtime, log)


class Context:
    """An execution context of an engine, for one caller at a time."""

    def __init__(self, flavour: Flavour, loaded: LoadedEngine, cache: Path | None = None) -> None:
        """Make one.

        Args:
            flavour: of the engine.
            loaded: the engine.
            cache: file of the kernels that RTX compiled for this engine and GPU; may be absent.

        Raises:
            OutOfMemoryError: the GPU has too little memory for another one.
            BackendError: the runtime refuses.
        """
        self._loaded = loaded
        self._kernels: Any = None
        with without_collection():
            if flavour.compiles_at_runtime:
                config = self._configure(cache)
                self.native = loaded.native.create_execution_context(config)
            else:
                self.native = loaded.native.create_execution_context()
        if self.native is None:
            raise self.failure("no execution context")

    def _configure(self, cache: Path | None) -> Any:
        """Let RTX keep its kernels, and launch them as CUDA graphs, which it makes itself."""
        config = self._loaded.native.create_runtime_config()
        strategies = self._loaded.bindings.CudaGraphStrategy
        config.cuda_graph_strategy = strategies.WHOLE_GRAPH_CAPTURE
        self._kernels = config.create_runtime_cache()
        if cache is not None and cache.is_file():
            self._kernels.deserialize(cache.read_bytes())  # what does not fit is left
        config.set_runtime_cache(self._kernels)
        return config

    def bind(self, name: str, shape: tuple[int, ...], address: int, *, is_input: bool) -> None:
        """Tell where a tensor lies on the GPU, and its shape where it is an input.

        Raises:
            BackendError: the engine has no such tensor, or not of this shape.
        """
        if is_input and not self.native.set_input_shape(name, shape):
            raise self.failure(f"{name} of shape {shape}")
        if not self.native.set_tensor_address(name, address):
            raise self.failure(name)

    def enqueue(self, stream: int) -> None:
        """Start the engine on a CUDA stream.

        Raises:
            OutOfMemoryError, DeviceLostError, BackendError: it cannot run.
        """
        if not self.native.execute_async_v3(stream):
            raise self.failure("a run")

    def kernels(self) -> bytes:
        """Return what RTX compiled so far; nothing for another flavour."""
        if self._kernels is None:
            return b""
        serialized = self._kernels.serialize()
        return b"" if serialized is None else bytes(memoryview(serialized))

    def failure(self, what: str) -> BackendError:
        """Make the error that fits what the runtime said last."""
        return failure_of(f"TensorRT failed ({what})", self._loaded.log.reason)


def failure_of(what: str, reason: str) -> BackendError:
    """Make the error for a reason that CUDA or TensorRT gave."""
    if _OUT_OF_MEMORY.search(reason):
        return OutOfMemoryError(f"the GPU ran out of memory ({reason})")
    if _LOST.search(reason):
        return DeviceLostError(f"the GPU was lost ({reason}); start streamlight again")
    return BackendError(f"{what}: {reason}")
