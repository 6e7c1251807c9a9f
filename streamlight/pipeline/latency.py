"""How old a frame is when the sink has taken it, and where that time went."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_LEAST_S = 1e-4
_STEP = 1.02
_BINS = math.ceil(math.log(1e3 / _LEAST_S, _STEP))
"""Bins from 0.1 ms to 1000 s, each 2 % wider than the one before: any quantile within 1 %."""

RECENT_FRAMES = 256
"""How many of the last frames `LatencyReport.recent` looks at."""


class LatencyPart(StrEnum):
    """Where the time of a frame goes between its capture and its display."""

    QUEUE = "queue"
    """From the capture until `estimate` begins: decoding, and waiting for the network."""

    ESTIMATE = "estimate"

    RECONSTRUCT = "reconstruct"
    """From the estimate to the result; a wait for a free worker is in it."""

    ORDER = "order"
    """From the result until the sink is free for it, and the frames before it are written."""

    ENCODE = "encode"
    """Inside the sink: drawing, encoding, writing."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Latency of a number of frames, in milliseconds.

    Attributes:
        frames: how many frames were measured; the figures are 0 when there are none.
        p50_ms: half of the frames took no longer.
        p95_ms: 95 % took no longer.
        p99_ms: 99 % took no longer.
        max_ms: the slowest.
    """

    frames: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the figures as plain data for JSON."""
        return {
            "frames": self.frames,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "p99_ms": self.p99_ms,
            "max_ms": self.max_ms,
        }


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Latency of the frames that reached the sink, from `Frame.captured_at` to the end of `write`.

    Attributes:
        total: of all frames of the run.
        recent: of the last `RECENT_FRAMES` frames.
        parts: of all frames, split by where the time went; the parts of one frame add up to its
            total, their quantiles do not.
    """

    total: Quantiles = field(default_factory=Quantiles)
    recent: Quantiles = field(default_factory=Quantiles)
    parts: Mapping[LatencyPart, Quantiles] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data for JSON."""
        return {
            **self.total.to_dict(),
            "recent": self.recent.to_dict(),
            "parts": {part.value: figures.to_dict() for part, figures in self.parts.items()},
        }


class LatencyHistogram:
    """Counts durations in bins of equal ratio: quantiles within 1 %, in 6 kB however long it runs.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._counts = [0] * _BINS
        self._frames = 0
        self._max_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count a duration."""
        place = math.log(max(duration_s, _LEAST_S) / _LEAST_S, _STEP)
        self._counts[min(int(place), _BINS - 1)] += 1
        self._frames += 1
        self._max_s = max(self._max_s, duration_s)

    def quantiles(self) -> Quantiles:
        """Return the quantiles of all durations so far."""
        p50, p95, p99 = (self._quantile_s(share) for share in (0.5, 0.95, 0.99))
        return Quantiles(self._frames, 1e3 * p50, 1e3 * p95, 1e3 * p99, 1e3 * self._max_s)

    def _quantile_s(self, share: float) -> float:
        if not self._frames:
            return 0.0
        left = math.ceil(share * self._frames)
        for place, count in enumerate(self._counts):
            left -= count
            if left <= 0:
                return float(min(_LEAST_S * _STEP ** (place + 0.5), self._max_s))
        return self._max_s


def quantiles_of(durations_s: Sequence[float]) -> Quantiles:
    """Return the exact quantiles of a few durations."""
    if not durations_s:
        return Quantiles()
    ordered = sorted(durations_s)

    def at(share: float) -> float:
        return 1e3 * ordered[math.ceil(share * len(ordered)) - 1]

    return Quantiles(len(ordered), at(0.5), at(0.95), at(0.99), 1e3 * ordered[-1])


@dataclass(slots=True)
class FrameClock:
    """When one frame passed each point, in seconds of `time.monotonic()`.

    Attributes:
        captured: when the source got it.
        taken: when `estimate` began.
        estimated: when `estimate` had ended.
        reconstructed: when the result was there.
        given: when `Sink.write` began.
        shown: when `Sink.write` had ended.
    """

    captured: float
    taken: float = 0.0
    estimated: float = 0.0
    reconstructed: float = 0.0
    given: float = 0.0
    shown: float = 0.0

    def parts(self) -> dict[LatencyPart, float]:
        """Return the seconds of each part."""
        return {
            LatencyPart.QUEUE: self.taken - self.captured,
            LatencyPart.ESTIMATE: self.estimated - self.taken,
            LatencyPart.RECONSTRUCT: self.reconstructed - self.estimated,
            LatencyPart.ORDER: self.given - self.reconstructed,
            LatencyPart.ENCODE: self.shown - self.given,
        }


class LatencyRecorder:
    """Gathers the latencies of a run; one thread adds, any may read."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._total = LatencyHistogram()
        self._parts = {part: LatencyHistogram() for part in LatencyPart}
        self._recent: deque[float] = deque(maxlen=RECENT_FRAMES)

    def add(self, clock: FrameClock) -> None:
        """Count a frame that the sink has taken."""
        total_s = clock.shown - clock.captured
        with self._lock:
            self._total.add(total_s)
            self._recent.append(total_s)
            for part, duration_s in clock.parts().items():
                self._parts[part].add(duration_s)

    def report(self) -> LatencyReport | None:
        """Return the figures so far; None when no frame said when it was captured."""
        with self._lock:
            if not self._recent:
                return None
            return LatencyReport(
                self._total.quantiles(),
                quantiles_of(self._recent),
                {part: histogram.quantiles() for part, histogram in self._parts.items()},
            )
