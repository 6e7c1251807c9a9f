"""Peak memory of 4K and 8K frames in fresh processes, within what `memory_bytes` grants.

Slow: the figures of docs/tiles.md. `gladnet` at 8K takes half a minute on two cores.
"""

import json
import subprocess
import sys

import pytest

from streamlight.memory import parse_memory

resource = pytest.importorskip("resource", reason="it tells the peak memory of a process")

ENHANCE = """
import json, resource, sys
import numpy as np
from streamlight import Enhancer
from streamlight.memory import parse_memory

model, backend, width, height, dtype, memory = sys.argv[1:]
peak = 0.25 * np.iinfo(dtype).max
dark = np.random.default_rng(0).integers(0, peak, (int(height), int(width), 3), dtype)
with Enhancer.open(model, backend, device="cpu", memory_bytes=parse_memory(memory)) as enhancer:
    bright = enhancer(dark)
    tiles = enhancer.tiles
print(json.dumps({
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    "tiles": tiles,
    "precision": enhancer.info.precision,
    "gain": float(bright.mean() / dark.mean()),
}))
"""

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what getrusage counts by."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("model", "backend", "size", "memory"),
    [
        ("gladnet-fast", "openvino", (7680, 4320), "3GB"),
        ("gladnet-fast", "openvino", (7680, 4320), "1GB"),
        ("gladnet-fast", "openvino", (3840, 2160), "1GB"),
        ("gladnet-fast", "openvino", (3840, 2160), "450MB"),
        ("gladnet", "openvino", (7680, 4320), "3GB"),
        ("gladnet", "openvino", (3840, 2160), "1GB"),
        ("gladnet-fast", "torch", (3840, 2160), "1GB"),
    ],
)
def test_the_peak_stays_within_the_memory_granted(
    model: str, backend: str, size: tuple[int, int], memory: str, dtype: str
) -> None:
    if backend == "torch":
        pytest.importorskip("torch", reason="needs torch")
    arguments = [model, backend, *map(str, size), dtype, memory]
    done = subprocess.run(
        [sys.executable, "-c", ENHANCE, *arguments], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    peak = found["peak"] * _UNIT
    print(*arguments, found["precision"], found["tiles"], f"{peak / 1e6:.0f} MB")
    assert found["gain"] > 1.2, "it does nothing"
    assert peak <= parse_memory(memory)
    assert peak > 0.35 * parse_memory(memory), "the memory granted is hardly used"
