"""The operations around the convolutions: kernels where Triton compiles them, else their twins."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from streamlight.cuda import plain
from streamlight.cuda.ycbcr import YCbCr


@dataclass(frozen=True, slots=True)
class Ops:
    """One set of operations; `streamlight.cuda.plain` says what each does.

    Attributes:
        name: for people.
        has_triton: whether they are kernels, so that `kernels.conv3x3` can be tried too.
        rgb_in: picture to map.
        rgb_out: map to picture.
        nv12_in: planes to map.
        nv12_out: map to planes.
        add_grid_relu: in place.
        bias_relu: in place.
    """

    name: str
    has_triton: bool
    rgb_in: Callable[[Tensor, Tensor, int], None]
    rgb_out: Callable[[Tensor, Tensor, int], None]
    nv12_in: Callable[[Tensor, Tensor, Tensor, int, YCbCr], None]
    nv12_out: Callable[[Tensor, Tensor, Tensor, int, YCbCr], None]
    add_grid_relu: Callable[[Tensor, Tensor, Tensor, Tensor], None]
    bias_relu: Callable[[Tensor, Tensor], None]


PLAIN = Ops(
    "plain PyTorch",
    False,
    plain.rgb_in,
    plain.rgb_out,
    plain.nv12_in,
    plain.nv12_out,
    plain.add_grid_relu,
    plain.bias_relu,
)
"""Runs anywhere."""


def load_ops(device: torch.device) -> Ops:
    """Load the kernels for a CUDA device with Triton; `PLAIN` for others.

    PyTorch brings Triton along on Linux, but not on Windows.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return PLAIN
    from streamlight.cuda.kernels.add_grid_relu import add_grid_relu
    from streamlight.cuda.kernels.bias_relu import bias_relu
    from streamlight.cuda.kernels.nv12_in import nv12_in
    from streamlight.cuda.kernels.nv12_out import nv12_out
    from streamlight.cuda.kernels.rgb_in import rgb_in
    from streamlight.cuda.kernels.rgb_out import rgb_out

    return Ops("Triton", True, rgb_in, rgb_out, nv12_in, nv12_out, add_grid_relu, bias_relu)
