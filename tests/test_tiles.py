"""How a frame is cut into tiles: they cover it, see far enough, and are as few as fit."""

import numpy as np
import pytest

from streamlight.models.spec import MODELS
from streamlight.tiles import TileGrid, choose_tiles, halo_of

SIZES = [(256, 256), (258, 300), (1920, 1080), (3840, 2160), (7680, 4320), (130, 5000), (4096, 2)]
BUDGETS = [1, 20_000, 100_000, 300_000, 1_000_000, 10_000_000]


def tiles(width: int, height: int, budget: float, halo: int = 8, step: int = 2) -> TileGrid:
    return choose_tiles(width, height, 1, budget, halo=halo, step=step)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(("halo", "step"), [(8, 2), (5, 1)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_cores_cover_the_frame_once_and_see_the_halo_or_the_border(
    width: int, height: int, halo: int, step: int, budget: int
) -> None:
    grid = tiles(width, height, budget, halo, step)
    covered = np.zeros((height, width), np.uint8)
    count = 0
    for tile in grid:
        count += 1
        covered[tile.core_top : tile.core_bottom, tile.core_left : tile.core_right] += 1
        for start, length, core_start, core_end, size in (
            (tile.top, grid.tile_height, tile.core_top, tile.core_bottom, height),
            (tile.left, grid.tile_width, tile.core_left, tile.core_right, width),
        ):
            assert start % step == length % step == 0
            assert 0 <= start <= max(0, core_start - halo)
            assert min(core_end + halo, size) <= start + length <= size
    assert count == grid.rows * grid.columns
    assert covered.min() == covered.max() == 1


def test_a_frame_that_fits_is_not_cut() -> None:
    grid = tiles(1920, 1080, 1920 * 1080)
    assert grid.is_whole
    assert (grid.tile_width, grid.tile_height) == (1920, 1080)
    (tile,) = grid
    assert (tile.core_bottom, tile.core_right) == (1080, 1920)


def test_one_byte_less_takes_two_tiles_with_the_shorter_cut() -> None:
    grid = tiles(1920, 1080, 1920 * 1080 - 1)
    assert (grid.columns, grid.rows) == (2, 1)
    assert str(grid) == "2x1 tiles of 968x1080"


@pytest.mark.parametrize("budget", BUDGETS[2:])
def test_the_budget_is_kept_and_no_fewer_tiles_would_keep_it(budget: int) -> None:
    width, height, halo = 1000, 800, 8
    grid = tiles(width, height, budget)
    assert grid.tile_pixels <= budget
    for rows in range(1, 7):
        for columns in range(1, 8):
            if rows * columns < grid.rows * grid.columns:
                # the last core may be smaller than the others, none can be larger
                least_width = width / columns + halo * min(2, columns - 1)
                least_height = height / rows + halo * min(2, rows - 1)
                assert least_width * least_height > budget


def test_where_nothing_fits_the_smallest_tiles_come_back() -> None:
    grid = tiles(1000, 800, 1)
    assert grid.tile_pixels > 1
    assert (grid.columns, grid.rows) == (7, 6)  # cores of 128 pixels and more


def test_memory_counts_bytes_and_not_pixels() -> None:
    whole = choose_tiles(1000, 1000, 40, 40_000_000, halo=8, step=2)
    cut = choose_tiles(1000, 1000, 41, 40_000_000, halo=8, step=2)
    assert (whole.is_whole, cut.is_whole) == (True, False)


@pytest.mark.parametrize("name", MODELS)
def test_the_halo_is_as_far_as_the_network_looks_and_no_farther(name: str) -> None:
    torch = pytest.importorskip("torch", reason="the network is asked itself")
    from streamlight.models.gladnet import Detail

    spec = MODELS[name]
    network = Detail(spec.prior_channels, spec.detail_widths, spec.unshuffle, spec.is_affine).eval()
    for conv in network.convs:  # positive weights: nothing cancels, and ReLU lets all pass
        torch.nn.init.constant_(conv.weight, 1e-3)
        torch.nn.init.zeros_(conv.bias)
    size, at = 32, 16
    image = torch.zeros(1, 3, size, size)
    image.requires_grad_()
    prior = torch.zeros(1, spec.prior_channels, 96, 96)
    network(image + 0.1, prior)[0, :, at, at].sum().backward()
    (rows,) = torch.nonzero(image.grad[0].sum(dim=(0, 2)), as_tuple=True)
    block = at // spec.unshuffle * spec.unshuffle  # the pixels that are unshuffled together
    assert block - int(rows.min()) == halo_of(spec)
    assert int(rows.max()) - (block + spec.unshuffle - 1) == halo_of(spec)
