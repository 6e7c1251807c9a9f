"""An engine for one shape of input, with several contexts in flight."""

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamlight.engines import Flavour
from streamlight.engines.loading import Context, LoadedEngine
from streamlight.errors import BackendError, DeviceLostError, SinkError
from streamlight.models.own import write_whole

logger = logging.getLogger(__name__)

Layout = dict[str, tuple[tuple[int, ...], str]]
"""Shape and dtype of each tensor by name."""


class Buffer(Protocol):
    """See `streamlight.backends.torch_cuda.TorchBuffer`."""

    host: NDArray[Any]
    address: int

    def upload(self, stream: Any) -> None:
        """Start a copy to the GPU."""

    def download(self, stream: Any) -> None:
        """Start a copy from the GPU."""


class Cuda(Protocol):
    """What is needed of CUDA; `streamlight.backends.torch_cuda.TorchCuda` has it."""

    index: int

    def active(self) -> AbstractContextManager[None]:
        """Make the device the current one, and translate errors."""

    def buffer(self, shape: tuple[int, ...], dtype: str) -> Buffer:
        """Allocate on both sides."""

    def stream(self) -> Any:
        """Make a stream."""

    def handle(self, stream: Any) -> int:
        """Return its cudaStream_t."""

    def wait(self, stream: Any) -> None:
        """Wait for it."""

    def capture(self, stream: Any, launch: Callable[[], None]) -> Callable[[], None]:
        """Record a CUDA graph."""

    def free_bytes(self) -> int:
        """Memory that is free."""

    def close(self) -> None:
        """Give back unused memory."""


class EngineRunner:
    """Runs an engine, from as many threads at once as it has contexts.

    Each context has a stream and pinned buffers of its own, so that while one computes the
    pictures of the others are copied.
    """

    def __init__(
        self,
        flavour: Flavour,
        loaded: LoadedEngine,
        cuda: Cuda,
        inputs: Layout,
        output: Layout,
        contexts: int = 1,
        cache: Path | None = None,
    ) -> None:
        """Allocate everything.

        Args:
            flavour: of the engine.
            loaded: the engine.
            cuda: its device.
            inputs: its inputs.
            output: its one output.
            contexts: how many.
            cache: see `Context`.

        Raises:
            OutOfMemoryError: it does not fit.
            BackendError: it failed otherwise.
        """
        self._cache = cache
        self._lost: DeviceLostError | None = None
        self._slots: list[_Slot] = []
        self._idle: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        with cuda.active():
            for _ in range(contexts):
                slot = _Slot(flavour, loaded, cuda, inputs, output, cache)
                self._slots.append(slot)
                self._idle.put(slot)

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Run it once; a new array.

        Raises:
            OutOfMemoryError: the GPU has too little memory.
            DeviceLostError: the GPU is gone, now or since an earlier call.
            BackendError: it failed otherwise.
        """
        with self._slot() as slot:
            if self._lost is not None:
                raise DeviceLostError(str(self._lost)) from self._lost
            try:
                return slot.run(inputs)
            except DeviceLostError as error:
                self._lost = error
                raise

    def close(self) -> None:
        """Keep the kernels that RTX compiled, for the next process."""
        if self._cache is None or self._lost is not None or not self._slots:
            return
        try:
            if kernels := self._slots[0].context.kernels():
                write_whole(self._cache, kernels)
        except SinkError as error:
            logger.warning("the compiled kernels cannot be kept: %s", error)
        self._slots.clear()

    @contextmanager
    def _slot(self) -> Iterator["_Slot"]:
        slot = self._idle.get()
        try:
            yield slot
        finally:
            self._idle.put(slot)


class _Slot:
    """A context, its stream and its buffers."""

    def __init__(
        self,
        flavour: Flavour,
        loaded: LoadedEngine,
        cuda: Cuda,
        inputs: Layout,
        output: Layout,
        cache: Path | None,
    ) -> None:
        self._cuda = cuda
        self._stream = cuda.stream()
        self.context = Context(flavour, loaded, cache)
        self._inputs = {name: cuda.buffer(*layout) for name, layout in inputs.items()}
        ((name, layout),) = output.items()
        self._output = cuda.buffer(*layout)
        for each, buffer in self._inputs.items():
            self.context.bind(each, inputs[each][0], buffer.address, is_input=True)
        self.context.bind(name, layout[0], self._output.address, is_input=False)
        self._launch = self._enqueue
        # RTX makes its own graphs; the other flavour's are recorded once it has run
        self._is_to_capture = not flavour.compiles_at_runtime

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        with self._cuda.active():
            for name, buffer in self._inputs.items():
                np.copyto(buffer.host, inputs[name], casting="same_kind")
                buffer.upload(self._stream)
            self._launch()
            self._output.download(self._stream)
            self._cuda.wait(self._stream)
            result = self._output.host.copy()
            if self._is_to_capture:
                self._capture()
        return result

    def _enqueue(self) -> None:
        self.context.enqueue(self._cuda.handle(self._stream))

    def _capture(self) -> None:
        self._is_to_capture = False
        try:
            self._launch = self._cuda.capture(self._stream, self._enqueue)
        except DeviceLostError:
            raise
        except (BackendError, RuntimeError) as error:
            logger.warning("no CUDA graph for this engine (%s); it runs without", error)
