"""The last minutes of each camera's figures, for charts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from streamlight.cameras.camera import Camera

INTERVAL_S = 1.0
LENGTH = 180
"""Samples that are kept: three minutes."""


class History:
    """Samples of all cameras; used in the event loop only."""

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        """Start without samples."""
        self._cameras = cameras
        self._samples: dict[str, deque[dict[str, Any]]] = {
            name: deque(maxlen=LENGTH) for name in cameras
        }
        self._dropped: dict[str, int] = {}

    def sample(self) -> None:
        """Take the figures of this moment."""
        for name, camera in self._cameras.items():
            status = camera.status()
            dropped = sum(status.drops.values())
            before = self._dropped.get(name, dropped)
            self._dropped[name] = dropped
            latency = status.latency
            self._samples[name].append(
                {
                    "time": time.time(),
                    "fps": status.fps,
                    "latency_ms": latency.recent.p50_ms if latency else None,
                    "drops": dropped - before,
                }
            )

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the samples of a camera, the oldest first."""
        return list(self._samples[name])
