"""Identities, records and stores for the tests of the engines; no TensorRT is needed for them."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from streamlight.engines import EngineIdentity, EngineRecord, EngineStore

PLAN = np.random.default_rng(5).bytes(100_000)

IDENTITY = EngineIdentity(
    model="gladnet-fast",
    weights_sha256="a" * 64,
    graph="reconstruct",
    graph_sha256="b" * 64,
    sizes="640x360",
    precision="fp16",
    pixels="uint8",
    flavour="tensorrt-rtx",
    version="1.7.1.116",
    compute=("8.6", "8.9"),
    gpu="",
    driver="",
    compiler="onnx-parser",
    options=("recipe=1",),
    streamlight="0.1.0",
)


def make_record(
    identity: EngineIdentity = IDENTITY, plan: bytes = PLAN, **changes: Any
) -> EngineRecord:
    values: dict[str, Any] = {
        "identity": identity,
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "built_at": "2026-11-26T12:00:00+00:00",
        "build_s": 0.3,
        "layers": {"convolution": {"half": 5}},
    }
    return EngineRecord(**(values | changes))


def filled_store(folder: Path) -> EngineStore:
    store = EngineStore(folder)
    with store.locked(IDENTITY):
        store.save(make_record(), PLAN)
    return store
