"""The detail step on pictures of any size: padded for the network, and in tiles where memory asks.

How tiles come to be exact, and what memory is counted, is in docs/tiles.md.
"""

import logging
import threading
from typing import Any

import numpy as np

from streamlight.backends import Backend, Prior
from streamlight.errors import OutOfMemoryError, UsageError
from streamlight.frame import Image
from streamlight.memory import format_memory
from streamlight.models.prior_index import Place
from streamlight.models.spec import ModelSpec
from streamlight.tiles import Tile, TileGrid, choose_tiles, halo_of

logger = logging.getLogger(__name__)

_AUTOMATIC_SHARE = 0.5
"""Of the memory that is free when a size of picture first comes; the rest is for the others."""

_Key = tuple[tuple[int, ...], "np.dtype[Any]"]


class DetailStep:
    """Runs `Backend.reconstruct` within a budget of memory; thread-safe.

    Attributes:
        grid: of the latest size of picture; None before the first.
        notes: what the user should know of what was done, in sentences without a full stop.
    """

    def __init__(self, backend: Backend, model: ModelSpec, memory_bytes: int | None = None) -> None:
        """Wrap a backend.

        Args:
            backend: runs the network.
            model: that it runs.
            memory_bytes: what enhancing may take in all; None for a share of what is free.

        Raises:
            UsageError: no picture can be enhanced with so little.
        """
        self._backend = backend
        self._model = model
        self._halo = halo_of(model)
        self._memory_bytes = memory_bytes
        self._grids: dict[_Key, TileGrid] = {}
        self._lock = threading.Lock()
        self.grid: TileGrid | None = None
        self.notes: list[str] = []
        self._check(backend.memory.fixed_bytes, "any picture")

    def prepare(self, width: int, height: int, dtype: Any = np.uint8) -> TileGrid:
        """Choose the tiles for pictures of a size.

        Raises:
            UsageError: the smallest tiles take more than the memory that was granted.
        """
        key = ((height, width, 3), np.dtype(dtype))
        with self._lock:
            if key not in self._grids:
                self._grids[key] = self._choose(width, height, key[1])
            self.grid = self._grids[key]
            return self.grid

    def run(self, image: Image, prior: Prior) -> Image:
        """Reconstruct a picture (H, W, 3) of any size; a new array.

        Raises:
            BackendError: the device failed.
            UsageError: see `prepare`.
        """
        height, width = image.shape[:2]
        while True:
            grid = self.prepare(width, height, image.dtype)
            try:
                if grid.is_whole:
                    whole = Tile(0, 0, 0, grid.height, 0, grid.width)
                    padded = _cut(image, whole, grid.height, grid.width)
                    return self._backend.reconstruct(padded, prior)[:height, :width]
                return self._run_tiles(image, prior, grid)
            except OutOfMemoryError as error:
                self._shrink(image, grid, error)

    def _run_tiles(self, image: Image, prior: Prior, grid: TileGrid) -> Image:
        result = np.empty_like(image, order="C")
        for tile in grid:
            window = _cut(image, tile, grid.tile_height, grid.tile_width)
            place = Place(grid.height, grid.width, tile.top, tile.left)
            enhanced = self._backend.reconstruct(window, prior, place)
            # at the frame's border the core may reach into the padding, which no result has
            core = result[tile.core_top : tile.core_bottom, tile.core_left : tile.core_right]
            top, left = tile.core_top - tile.top, tile.core_left - tile.left
            core[:] = enhanced[top : top + core.shape[0], left : left + core.shape[1]]
        return result

    def _choose(self, width: int, height: int, dtype: "np.dtype[Any]") -> TileGrid:
        need, calls = self._backend.memory, self._backend.parallel
        pictures = calls * 2 * 3 * dtype.itemsize * width * height  # each call's input and result
        if self._memory_bytes is not None:
            budget = self._memory_bytes - need.fixed_bytes - pictures
        elif (free := self._backend.free_bytes()) is not None:
            budget = round(free * _AUTOMATIC_SHARE)
        else:
            return self._fit(width, height, np.inf)
        grid = self._fit(width, height, budget / calls)
        network = round(grid.tile_pixels * need.bytes_per_pixel) * calls
        self._check(need.fixed_bytes + pictures + network, f"a picture of {width}x{height}")
        return grid

    def _fit(self, width: int, height: int, budget_bytes: float) -> TileGrid:
        step = self._model.unshuffle
        return choose_tiles(
            -(-width // step) * step,
            -(-height // step) * step,
            self._backend.memory.bytes_per_pixel,
            budget_bytes,
            halo=self._halo,
            step=step,
        )

    def _check(self, least_bytes: int, what: str) -> None:
        if self._memory_bytes is None or least_bytes <= self._memory_bytes:
            return
        calls = self._backend.parallel
        raise UsageError(
            f"--memory {format_memory(self._memory_bytes)}: {what} takes at least "
            f"{format_memory(least_bytes)} with {self._model.name} on {self._backend.info.backend}"
            + (f", {calls} at once" if calls > 1 else "")
        )

    def _shrink(self, image: Image, grid: TileGrid, error: OutOfMemoryError) -> None:
        """Take tiles of at most half the size from now on; raise the error where none are left."""
        height, width = image.shape[:2]
        key = (image.shape, image.dtype)
        with self._lock:
            if self._grids[key] is not grid:
                return  # another thread has just done so
            half = self._backend.memory.bytes_per_pixel * grid.tile_pixels / 2
            smaller = self._fit(width, height, half)
            if smaller.tile_pixels >= grid.tile_pixels:
                raise error
            self._grids[key] = self.grid = smaller
            note = f"{error}; pictures of {width}x{height} go on in {smaller}"
            self.notes.append(note)
        logger.warning(note)


def _cut(image: Image, tile: Tile, height: int, width: int) -> Image:
    """Cut a window (height, width, 3) out of a picture, repeating its edge beyond its border.

    The result is contiguous, and writable too, because runtimes refuse memory that is not (what
    Pillow gives). The whole of a picture that is so already is not copied.
    """
    window = image[tile.top : tile.top + height, tile.left : tile.left + width]
    window = np.require(window, requirements=["C", "W"])
    bottom, right = height - window.shape[0], width - window.shape[1]
    if bottom or right:
        window = np.pad(window, ((0, bottom), (0, right), (0, 0)), mode="edge")
    return window
