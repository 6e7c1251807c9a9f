"""CUDA's memory and streams, by way of PyTorch: its allocator, pinned memory and graphs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray

from streamlight.engines.loading import failure_of
from streamlight.errors import BackendError, BackendUnavailableError, OutOfMemoryError

_TYPES = {"uint8": torch.uint8, "int32": torch.int32, "float32": torch.float32}


class TorchBuffer:
    """An array in pinned memory of the host, and its twin on the GPU.

    Attributes:
        host: to be written before `upload`, or read once the stream of `download` is done.
        address: on the GPU.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, device: torch.device) -> None:
        """Allocate both, uninitialised."""
        self._pinned = torch.empty(shape, dtype=_TYPES[dtype], pin_memory=True)
        self._there = torch.empty(shape, dtype=_TYPES[dtype], device=device)
        self.host: NDArray[Any] = self._pinned.numpy()
        self.address = self._there.data_ptr()

    def upload(self, stream: Any) -> None:
        """Start a copy to the GPU."""
        with torch.cuda.stream(stream):
            self._there.copy_(self._pinned, non_blocking=True)

    def download(self, stream: Any) -> None:
        """Start a copy from the GPU."""
        with torch.cuda.stream(stream):
            self._pinned.copy_(self._there, non_blocking=True)


class TorchCuda:
    """One CUDA device."""

    def __init__(self, device: str = "cuda") -> None:
        """Open it; BackendUnavailableError where there is none."""
        if not torch.cuda.is_available():
            raise BackendUnavailableError(f"torch finds no CUDA device here ({torch.__version__})")
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise BackendUnavailableError(f"there is no device {device} here") from error
        self.index = self._device.index or 0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make it the current device of this thread, and translate CUDA's errors."""
        try:
            with torch.cuda.device(self.index):
                yield
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError("the GPU ran out of memory") from error
        except BackendError:
            raise
        except RuntimeError as error:
            raise failure_of("CUDA failed", str(error).strip().splitlines()[0]) from error

    def buffer(self, shape: tuple[int, ...], dtype: str) -> TorchBuffer:
        """Allocate an array on both sides."""
        return TorchBuffer(shape, dtype, self._device)

    def stream(self) -> Any:
        """Make a stream of its own."""
        return torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]

    def handle(self, stream: Any) -> int:
        """Return cudaStream_t of a stream, as TensorRT takes it."""
        return int(stream.cuda_stream)

    def wait(self, stream: Any) -> None:
        """Wait until all is done that was started on a stream."""
        stream.synchronize()

    def capture(self, stream: Any, launch: Callable[[], None]) -> Callable[[], None]:
        """Record what `launch` starts on a stream as a CUDA graph; return what starts the graph."""
        graph = torch.cuda.CUDAGraph()
        # other threads go on meanwhile, and may allocate
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            launch()

        def replay() -> None:
            with torch.cuda.stream(stream):
                graph.replay()

        return replay

    def free_bytes(self) -> int:
        """Memory that is free; what PyTorch holds and does not use counts as free."""
        free, _ = torch.cuda.mem_get_info(self._device)
        held = torch.cuda.memory_reserved(self._device)
        return int(free + held - torch.cuda.memory_allocated(self._device))

    def close(self) -> None:
        """Give back what PyTorch holds and does not use."""
        torch.cuda.empty_cache()
