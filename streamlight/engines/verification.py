"""An engine against FP32: FP16 fusions of builders have been silently wrong before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamlight.engines.record import Verification
from streamlight.errors import EngineError
from streamlight.frame import Image

LEAST_PSNR_DB = 50.0
"""What docs/architecture.md promises of FP16."""

_BLOCK = 32
"""Side in pixels of the blocks by which a difference is located."""


class Network(Protocol):
    """What is compared: `streamlight.backends.Backend`, as far as it matters here."""

    def estimate(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Backend.estimate`."""

    def reconstruct(self, image: Image, prior: NDArray[np.float32]) -> Image:
        """See `Backend.reconstruct`."""


@dataclass(frozen=True, slots=True)
class NamedFrame:
    """A picture to compare on.

    Attributes:
        name: what it is like.
        image: RGB (H, W, 3), uint8.
        view: of it (1, 3, 96, 96).
    """

    name: str
    image: NDArray[np.uint8]
    view: NDArray[np.float32]


def sample_pictures(width: int, height: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Make pictures of the kinds that cameras give: (name, RGB (height, width, 3))."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = np.stack([np.sin((x * (c + 2) + y * (3 - c)) / 23 + c) for c in range(3)], axis=-1)
    random = np.random.default_rng(7)
    noise = random.normal(0, 1, waves.shape)
    edges = ((x // 37 + y // 29) % 2)[..., None]
    kinds = {
        "dark": 0.06 + 0.04 * waves,
        "dark and noisy": 0.09 + 0.05 * waves + 0.03 * noise,
        "bright": 0.7 + 0.25 * waves + 0.01 * noise,
        "lamps in the dark": 0.03 + 0.95 * edges * (waves > 0.6),
        "black": 0 * waves,
    }
    for name, picture in kinds.items():
        yield name, (picture.clip(0, 1) * 255).round().astype(np.uint8)


def compare(
    engine: Network, reference: Network, frames: list[NamedFrame], gpu: str
) -> Verification:
    """Run frames through an engine and through FP32.

    Raises:
        EngineError: a result is not finite, or under `LEAST_PSNR_DB`; the message says in which
            frame, in which place and by how much.
    """
    worst: float | None = None
    for frame in frames:
        prior = engine.estimate(frame.view)
        if not np.isfinite(prior).all():
            raise EngineError(f"the engine is wrong: its prior of a {frame.name} frame is infinite")
        found = engine.reconstruct(frame.image, prior)
        expected = reference.reconstruct(frame.image, reference.estimate(frame.view))
        psnr_db = _psnr_db(found, expected)
        if psnr_db < LEAST_PSNR_DB:
            raise EngineError(
                f"the engine is wrong: {psnr_db:.1f} dB against FP32 on a {frame.name} frame of "
                f"{frame.image.shape[1]}x{frame.image.shape[0]}, expected {LEAST_PSNR_DB:g}; "
                f"{_worst_place(found, expected)}"
            )
        if psnr_db != np.inf:
            worst = psnr_db if worst is None else min(worst, psnr_db)
    return Verification(gpu, worst, len(frames))


def _psnr_db(found: Image, expected: Image) -> float:
    error = float(np.mean((found.astype(np.float64) - expected) ** 2))
    return float(10 * np.log10(255**2 / error)) if error else np.inf


def _worst_place(found: Image, expected: Image) -> str:
    """Say where two pictures differ most, and where they differ at all."""
    difference = np.abs(found.astype(np.int16) - expected.astype(np.int16)).max(axis=2)
    height, width = difference.shape
    blocks = [
        (float(difference[top : top + _BLOCK, left : left + _BLOCK].mean()), left, top)
        for top in range(0, height, _BLOCK)
        for left in range(0, width, _BLOCK)
    ]
    mean, left, top = max(blocks)
    rows, columns = np.nonzero(difference > 1)
    spread = (
        f"rows {rows.min()} to {rows.max()}, columns {columns.min()} to {columns.max()}"
        if rows.size
        else "no pixel by more than 1"
    )
    return (
        f"most at x={left}, y={top} (by {mean:.1f} levels on average), "
        f"by up to {difference.max()} levels; {rows.size} pixels by more than 1: {spread}"
    )
