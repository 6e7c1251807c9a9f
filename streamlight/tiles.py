"""How a large frame is cut into tiles.

A tile is a window of the frame: a core, whose result is kept, and around it as many real pixels as
the detail network looks at. So the core comes out as it does from the whole frame. All tiles of a
frame are of one size, for which the network is prepared once; those at the border of the frame are
moved inwards, and see a little more than they need.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streamlight.models.spec import ModelSpec

_LEAST_CORE = 128
"""Side in pixels below which no core is cut: there the overlap would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile; all in pixels of the frame.

    Attributes:
        top: first row of the window.
        left: first column of the window.
        core_top: first row of the core.
        core_bottom: row after its last.
        core_left: first column of the core.
        core_right: column after its last.
    """

    top: int
    left: int
    core_top: int
    core_bottom: int
    core_left: int
    core_right: int


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of a frame, row by row.

    Attributes:
        width: of the frame in pixels, padded to a multiple of the model's `unshuffle`.
        height: likewise.
        columns: how many tiles side by side.
        rows: how many tiles above each other.
        core_width: of every core but the last in its row, which may be smaller.
        core_height: likewise.
        halo: pixels around a core that its result depends on.
    """

    width: int
    height: int
    columns: int
    rows: int
    core_width: int
    core_height: int
    halo: int

    def __str__(self) -> str:
        """Say it in one phrase: "2x3 tiles of 1920x1080"."""
        if self.is_whole:
            return f"one tile of {self.width}x{self.height}"
        return f"{self.columns}x{self.rows} tiles of {self.tile_width}x{self.tile_height}"

    @property
    def is_whole(self) -> bool:
        """Whether there is one tile only, the frame itself."""
        return self.columns == self.rows == 1

    @property
    def tile_width(self) -> int:
        """Width of every window."""
        return _window(self.core_width, self.columns, self.halo)

    @property
    def tile_height(self) -> int:
        """Height of every window."""
        return _window(self.core_height, self.rows, self.halo)

    @property
    def tile_pixels(self) -> int:
        """Pixels of a window: what decides about memory."""
        return self.tile_width * self.tile_height

    def __iter__(self) -> Iterator[Tile]:
        """Yield the tiles; their cores cover the frame, and none covers another."""
        for core_top in range(0, self.height, self.core_height):
            top = min(max(0, core_top - self.halo), self.height - self.tile_height)
            for core_left in range(0, self.width, self.core_width):
                yield Tile(
                    top,
                    min(max(0, core_left - self.halo), self.width - self.tile_width),
                    core_top,
                    min(core_top + self.core_height, self.height),
                    core_left,
                    min(core_left + self.core_width, self.width),
                )


def halo_of(model: ModelSpec) -> int:
    """Pixels on each side of a pixel that the detail network looks at.

    Each of its 3x3 convolutions, one more than there are hidden layers, sees one more pixel of
    the size that it works at: 5 for `gladnet`, 8 for `gladnet-fast`.
    """
    return (len(model.detail_widths) + 1) * model.unshuffle


def choose_tiles(
    width: int, height: int, bytes_per_pixel: float, budget_bytes: float, *, halo: int, step: int
) -> TileGrid:
    """Choose the fewest tiles that fit, and among as many those with the least overlap.

    Args:
        width: of the frame in pixels; a multiple of `step`.
        height: likewise.
        bytes_per_pixel: that the network takes for each pixel of a window.
        budget_bytes: what one window may take.
        halo: see `halo_of`; a multiple of `step`.
        step: `ModelSpec.unshuffle`: every tile begins and ends at a multiple of it.

    Returns:
        One tile where the whole frame fits. Where even the smallest tiles do not fit, those: the
        caller compares `tile_pixels` with the budget.
    """
    grids = [
        _grid(width, height, columns, rows, halo, step)
        for rows in range(1, max(1, height // _LEAST_CORE) + 1)
        for columns in range(1, max(1, width // _LEAST_CORE) + 1)
    ]
    fitting = [grid for grid in grids if grid.tile_pixels * bytes_per_pixel <= budget_bytes]
    if not fitting:
        return min(grids, key=lambda grid: grid.tile_pixels)
    return min(
        fitting,
        key=lambda grid: (grid.columns * grid.rows, grid.columns * grid.rows * grid.tile_pixels),
    )


def _grid(width: int, height: int, columns: int, rows: int, halo: int, step: int) -> TileGrid:
    core_width, columns = _divide(width, columns, step)
    core_height, rows = _divide(height, rows, step)
    return TileGrid(width, height, columns, rows, core_width, core_height, halo)


def _divide(size: int, parts: int, step: int) -> tuple[int, int]:
    """Length of each part, a multiple of `step`, and how many of them `size` takes."""
    core = -(-size // (parts * step)) * step
    return core, -(-size // core)


def _window(core: int, parts: int, halo: int) -> int:
    """Length of a window: with the halo on the sides that are not the frame's border."""
    return core + halo * min(2, parts - 1)
