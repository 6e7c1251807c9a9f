"""A 3x3 convolution as an implicit matrix product, with bias, or the prior's grid, and ReLU.

A block of pixels times one tap's channels is loaded by the copy engine (TMA), shifted by the tap;
what lies beyond the picture comes as 0, which is the padding. Nine taps times the channels are
the inner dimension of the product. GPUs before Hopper have no such engine, and Triton makes
ordinary loads of it.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor


@dataclass(frozen=True, slots=True)
class Tile:
    """How the work is cut.

    Attributes:
        rows: of pixels in a block.
        columns: likewise; rows * columns is the height of the matrix product.
        depth: channels that are multiplied at a time, at most.
        warps: of a block.
        stages: loads that are under way.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int

    def __str__(self) -> str:
        """Say it in one word: "8x16x64w4s4"."""
        return f"{self.rows}x{self.columns}x{self.depth}w{self.warps}s{self.stages}"


TILES = (
    Tile(8, 16, 64, 4, 4),
    Tile(8, 16, 64, 8, 4),
    Tile(8, 16, 128, 8, 3),
    Tile(8, 32, 64, 8, 3),
    Tile(8, 32, 64, 8, 4),
    Tile(4, 32, 64, 4, 4),
)
"""What is tried on a new device; the fastest is kept."""


@triton.jit
def _conv3x3(
    x,
    weight,
    bias,
    grid,
    rows,
    columns,
    out,
    height,
    width,
    grid_width,
    I: tl.constexpr,
    O: tl.constexpr,
    BH: tl.constexpr,
    BW: tl.constexpr,
    BK: tl.constexpr,
    HAS_GRID: tl.constexpr,
    HAS_RELU: tl.constexpr,
):
    across = tl.cdiv(width, BW)
    y0 = (tl.program_id(0) // across) * BH
    x0 = (tl.program_id(0) % across) * BW
    steps: tl.constexpr = I // BK
    total = tl.zeros((BH * BW, O), tl.float32)
    for step in range(9 * steps):
        tap = step // steps
        start = (step % steps) * BK
        a = x.load([y0 + tap // 3 - 1, x0 + tap % 3 - 1, start]).reshape(BH * BW, BK)
        b = weight.load([tap * I + start, 0])
        total = tl.dot(a, b, total)
    channels = tl.arange(0, O)
    if HAS_GRID:
        pixel = tl.arange(0, BH * BW)
        y = y0 + pixel // BW
        x_ = x0 + pixel % BW
        row = tl.load(rows + y, mask=y < height, other=0)
        column = tl.load(columns + x_, mask=x_ < width, other=0)
        place = (row * grid_width + column) * O
        total += tl.load(grid + place[:, None] + channels[None, :]).to(tl.float32)
    else:
        total += tl.load(bias + channels).to(tl.float32)[None, :]
    if HAS_RELU:
        total = tl.maximum(total, 0.0)
    out.store([y0, x0, 0], total.to(tl.float16).reshape(BH, BW, O))


def conv3x3(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    has_relu: bool = True,
    *,
    at: tuple[Tensor, Tensor, Tensor] | None = None,
    tile: Tile = TILES[0],
    out: Tensor | None = None,
) -> Tensor:
    """See `streamlight.cuda.plain.conv3x3`; FP16, accumulated in FP32.

    Args:
        x: (h, w, I); I is 16 or a larger power of two.
        weight: (9, I, O); O likewise.
        bias: (O,); not read where `at` is given.
        has_relu: whether to take the ReLU.
        at: grid, rows and columns of `streamlight.cuda.plain.add_grid_relu`, in place of `bias`.
        tile: how to cut the work.
        out: (h, w, O), to write to; None makes it.
    """
    height, width, inputs = x.shape
    outputs, depth = weight.shape[2], min(tile.depth, inputs)
    out = (
        torch.empty((height, width, outputs), dtype=x.dtype, device=x.device)
        if out is None
        else out
    )
    grid, rows, columns = at if at is not None else (bias, bias, bias)
    weights = weight.reshape(9 * inputs, outputs)
    blocks = triton.cdiv(height, tile.rows) * triton.cdiv(width, tile.columns)
    _conv3x3[(blocks,)](
        TensorDescriptor.from_tensor(x, [tile.rows, tile.columns, depth]),
        TensorDescriptor.from_tensor(weights, [depth, outputs]),
        bias,
        grid,
        rows,
        columns,
        TensorDescriptor.from_tensor(out, [tile.rows, tile.columns, outputs]),
        height,
        width,
        grid.shape[1] if at is not None else 0,
        inputs,
        outputs,
        tile.rows,
        tile.columns,
        depth,
        at is not None,
        has_relu,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out
