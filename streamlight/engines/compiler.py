"""Graph -> plan, by the ONNX parser and the builder of a flavour of TensorRT."""

import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlight.engines.flavours import Flavour
from streamlight.engines.graphs import Shapes
from streamlight.engines.trt_log import TrtLog, without_collection
from streamlight.errors import BackendUnavailableError, EngineError, UsageError

OnStep = Callable[[str, int, int], None]
"""Gets the phase of a build, and how many of its steps are done, of how many."""

_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, and how it came.

    Attributes:
        plan: to be kept in a file.
        layers: see `EngineRecord.layers`.
        build_s: how long it took.
        compiler_version: of what made it, where that is not TensorRT itself.
    """

    plan: bytes
    layers: dict[str, dict[str, int]]
    build_s: float
    compiler_version: str = ""


def compile_graph(
    flavour: Flavour,
    graph: bytes,
    shapes: Shapes,
    compute: tuple[str, ...] = (),
    *,
    timing_cache: Path | None = None,
    on_step: OnStep | None = None,
    stop: threading.Event | None = None,
) -> Compiled:
    """Build a plan; a Ctrl-C ends the build between two steps.

    Args:
        flavour: of TensorRT.
        graph: an ONNX model, in the types in which it shall run.
        shapes: of inputs that vary.
        compute: capabilities to build for; none for the GPU that is there.
        timing_cache: file of what earlier builds measured; None to measure all anew.
        on_step: told of the progress, from another thread.
        stop: ends the build between two steps when it is set, with an EngineError.

    Raises:
        BackendUnavailableError: the flavour is not installed, or finds no GPU and needs one.
        EngineError: it cannot build this graph.
        UsageError: it cannot build for `compute`.
    """
    bindings = flavour.load()
    if compute and not flavour.builds_anywhere:
        raise UsageError(
            f"--compute: {flavour.name} builds for the GPU that is here only; "
            "--backend tensorrt-rtx builds for others"
        )
    targets = [flavour.compute_capability(bindings, number) for number in compute]
    begin = time.perf_counter()
    build = _Build(flavour, bindings, graph, shapes, targets, timing_cache, on_step, stop)
    build.run()
    return Compiled(build.plan, build.layers, time.perf_counter() - begin)


class _Build:
    """One build, in a thread of its own.

    An exception must never pass through TensorRT's frames, and a signal's handler raises in the
    main thread, which only waits.
    """

    def __init__(
        self,
        flavour: Flavour,
        bindings: Any,
        graph: bytes,
        shapes: Shapes,
        targets: list[Any],
        timing_cache: Path | None,
        on_step: OnStep | None,
        stop: threading.Event | None,
    ) -> None:
        self._flavour = flavour
        self._trt = bindings
        self._graph = graph
        self._shapes = shapes
        self._targets = targets
        self._timing_cache = timing_cache
        self._on_step = on_step
        self._is_cancelled = stop or threading.Event()
        self._failure: BaseException | None = None
        self._log = TrtLog(bindings)
        self.plan = b""
        self.layers: dict[str, dict[str, int]] = {}

    def run(self) -> None:
        thread = threading.Thread(target=self._run, name="streamlight-build", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_WAIT_S)
        except BaseException:
            self._is_cancelled.set()
            thread.join()
            raise
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with without_collection():
                self._build()
        except Exception as error:  # the thread's outermost frame; raised again in `run`
            # TensorRT's objects must end here, and not whenever the collector finds them
            traceback.clear_frames(error.__traceback__)
            self._failure = error

    def _build(self) -> None:
        trt = self._trt
        try:
            builder = trt.Builder(self._log.native)
        except (TypeError, RuntimeError) as error:  # pybind11's way to say that there is none
            raise BackendUnavailableError(
                f"{self._flavour.name} cannot build here: {self._log.reason}"
            ) from error
        typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(typed)
        parser = trt.OnnxParser(network, self._log.native)
        if not parser.parse(self._graph):
            said = [str(parser.get_error(index).desc()) for index in range(parser.num_errors)]
            raise EngineError(
                f"{self._flavour.name} cannot read the graph: {'; '.join(said) or 'no reason'}"
            )
        self.layers = _count_layers(network)
        config = self._configure(builder)
        cache = self._open_timing_cache(config)
        plan = builder.build_serialized_network(network, config)
        if self._is_cancelled.is_set():
            raise EngineError("the build was stopped")
        if plan is None:
            raise EngineError(f"{self._flavour.name} cannot build it: {self._log.reason}")
        if cache is not None and self._timing_cache is not None:
            self._timing_cache.write_bytes(memoryview(config.get_timing_cache().serialize()))
        self.plan = bytes(memoryview(plan))

    def _configure(self, builder: Any) -> Any:
        trt = self._trt
        config = builder.create_builder_config()
        # what the engine's inspector tells of the layers' types when it runs
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        config.clear_flag(trt.BuilderFlag.TF32)  # FP32 means FP32: the smoother remembers it
        monitor = _make_monitor(trt, self._on_step, self._is_cancelled)
        config.progress_monitor = monitor
        if self._targets:
            config.num_compute_capabilities = len(self._targets)
            for index, target in enumerate(self._targets):
                if not config.set_compute_capability(target, index):
                    raise EngineError(f"{self._flavour.name}: {self._log.reason}")
        if self._shapes:
            profile = builder.create_optimization_profile()
            for name, (least, best, most) in self._shapes.items():
                profile.set_shape(name, least, best, most)
            if config.add_optimization_profile(profile) < 0:
                raise EngineError(f"{self._flavour.name} refuses the sizes: {self._log.reason}")
        return config

    def _open_timing_cache(self, config: Any) -> Any:
        """Let the builder know what it measured before; a cache that does not fit is left."""
        if self._timing_cache is None:
            return None
        try:
            known = self._timing_cache.read_bytes()
        except OSError:
            known = b""
        cache = config.create_timing_cache(known)
        if cache is None or not config.set_timing_cache(cache, False):
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, False)
        return cache


def _count_layers(network: Any) -> dict[str, dict[str, int]]:
    """Count the layers of each kind by the type of what they give: strong types are kept."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        kind = str(layer.type).rpartition(".")[2].lower()
        counts[kind][str(layer.get_output(0).dtype).rpartition(".")[2].lower()] += 1
    return {kind: dict(types) for kind, types in sorted(counts.items())}


def _make_monitor(trt: Any, on_step: OnStep | None, is_cancelled: threading.Event) -> Any:
    steps: dict[str, int] = {}

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)  # pybind11 wants the very class, not super()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            if on_step is not None:
                on_step(phase_name, step + 1, steps.get(phase_name, step + 1))
            return not is_cancelled.is_set()

        def phase_finish(self, phase_name: str) -> None:
            steps.pop(phase_name, None)

    return Monitor()
