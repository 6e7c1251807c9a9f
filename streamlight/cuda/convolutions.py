"""The ways to run the detail network's convolutions: cuDNN in two, and the kernel of our own."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.cuda.layout import as_map, as_nchw
from streamlight.cuda.ops import Ops

Grid = tuple[Tensor, Tensor, Tensor]
"""The prior's share of the first convolution (288, 288, C), bias included, and its rows and
columns (int32) for those of the map."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of a convolution in the layouts that are read.

    Attributes:
        weight: (O, I, 3, 3), channels_last.
        taps: (9, I, O), for `streamlight.cuda.kernels.conv3x3`.
        bias: (O,).
    """

    weight: Tensor
    taps: Tensor
    bias: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> "Layer":
        """Lay out weight (O, I, 3, 3)."""
        outputs, inputs = weight.shape[:2]
        taps = weight.permute(2, 3, 1, 0).reshape(9, inputs, outputs).contiguous()
        return cls(weight.contiguous(memory_format=torch.channels_last), taps, bias.contiguous())


class Convolver(Protocol):
    """Runs convolutions on maps (h, w, C); a new map each.

    Attributes:
        name: for people.
    """

    name: str

    def with_grid(self, x: Tensor, layer: Layer, grid: Grid) -> Tensor:
        """Convolve, add the prior's share in place of the bias, and take the ReLU."""

    def with_relu(self, x: Tensor, layer: Layer) -> Tensor:
        """Convolve, add the bias, and take the ReLU."""

    def last(self, x: Tensor, layer: Layer) -> Tensor:
        """Convolve and add the bias."""


class LibraryConvolver:
    """PyTorch's convolution (cuDNN on CUDA), with what follows it in one pass of `Ops`."""

    def __init__(self, ops: Ops) -> None:
        """Take the operations."""
        self.name = "cuDNN"
        self._ops = ops

    def with_grid(self, x: Tensor, layer: Layer, grid: Grid) -> Tensor:
        """See `Convolver.with_grid`."""
        y = _convolved(x, layer.weight, None)
        self._ops.add_grid_relu(y, *grid)
        return y

    def with_relu(self, x: Tensor, layer: Layer) -> Tensor:
        """See `Convolver.with_relu`."""
        y = _convolved(x, layer.weight, None)
        self._ops.bias_relu(y, layer.bias)
        return y

    def last(self, x: Tensor, layer: Layer) -> Tensor:
        """See `Convolver.last`."""
        return _convolved(x, layer.weight, layer.bias)


class FusedLibraryConvolver(LibraryConvolver):
    """cuDNN's convolution with bias and ReLU inside, where it has one."""

    def __init__(self, ops: Ops) -> None:
        """Take the operations."""
        super().__init__(ops)
        self.name = "cuDNN, ReLU inside"

    def with_relu(self, x: Tensor, layer: Layer) -> Tensor:
        """See `Convolver.with_relu`."""
        one = (1, 1)
        y = torch.cudnn_convolution_relu(as_nchw(x), layer.weight, layer.bias, one, one, one, 1)
        return as_map(y).contiguous()


class KernelConvolver:
    """`streamlight.cuda.kernels.conv3x3`: all in one kernel."""

    def __init__(self, number: int) -> None:
        """Take one of the ways to cut the work, `TILES` of the kernel."""
        from streamlight.cuda.kernels.conv3x3 import TILES, conv3x3

        self._tile, self._conv3x3 = TILES[number], conv3x3
        self.name = f"Triton {self._tile}"

    @staticmethod
    def count() -> int:
        """Count the ways to cut the work."""
        from streamlight.cuda.kernels.conv3x3 import TILES

        return len(TILES)

    def with_grid(self, x: Tensor, layer: Layer, grid: Grid) -> Tensor:
        """See `Convolver.with_grid`."""
        return self._conv3x3(x, layer.taps, layer.bias, at=grid, tile=self._tile)

    def with_relu(self, x: Tensor, layer: Layer) -> Tensor:
        """See `Convolver.with_relu`."""
        return self._conv3x3(x, layer.taps, layer.bias, tile=self._tile)

    def last(self, x: Tensor, layer: Layer) -> Tensor:
        """See `Convolver.last`."""
        return self._conv3x3(x, layer.taps, layer.bias, False, tile=self._tile)


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return as_map(F.conv2d(as_nchw(x), weight, bias, padding=1)).contiguous()
