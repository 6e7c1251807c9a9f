"""Pictures of uint8, uint16 or float32 to maps."""

import triton
import triton.language as tl
from torch import Tensor

from streamlight.cuda.plain import peak_of

_BLOCK = 1024


@triton.jit
def _rgb_in(image, out, elements, w, peak, R: tl.constexpr, C: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    channel = i % C
    pixel = i // C
    y = pixel // w
    x = pixel % w
    # the 3R values of a row of a block lie side by side in the picture
    row = y * R + channel // (3 * R)
    source = (row * w + x) * 3 * R + channel % (3 * R)
    is_inside = i < elements
    is_color = is_inside & (channel < 3 * R * R)
    value = tl.load(image + source, mask=is_color, other=0).to(tl.float32) / peak
    tl.store(out + i, value.to(out.dtype.element_ty), mask=is_inside)


def rgb_in(image: Tensor, out: Tensor, unshuffle: int) -> None:
    """See `streamlight.cuda.plain.rgb_in`."""
    elements = out.numel()
    _rgb_in[(triton.cdiv(elements, _BLOCK),)](
        image, out, elements, out.shape[1], peak_of(image), unshuffle, out.shape[2], _BLOCK
    )
