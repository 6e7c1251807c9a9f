"""Enhancing at a smaller size than the picture's, and choosing that size while it runs."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.gain import apply_gain, gain_of, shrink
from streamlight.look import Look
from streamlight.pipeline.protocols import FrameEnhancer, Prior

FACTORS = (1, 2, 3, 4, 6, 8)
"""By which the sides of a picture may be divided: whole blocks average exactly."""


class LookingEnhancer(FrameEnhancer, Protocol):
    """What can be wrapped here: an `Enhancer`, or something like it."""

    look: Look
    """What is done with the result; may be replaced between frames."""

    def reset(self) -> None:
        """Forget the video so far."""
        ...


def factor_for(size: tuple[int, int], process_size: tuple[int, int]) -> int:
    """Choose the least whole factor that brings a picture down to `process_size`.

    Long side is compared with long side, so upright pictures need no other setting.

    Args:
        size: width and height of the picture.
        process_size: most width and height to process.
    """
    pairs = zip(sorted(size), sorted(process_size), strict=True)
    return max(1, *(math.ceil(side / most) for side, most in pairs))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that one picture has cost, divided by how many are processed at the same time.

    Attributes:
        network_s: in the network; it grows with the number of pixels that the network sees.
        resize_s: for making it smaller and bringing it up again; the same for every factor but 1.
        other_s: beside that, at every factor.
    """

    network_s: float
    resize_s: float = 0.0
    other_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Seconds in all."""
        return self.network_s + self.resize_s + self.other_s

    def at(self, old: int, new: int) -> float:
        """Seconds to expect when the factor changes from `old` to `new`."""
        network_s = self.network_s * (old / new) ** 2
        return network_s + self.other_s + (self.resize_s if new > 1 else 0.0)


class ScaledEnhancer:
    """Runs the network on a smaller picture, and applies the gain that it found to the full one.

    It stands in the place of an `Enhancer` in a pipeline. The illumination is estimated from the
    full picture, so the past of a video stays valid when the size to process changes.

    Attributes:
        factor: the sides of the last picture were divided by this for the network.
    """

    def __init__(
        self, enhancer: LookingEnhancer, process_size: tuple[int, int] | None = None
    ) -> None:
        """Wrap an enhancer; closing it remains its owner's task.

        Args:
            enhancer: does the work. Its look is taken over, and applied here.
            process_size: most width and height for the network; None for the picture's own.

        Raises:
            UsageError: the size is not positive.
        """
        if process_size is not None and min(process_size) < 1:
            width, height = process_size
            raise UsageError(f"--process-size {width}x{height}: both must be at least 1")
        self._enhancer = enhancer
        self._process_size = process_size
        self._look = enhancer.look
        self.look = enhancer.look
        self.factor = 1

    @property
    def look(self) -> Look:
        """Strength, exposure and comparison; may be replaced between frames."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        # Before and after are put beside each other at the full size.
        self._enhancer.look = replace(look, compare="none")
        self._look = look

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        return self._enhancer.parallel

    def estimate(self, image: Image, time_s: float) -> Prior:
        """Estimate the illumination, as `Enhancer.estimate` does."""
        return self._enhancer.estimate(image, time_s)

    def reset(self) -> None:
        """Forget the video so far: after a seek or a reconnection."""
        self._enhancer.reset()

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """Enhance a picture with its illumination; thread-safe."""
        return self._process(image, prior, self._least_factor(image))[0]

    def _least_factor(self, image: Image) -> int:
        if self._process_size is None:
            return 1
        return factor_for((image.shape[1], image.shape[0]), self._process_size)

    def _process(self, image: Image, prior: Prior, factor: int) -> tuple[Image, Cost]:
        self.factor = factor
        started = time.perf_counter()
        small = shrink(image, factor)
        shrunk = time.perf_counter()
        result = self._enhancer.reconstruct(small, prior)
        done = time.perf_counter()
        if factor > 1:
            result = apply_gain(image, gain_of(small, result), factor)
        ended = time.perf_counter()
        resize_s = (shrunk - started + ended - done) if factor > 1 else 0.0
        cost = Cost((done - shrunk) / self.parallel, resize_s / self.parallel)
        if self._look.compare != "none":
            compared = Look(compare=self._look.compare, rotation=self._look.rotation)
            result = compared.apply(image, result)
        return result, cost


