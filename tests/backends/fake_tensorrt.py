"""A GPU that is not there: TensorRT's runtime objects and CUDA's, at the narrowest seam.

Streams only note what is started on them, and do it when they are waited for, so that a missing
wait shows. Buffers are poisoned. Engines really compute: OpenVINO runs the graph that the plan was
built from.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from streamlight.backends.openvino import shared_core
from streamlight.engines import EngineIdentity, parse_sizes
from streamlight.engines.graphs import make_graph
from streamlight.engines.loading import LoadedEngine
from streamlight.models import MODELS, GraphName


class FakeBuffer:
    def __init__(self, shape: tuple[int, ...], dtype: str, address: int) -> None:
        self.host: NDArray[Any] = np.full(shape, 77, dtype)
        self.there: NDArray[Any] = np.full(shape, 99, dtype)
        self.address = address

    def upload(self, stream: Any) -> None:
        stream.append(lambda: np.copyto(self.there, self.host))

    def download(self, stream: Any) -> None:
        stream.append(lambda: np.copyto(self.host, self.there))


class FakeCuda:
    """Memory by address, streams by handle; `most_bytes` is all that fits."""

    def __init__(self, most_bytes: float = np.inf) -> None:
        self.index = 0
        self.most_bytes = most_bytes
        self.memory: dict[int, FakeBuffer] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.graphs = 0
        self.replays = 0
        self.failure: Exception | None = None
        self.is_closed = False
        self._addresses = itertools.count(4096, 256)
        self._lock = threading.Lock()

    @contextmanager
    def active(self) -> Iterator[None]:
        yield

    def buffer(self, shape: tuple[int, ...], dtype: str) -> FakeBuffer:
        with self._lock:
            buffer = FakeBuffer(shape, dtype, next(self._addresses))
            self.memory[buffer.address] = buffer
            return buffer

    def stream(self) -> list[Callable[[], None]]:
        stream: list[Callable[[], None]] = []
        self.streams[id(stream)] = stream
        return stream

    def handle(self, stream: Any) -> int:
        return id(stream)

    def wait(self, stream: Any) -> None:
        if self.failure is not None:
            raise self.failure
        while stream:
            stream.pop(0)()

    def capture(self, stream: Any, launch: Callable[[], None]) -> Callable[[], None]:
        assert not stream, "captured while work was under way"
        launch()
        recorded = list(stream)
        stream.clear()
        self.graphs += 1

        def replay() -> None:
            self.replays += 1
            stream.extend(recorded)

        return replay

    def free_bytes(self) -> int:
        return 10**12

    def close(self) -> None:
        self.is_closed = True


class FakeRuntime:
    """Makes engines; counts contexts, and fails as told.

    Attributes:
        most_pixels: of a picture for which a context fits.
        says: what TensorRT says when the next run fails.
        spoil: what is done to results.
    """

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.most_pixels = np.inf
        self.says = ""
        self.spoil: Callable[[NDArray[Any]], NDArray[Any]] = lambda result: result
        self.contexts = 0
        self.at_once = 0
        self.loaded: list[EngineIdentity] = []
        self.kernels_read: list[bytes] = []

    def load(self, identity: EngineIdentity, plan: bytes) -> LoadedEngine:
        self.loaded.append(identity)
        log = SimpleNamespace(errors=[], reason=self.says)
        bindings = SimpleNamespace(CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE=1))
        return LoadedEngine(bindings, FakeEngine(self, identity, log), self, log)  # type: ignore[arg-type]


class FakeEngine:
    """ICudaEngine."""

    def __init__(self, runtime: FakeRuntime, identity: EngineIdentity, log: Any) -> None:
        spec = MODELS[identity.model]
        (graph,) = (name for name in get_args(GraphName) if name == identity.graph)
        sizes = None if graph == "estimate" else parse_sizes(identity.sizes, spec)
        made = make_graph(spec, graph, sizes, identity.precision, identity.pixels)  # type: ignore[arg-type]
        core = shared_core()
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = core.compile_model(core.read_model(made), "CPU", options)
        self.runtime, self.log, self.sizes = runtime, log, sizes
        (output,) = self.compiled.outputs
        # as torch-tensorrt names outputs
        self.output = "output0" if identity.compiler == "torch-tensorrt" else output.any_name

    def create_runtime_config(self) -> Any:
        cache = SimpleNamespace(
            deserialize=self.runtime.kernels_read.append, serialize=lambda: b"kernels"
        )
        return SimpleNamespace(
            create_runtime_cache=lambda: cache, set_runtime_cache=lambda given: given is cache
        )

    def create_execution_context(self, config: Any = None) -> Any:
        pixels = self.sizes.best[0] * self.sizes.best[1] if self.sizes else 0
        if pixels > self.runtime.most_pixels:
            self.log.reason = "[defaultAllocator.cpp] Error Code 1: Cuda Runtime (out of memory)"
            return None
        self.runtime.contexts += 1
        return FakeContext(self)


class FakeContext:
    """IExecutionContext."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.request = engine.compiled.create_infer_request()
        self.addresses: dict[str, int] = {}
        self.is_busy = False

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return bool(
            self.engine.compiled.input(name).partial_shape.compatible(ov.PartialShape(list(shape)))
        )

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        runtime = self.engine.runtime
        if runtime.says:
            self.engine.log.reason = runtime.says
            return False
        runtime.cuda.streams[stream].append(self._compute)
        return True

    def _compute(self) -> None:
        runtime = self.engine.runtime
        assert not self.is_busy, "one context in two threads"
        self.is_busy = True
        memory = runtime.cuda.memory
        inputs = {
            i.any_name: memory[self.addresses[i.any_name]] for i in self.engine.compiled.inputs
        }
        self.request.infer({name: ov.Tensor(b.there.copy()) for name, b in inputs.items()})
        result = np.array(self.request.get_output_tensor().data)
        np.copyto(memory[self.addresses[self.engine.output]].there, runtime.spoil(result))
        self.is_busy = False
