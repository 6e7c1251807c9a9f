"""Recording work once as a CUDA graph, and playing it again."""

from collections.abc import Callable
from threading import Lock

import torch

_CAPTURE = Lock()
"""Recording synchronises the device, which no other recording may see."""

_WARM_UPS = 3


class Replay:
    """Work on fixed buffers, on a stream; on a CPU, just the work."""

    def __init__(self, work: Callable[[], None], stream: "torch.cuda.Stream | None") -> None:
        """Run the work to warm it up, and record it.

        Args:
            work: reads and writes the same tensors each time, and never waits for the device.
            stream: to run on; None for a CPU.
        """
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        if stream is None:
            return
        with _CAPTURE, torch.backends.cudnn.flags(enabled=True, benchmark=True):
            stream.wait_stream(torch.cuda.current_stream(stream.device))
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    work()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                work()
            self._graph = graph

    def __call__(self) -> None:
        """Begin the work on the current stream; on a CPU, do it."""
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()
