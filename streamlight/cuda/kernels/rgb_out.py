"""Maps to pictures: clamped, rounded, pixels shuffled back."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from streamlight.cuda.kernels.rounding import round_even
from streamlight.cuda.plain import peak_of

_BLOCK = 1024


@triton.jit
def _rgb_out(
    result,
    image,
    elements,
    w,
    peak,
    R: tl.constexpr,
    C: tl.constexpr,
    ROUNDS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row = i // (w * R * 3)
    along = i % (w * R * 3)
    pixel = (row // R) * w + along // (3 * R)
    channel = (row % R) * 3 * R + along % (3 * R)
    is_inside = i < elements
    value = tl.load(result + pixel * C + channel, mask=is_inside, other=0).to(tl.float32)
    value = tl.minimum(tl.maximum(value, 0.0), 1.0) * peak
    if ROUNDS:
        value = round_even(value).to(tl.int32)
    tl.store(image + i, value.to(image.dtype.element_ty), mask=is_inside)


def rgb_out(result: Tensor, image: Tensor, unshuffle: int) -> None:
    """See `streamlight.cuda.plain.rgb_out`."""
    elements, rounds = image.numel(), image.dtype != torch.float32
    _rgb_out[(triton.cdiv(elements, _BLOCK),)](
        result,
        image,
        elements,
        result.shape[1],
        peak_of(image),
        unshuffle,
        result.shape[2],
        rounds,
        _BLOCK,
    )
