"""Which way of convolving is fastest on a device: measured and checked there, before it is used."""

import importlib
import logging
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from streamlight.cuda.convolutions import (
    Convolver,
    FusedLibraryConvolver,
    Grid,
    KernelConvolver,
    Layer,
    LibraryConvolver,
)
from streamlight.cuda.ops import Ops

logger = logging.getLogger(__name__)

_RUNS = 7
_WORST_ERROR = 0.01
"""Of the largest value of the result; rounding to FP16 alone is a twentieth of it."""

_SIZE = (540, 960)
"""Of the map that is measured on: large enough to fill a GPU, a quarter of 1080p."""


def candidates(ops: Ops) -> list[Convolver]:
    """List the ways that can be tried; the first is the one that the others are checked by."""
    ways: list[Convolver] = [LibraryConvolver(ops)]
    if ops.has_triton:
        ways.append(FusedLibraryConvolver(ops))
        ways.extend(KernelConvolver(number) for number in range(KernelConvolver.count()))
    return ways


def choose_all(
    ops: Ops, first: Layer, hidden: Sequence[Layer], last: Layer
) -> dict[str, Convolver]:
    """Choose for the three kinds of layers, "first", "hidden" and "last".

    The hidden layers are alike; where there is none, the last one is tried in their place.
    """
    ways = candidates(ops)
    if len(ways) == 1:
        return dict.fromkeys(("first", "hidden", "last"), ways[0])
    tried = hidden[0] if hidden else last
    x = _noise(*_SIZE, tried.weight.shape[1], like=tried.weight)
    best = choose(ways, lambda way: way.with_relu(x, tried))
    # the others cost little, so that compiling every tile for them would not pay
    few = [ways[0], *([best] if best is not ways[0] else [])]
    image = _noise(*_SIZE, first.weight.shape[1], like=first.weight)
    grid = _grid(first)
    chosen = {
        "first": choose(few, lambda way: way.with_grid(image, first, grid)),
        "hidden": best,
        "last": choose(few, lambda way: way.last(x, last)),
    }
    logger.info("convolutions: %s", ", ".join(f"{k} by {v.name}" for k, v in chosen.items()))
    return chosen


def choose(
    ways: Sequence[Convolver],
    run: Callable[[Convolver], Tensor],
    time_ms: Callable[[Callable[[], Tensor]], float] | None = None,
) -> Convolver:
    """Choose the fastest of those that work and agree with the first.

    Args:
        ways: to try; the first is trusted.
        run: runs one of them on fixed data.
        time_ms: measures; None for CUDA events.
    """
    time_ms = time_ms or _time_ms
    best, expected = ways[0], run(ways[0]).float()
    best_ms = time_ms(lambda: run(ways[0]))
    logger.debug("%s: %.3f ms", best.name, best_ms)
    for way in ways[1:]:
        try:
            error = float((run(way).float() - expected).abs().max() / expected.abs().max())
        except _failures() as failure:
            logger.debug("%s: does not run here (%s)", way.name, failure)
            continue
        if not error <= _WORST_ERROR:  # NaN too
            logger.warning("%s is wrong on this device (error %.3g): not used", way.name, error)
            continue
        ms = time_ms(lambda way=way: run(way))  # type: ignore[misc]
        logger.debug("%s: %.3f ms", way.name, ms)
        if ms < best_ms:
            best, best_ms = way, ms
    return best


def _failures() -> tuple[type[Exception], ...]:
    """What a way raises that a device does not have; compiling a kernel has errors of its own."""
    try:
        triton = importlib.import_module("triton")
    except ImportError:
        return (RuntimeError,)
    return (RuntimeError, triton.TritonError)


def _time_ms(run: Callable[[], Tensor]) -> float:
    make_event: Callable[..., Any] = torch.cuda.Event  # torch does not type it
    times = []
    for number in range(_RUNS + 2):
        start, end = (make_event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        if number >= 2:
            times.append(float(start.elapsed_time(end)))
    return statistics.median(times)


def _noise(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Make a map of noise; on zeros a GPU draws less power and runs faster."""
    return torch.rand(height, width, channels, dtype=like.dtype, device=like.device)


def _grid(first: Layer) -> Grid:
    device = first.weight.device
    rows, columns = (torch.arange(n, dtype=torch.int32, device=device) * 288 // n for n in _SIZE)
    return _noise(288, 288, first.weight.shape[0], like=first.weight), rows.int(), columns.int()
