"""Backends by name, and the choice among them. To add one: one file, one row of `BACKENDS`."""

import importlib.util
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from streamlight.backends.base import Backend, BackendInfo, MemoryNeed, Prior
from streamlight.errors import BackendUnavailableError, UsageError
from streamlight.models.own import find_model, graphs_problem
from streamlight.models.spec import MODELS, ModelSpec

__all__ = [
    "BACKENDS",
    "AutoChoice",
    "Backend",
    "BackendInfo",
    "BackendRow",
    "MemoryNeed",
    "Prior",
    "choose",
    "open_backend",
]

Opener = Callable[..., Backend]
"""Takes model, device, precision and parallelism; None means the best that there is. Where a row
keeps engines, also their folder."""


@dataclass(frozen=True, slots=True)
class BackendRow:
    """One backend.

    Attributes:
        name: what `--backend` takes.
        package: that must be installed.
        install: the command that installs it.
        devices: what `--device` takes, for people.
        precisions: what `--precision` takes.
        open: opens it.
        keeps_engines: whether it builds engines, and keeps them in a folder.
    """

    name: str
    package: str
    install: str
    devices: str
    precisions: tuple[str, ...]
    open: Opener
    keeps_engines: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its package can be imported; says nothing of devices."""
        return importlib.util.find_spec(self.package) is not None


def _openvino(
    model: ModelSpec, device: str | None, precision: str | None, parallel: int | None
) -> Backend:
    if (problem := graphs_problem(model)) is not None:
        raise BackendUnavailableError(problem)
    from streamlight.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(model, device or "CPU", precision, parallel)


def _cuda(
    model: ModelSpec, device: str | None, precision: str | None, parallel: int | None
) -> Backend:
    from streamlight.backends.cuda import open_cuda

    return open_cuda(model, device, precision, parallel)


def _torch(
    model: ModelSpec, device: str | None, precision: str | None, parallel: int | None
) -> Backend:
    from streamlight.backends.torch import TorchBackend

    return TorchBackend(model, device, precision, parallel)


def _tensorrt(
    name: str,
    model: ModelSpec,
    device: str | None,
    precision: str | None,
    parallel: int | None,
    engine_dir: Path | None = None,
) -> Backend:
    from streamlight.backends.tensorrt import TensorRtBackend

    return TensorRtBackend.open(name, model, device, precision, parallel, engine_dir)


BACKENDS: dict[str, BackendRow] = {
    row.name: row
    for row in (
        BackendRow(
            "openvino",
            "openvino",
            "pip install openvino",
            "CPU, GPU or NPU (Intel)",
            ("fp32", "bf16", "fp16", "int8"),
            _openvino,
        ),
        BackendRow(
            "cuda",
            "torch",
            'pip install "streamlight[torch]"',
            "cuda (NVIDIA)",
            ("fp16", "fp32"),
            _cuda,
        ),
        BackendRow(
            "torch",
            "torch",
            'pip install "streamlight[torch]"',
            "cpu or cuda",
            ("fp32", "fp16"),
            _torch,
        ),
        BackendRow(
            "tensorrt",
            "tensorrt",
            'pip install "streamlight[tensorrt]"',
            "cuda (any NVIDIA GPU)",
            ("fp32", "fp16"),
            partial(_tensorrt, "tensorrt"),
            keeps_engines=True,
        ),
        BackendRow(
            "tensorrt-rtx",
            "tensorrt_rtx",
            'pip install "streamlight[rtx]"',
            "cuda (GeForce and RTX)",
            ("fp32", "fp16"),
            partial(_tensorrt, "tensorrt-rtx"),
            keeps_engines=True,
        ),
    )
}
"""Every backend."""

_AUTO_ORDER = (("torch", "cuda"), ("openvino", None), ("torch", "cpu"))
"""What `auto` tries, best first: a CUDA device beats any CPU, OpenVINO beats torch on one. The
backend `cuda` goes first once `make gpu-check` has passed on a GPU: until then it is for those who
ask for it."""

_HOT_SWAP_ORDER = ("tensorrt-rtx", "tensorrt")
"""What takes over from torch on CUDA where it is installed; the one that builds faster first. No
run on a GPU has been seen yet, but no engine gives out a frame before it was compared with FP32."""

GPU_MODEL = "gladnet"
CPU_MODEL = "gladnet-fast"


@dataclass(frozen=True, slots=True)
class AutoChoice:
    """An open backend, and why it is this one.

    Attributes:
        backend: ready to run.
        model: that it runs.
        reason: one line for people.
    """

    backend: Backend
    model: ModelSpec
    reason: str


def open_backend(
    name: str,
    model: ModelSpec,
    device: str | None = None,
    precision: str | None = None,
    parallel: int | None = 1,
    engine_dir: Path | None = None,
) -> Backend:
    """Open the backend of that name, or fail.

    Args:
        name: a key of `BACKENDS`.
        model: what to run.
        device: see `BackendRow.devices`; None means the best that it has.
        precision: see `BackendRow.precisions`; None means the fastest that is good.
        parallel: how many pictures at once: 1 for the least time a picture, None for the most
            pictures in all.
        engine_dir: see `choose`.

    Raises:
        BackendUnavailableError: it is not installed, or has no such device.
        UsageError: there is no such backend or precision, or it keeps no engines.
    """
    row = BACKENDS.get(name)
    if row is None:
        raise UsageError(f"--backend {name}: choose one of auto, {', '.join(BACKENDS)}")
    if precision is not None and precision not in row.precisions:
        raise UsageError(
            f"--precision {precision}: {name} has {', '.join(row.precisions)} and auto"
        )
    if engine_dir is not None and not row.keeps_engines:
        keeping = ", ".join(row.name for row in BACKENDS.values() if row.keeps_engines)
        raise UsageError(f"--engine-dir: {name} keeps no engines; it is for auto, {keeping}")
    if not row.is_installed:
        raise BackendUnavailableError(f"{name} is not installed: {row.install}")
    folder = {} if engine_dir is None else {"engine_dir": engine_dir}
    try:
        return row.open(model, device, precision, parallel, **folder)
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(
            f"backend {name} is installed, but cannot be loaded ({error}); "
            f"install it anew: {row.install}"
        ) from error


def choose(
    model: str = "auto",
    backend: str = "auto",
    device: str | None = None,
    precision: str | None = None,
    parallel: int | None = 1,
    *,
    engine_dir: Path | None = None,
    hot_swap: bool = False,
) -> AutoChoice:
    """Open a backend and a model, deciding what is left to "auto".

    Only an unavailable backend makes `auto` go on to the next one. Model "auto" is `gladnet` on
    a GPU and `gladnet-fast` on a CPU. A path or a name of the models folder is a user's own
    model (`streamlight.models.own`).

    Args:
        model: what to run.
        backend: a key of `BACKENDS`.
        device: see `open_backend`.
        precision: likewise.
        parallel: likewise.
        engine_dir: where TensorRT's engines are kept; None for the default folder.
        hot_swap: in `auto`, let TensorRT take over from torch on CUDA when its engines are ready.

    Raises:
        BackendUnavailableError: the one asked for, or every one, is unavailable; the message
            holds each one's reason.
        ModelError: a file of weights does not tell what network it is of.
        UsageError: a name is unknown.
    """
    spec = None if model == "auto" else find_model(model)
    if backend == "auto":
        tries = [(n, device or d) for n, d in _AUTO_ORDER if _fits(n, d, device, precision)]
        if not tries:
            asked = f"--device {device or 'auto'} --precision {precision or 'auto'}"
            rows = [f"{r.name}: {r.devices}; {', '.join(r.precisions)}" for r in BACKENDS.values()]
            raise UsageError(f"{asked}: no backend has that; there are {' | '.join(rows)}")
    elif device is None:
        # its devices one by one, so that the model fits the device
        only = "cuda" if backend.startswith("tensorrt") else None
        tries = [(n, d) for n, d in _AUTO_ORDER if n == backend] or [(backend, only)]
    else:
        tries = [(backend, device)]
    failures: list[str] = []
    for name, wanted in tries:
        try:
            folder = None if backend == "auto" else engine_dir
            opened, model_ = _open_with_model(name, spec, wanted, precision, parallel, folder)
        except BackendUnavailableError as error:
            if backend != "auto" and (name, wanted) == tries[-1]:
                raise
            failures.append(str(error))
            continue
        # the remedies in the messages are for those who asked for that backend
        # and two backends of one device have one reason
        skipped = ", ".join(dict.fromkeys(re.split("[:;]", failure)[0] for failure in failures))
        why = "as asked" if backend != "auto" else skipped or "the best here"
        better = _better_than(name, wanted, model_) if backend == "auto" and hot_swap else ()
        if better:
            request = _Request(model_, wanted, precision, parallel, engine_dir)
            opened = _with_hot_swap(opened, name, better, request)
            why += f"; {' or '.join(better)} takes over when its engines are ready"
        return AutoChoice(opened, model_, reason=why)
    raise BackendUnavailableError("no backend can run: " + "; ".join(failures))


def _open_with_model(
    name: str,
    spec: ModelSpec | None,
    device: str | None,
    precision: str | None,
    parallel: int | None,
    engine_dir: Path | None,
) -> tuple[Backend, ModelSpec]:
    if spec is None:
        is_gpu = (device or "").lower().startswith(("cuda", "gpu"))
        spec = MODELS[GPU_MODEL if is_gpu else CPU_MODEL]
    return open_backend(name, spec, device, precision, parallel, engine_dir), spec


@dataclass(frozen=True, slots=True)
class _Request:
    """What a backend is opened for; see `open_backend`."""

    model: ModelSpec
    device: str | None
    precision: str | None
    parallel: int | None
    engine_dir: Path | None


def _better_than(name: str, device: str | None, model: ModelSpec) -> tuple[str, ...]:
    """Return what may take over from an open backend; nothing is imported for it."""
    if name != "torch" or not (device or "").lower().startswith("cuda"):
        return ()
    if graphs_problem(model) is not None:
        return ()  # engines are built from the packaged graphs
    return tuple(better for better in _HOT_SWAP_ORDER if BACKENDS[better].is_installed)


def _with_hot_swap(
    first: Backend, name: str, better: tuple[str, ...], request: _Request
) -> Backend:
    from streamlight.backends.hot_swap import HotSwapBackend

    def reopen() -> Backend:
        return open_backend(
            name, request.model, request.device, request.precision, request.parallel
        )

    def open_better(stop: threading.Event) -> Backend:
        from streamlight.backends.tensorrt import TensorRtBackend

        failures = []
        for flavour in better:
            try:
                return TensorRtBackend.open(
                    flavour,
                    request.model,
                    request.device,
                    request.precision,
                    first.parallel,
                    request.engine_dir,
                    stop,
                )
            except BackendUnavailableError as error:
                failures.append(str(error))
        raise BackendUnavailableError("; ".join(failures))

    return HotSwapBackend(first, reopen=reopen, open_better=open_better, name=" or ".join(better))


def _fits(name: str, wanted: str | None, device: str | None, precision: str | None) -> bool:
    """Whether a row of `_AUTO_ORDER` can give the device and precision asked for."""
    if precision is not None and precision not in BACKENDS[name].precisions:
        return False
    if device is None:
        return True
    if name == "openvino":
        return device.upper().split(".")[0] in ("CPU", "GPU", "NPU")
    return wanted is not None and device.lower().startswith(wanted)
