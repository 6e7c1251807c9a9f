"""The prior's share of the first convolution: gathered from its grid, added, ReLU, in one pass."""

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


@triton.jit
def _add_grid_relu(
    x,
    grid,
    rows,
    columns,
    elements,
    width,
    grid_width,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < elements
    channel = i % C
    pixel = i // C
    row = tl.load(rows + pixel // width, mask=mask, other=0)
    column = tl.load(columns + pixel % width, mask=mask, other=0)
    share = tl.load(grid + (row * grid_width + column) * C + channel, mask=mask, other=0)
    value = tl.load(x + i, mask=mask, other=0).to(tl.float32) + share.to(tl.float32)
    tl.store(x + i, tl.maximum(value, 0.0).to(x.dtype.element_ty), mask=mask)


def add_grid_relu(x: Tensor, grid: Tensor, rows: Tensor, columns: Tensor) -> None:
    """See `streamlight.cuda.plain.add_grid_relu`."""
    elements = x.numel()
    _add_grid_relu[(triton.cdiv(elements, _BLOCK),)](
        x, grid, rows, columns, elements, x.shape[1], grid.shape[1], x.shape[2], _BLOCK
    )
