"""From a request to an engine in the store."""

import hashlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from streamlight import __version__
from streamlight.engines import compiler, torch_compiler
from streamlight.engines.flavours import Flavour
from streamlight.engines.gpu import Gpu
from streamlight.engines.graphs import (
    RECIPE,
    Pixels,
    Precision,
    input_shapes,
    make_graph,
    source_sha256,
)
from streamlight.engines.identity import EngineIdentity
from streamlight.engines.record import EngineRecord
from streamlight.engines.sizes import Sizes
from streamlight.engines.store import EngineStore
from streamlight.errors import BackendUnavailableError, EngineError, UsageError
from streamlight.models import PRIOR_SIZE, GraphName, ModelSpec

Compiler = Literal["onnx-parser", "torch-tensorrt"]

_RECIPES: dict[Compiler, int] = {"onnx-parser": RECIPE, "torch-tensorrt": torch_compiler.RECIPE}


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What engine is wanted.

    Attributes:
        model: whose.
        graph: which of its graphs.
        sizes: of the pictures; None for `estimate`.
        flavour: of TensorRT.
        precision: of the network.
        pixels: type of the pictures.
        compute: compute capabilities to build for; none for the GPU that is there.
        gpu: that is there.
        compiler: what makes the plan.
    """

    model: ModelSpec
    graph: GraphName
    sizes: Sizes | None
    flavour: Flavour
    precision: Precision = "fp16"
    pixels: Pixels = "uint8"
    compute: tuple[str, ...] = ()
    gpu: Gpu | None = None
    compiler: Compiler = "onnx-parser"


@dataclass(frozen=True, slots=True)
class Built:
    """An engine that lies in the store.

    Attributes:
        record: of it.
        is_new: whether it was built now.
        reason: why it was, where it was.
    """

    record: EngineRecord
    is_new: bool
    reason: str = ""


def identify(request: EngineRequest) -> EngineIdentity:
    """Say what the engine of a request has to be; no builder is needed for it.

    Raises:
        BackendUnavailableError: the flavour is not installed, or needs a GPU and has none.
        ModelError: the package does not hold the model's graph.
    """
    flavour, compute, gpu = request.flavour, request.compute, request.gpu
    if not compute and flavour.builds_anywhere:
        compute = (gpu.compute,) if gpu else flavour.default_compute
    if compute:
        gpu = None  # built for these, wherever it was built
    elif gpu is None:
        raise BackendUnavailableError(f"{flavour.name} builds on the GPU itself, and there is none")
    return EngineIdentity(
        model=request.model.name,
        weights_sha256=request.model.weights_sha256,
        graph=request.graph,
        graph_sha256=source_sha256(request.model, request.graph),
        sizes=str(request.sizes) if request.sizes else f"{PRIOR_SIZE}x{PRIOR_SIZE}",
        precision=request.precision,
        pixels=request.pixels,
        flavour=flavour.name,
        version=str(flavour.load().__version__),
        compute=tuple(sorted(set(compute), key=_by_number)),
        gpu=f"{gpu.name} ({gpu.compute})" if gpu else "",
        driver=gpu.driver if gpu else "",
        compiler=request.compiler,
        options=(f"recipe={_RECIPES[request.compiler]}", "tf32=off"),
        streamlight=__version__,
    )


def build_engine(
    request: EngineRequest,
    store: EngineStore,
    *,
    is_forced: bool = False,
    on_step: compiler.OnStep | None = None,
    stop: threading.Event | None = None,
) -> Built:
    """Find an engine in the store, or build it there. Of several processes one builds it.

    Args:
        request: what is wanted.
        store: where it is kept.
        is_forced: build it anew, also where there is a good one.
        on_step: see `compile_graph`.
        stop: likewise.

    Raises:
        BackendUnavailableError: it cannot be built here.
        EngineError: it cannot be built at all, or the store cannot be written to.
        UsageError: the flavour cannot build for `request.compute`.
    """
    identity = identify(request)
    with store.locked(identity):
        reason = "asked to"
        if not is_forced:
            try:
                record, _ = store.load(identity)
                return Built(record, is_new=False)
            except EngineError as error:
                reason = str(error)
        compiled = _compile(request, identity, store, on_step, stop)
        record = EngineRecord(
            identity=identity,
            plan_sha256=hashlib.sha256(compiled.plan).hexdigest(),
            plan_bytes=len(compiled.plan),
            built_at=datetime.now(UTC).isoformat(timespec="seconds"),
            build_s=round(compiled.build_s, 3),
            layers=compiled.layers,
            compiler_version=compiled.compiler_version,
        )
        store.save(record, compiled.plan)
    return Built(record, is_new=True, reason=reason)


def _compile(
    request: EngineRequest,
    identity: EngineIdentity,
    store: EngineStore,
    on_step: compiler.OnStep | None,
    stop: threading.Event | None,
) -> compiler.Compiled:
    what = (request.model, request.graph, request.sizes, request.precision, request.pixels)
    if request.compiler == "torch-tensorrt":
        if request.compute:
            raise UsageError("--compute: torch-tensorrt builds for the GPU that is here only")
        cache = store.timing_cache(request.compiler, identity.version, identity.gpu)
        return torch_compiler.compile_network(request.flavour, *what, timing_cache=cache)
    timing_cache = None
    if not request.flavour.builds_anywhere:
        timing_cache = store.timing_cache(identity.flavour, identity.version, identity.gpu)
    return compiler.compile_graph(
        request.flavour,
        make_graph(*what),
        input_shapes(request.model, request.sizes) if request.sizes else {},
        identity.compute,
        timing_cache=timing_cache,
        on_step=on_step,
        stop=stop,
    )


def _by_number(compute: str) -> tuple[int, ...]:
    return tuple(int(part) for part in compute.split(".") if part.isdigit())
