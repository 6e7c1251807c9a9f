"""Bias and ReLU in one pass, where the convolution does not have them inside."""

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


@triton.jit
def _bias_relu(x, bias, elements, C: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < elements
    share = tl.load(bias + i % C, mask=mask, other=0).to(tl.float32)
    value = tl.load(x + i, mask=mask, other=0).to(tl.float32) + share
    tl.store(x + i, tl.maximum(value, 0.0).to(x.dtype.element_ty), mask=mask)


def bias_relu(x: Tensor, bias: Tensor) -> None:
    """See `streamlight.cuda.plain.bias_relu`."""
    elements = x.numel()
    _bias_relu[(triton.cdiv(elements, _BLOCK),)](x, bias, elements, x.shape[2], _BLOCK)