class AdaptiveSize:
    """Decides by how much to shrink pictures so that a number of them a second can be done.

    It looks at what pictures cost, and not at how many came out: a camera that sends few frames
    is no reason to shrink them. Too slow for `SLOW_S` at a stretch makes the pictures smaller, at
    once as small as the costs say. They grow again, by one step, when the larger size would have
    kept a margin for `patience_s`. A step that had to be taken back doubles the patience, so a
    computer at its limit does not swing between two sizes.

    Attributes:
        factor: the sides of the pictures are to be divided by this.
        changes: how often the factor changed.
        patience_s: how long there must have been room before the pictures grow.
    """

    SLOW_S = 1.0
    LEAST_PATIENCE_S, MOST_PATIENCE_S = 5.0, 120.0
    MARGIN = 0.8
    """The larger size must be expected to take no more than this share of the time there is."""
    WARM_UP = 3
    """Pictures after a change that do not count: a runtime prepares itself for the new size."""

    def __init__(self, target_fps: float) -> None:
        """Begin at the full size.

        Raises:
            UsageError: the target is not positive.
        """
        if not target_fps > 0:
            raise UsageError(f"--target-fps {target_fps:g}: must be more than 0")
        self._budget_s = 1 / target_fps
        self._factors: tuple[int, ...] = FACTORS
        self.factor = FACTORS[0]
        self.changes = 0
        self.patience_s = self.LEAST_PATIENCE_S
        self._recent: deque[tuple[float, Cost]] = deque()
        self._slow_since: float | None = None
        self._roomy_since: float | None = None
        self._grown_at = -math.inf
        self._seen = 0

    def limit(self, least: int) -> None:
        """Begin again for pictures of another size, with no factor smaller than `least`."""
        self._factors = (least, *(factor for factor in FACTORS if factor > least))
        self.factor = least
        self.patience_s = self.LEAST_PATIENCE_S
        self._forget()

    def update(self, now_s: float, cost: Cost) -> int:
        """Take the cost of a picture that was processed at `factor`; return the factor to use.

        Args:
            now_s: of any clock that only goes forward.
            cost: of the picture.
        """
        self._seen += 1
        if self._seen <= self.WARM_UP:
            return self.factor
        cost = self._usual(now_s, cost)
        if cost.total_s > self._budget_s:
            self._roomy_since = None
            if self._slow_since is None:
                self._slow_since = now_s
            if now_s - self._slow_since >= self.SLOW_S:
                self._shrink(now_s, cost)
            return self.factor
        self._slow_since = None
        place = self._factors.index(self.factor)
        larger = self._factors[max(place - 1, 0)]
        if not place or cost.at(self.factor, larger) > self.MARGIN * self._budget_s:
            self._roomy_since = None
            return self.factor
        if self._roomy_since is None:
            self._roomy_since = now_s
        if now_s - self._roomy_since >= self.patience_s:
            self._grown_at = now_s
            self._change(larger)
        return self.factor

    def _usual(self, now_s: float, cost: Cost) -> Cost:
        """Take the median of about a second, so that one slow picture decides nothing."""
        self._recent.append((now_s, cost))
        while len(self._recent) > 5 and now_s - self._recent[0][0] > 1:
            self._recent.popleft()
        ordered = sorted((cost for _, cost in self._recent), key=lambda cost: cost.total_s)
        return ordered[len(ordered) // 2]

    def _shrink(self, now_s: float, cost: Cost) -> None:
        smaller = [factor for factor in self._factors if factor > self.factor]
        if not smaller:
            return
        is_relapse = now_s - self._grown_at < 2 * self.LEAST_PATIENCE_S
        patience_s = 2 * self.patience_s if is_relapse else self.LEAST_PATIENCE_S
        self.patience_s = min(patience_s, self.MOST_PATIENCE_S)
        fitting = (f for f in smaller if cost.at(self.factor, f) <= self._budget_s)
        self._change(next(fitting, smaller[-1]))

    def _change(self, factor: int) -> None:
        self.factor = factor
        self.changes += 1
        self._forget()

    def _forget(self) -> None:
        self._seen = 0
        self._recent.clear()
        self._slow_since = self._roomy_since = None


class AdaptiveEnhancer(ScaledEnhancer):
    """A `ScaledEnhancer` that makes the size to process smaller and larger by itself.

    Attributes:
        size: the controller; tells the present factor.
    """

    def __init__(
        self,
        enhancer: LookingEnhancer,
        target_fps: float,
        process_size: tuple[int, int] | None = None,
        on_change: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap an enhancer; closing it remains its owner's task.

        Args:
            enhancer: does the work.
            target_fps: pictures a second that must be possible.
            process_size: most width and height for the network, also when there is time for more.
            on_change: told the new factor, from a worker's thread.
            clock: seconds that only go forward.

        Raises:
            UsageError: a value is not positive.
        """
        super().__init__(enhancer, process_size)
        self.size = AdaptiveSize(target_fps)
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._estimate_s = 0.0
        self._shape: tuple[int, ...] = ()

    def estimate(self, image: Image, time_s: float) -> Prior:
        """Estimate the illumination, as `Enhancer.estimate` does."""
        started = time.perf_counter()
        prior = super().estimate(image, time_s)
        self._estimate_s = time.perf_counter() - started
        return prior

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """Enhance a picture with its illumination; thread-safe."""
        with self._lock:
            if image.shape != self._shape:
                self._shape = image.shape
                self.size.limit(self._least_factor(image))
            factor = self.size.factor
        result, cost = self._process(image, prior, factor)
        with self._lock:
            # What was begun before a change says nothing of the present size.
            is_current = factor == self.size.factor and image.shape == self._shape
            if is_current:
                self.size.update(self._clock(), replace(cost, other_s=self._estimate_s))
            is_changed = is_current and factor != self.size.factor
        if is_changed and self._on_change is not None:
            self._on_change(self.size.factor)
        return result
