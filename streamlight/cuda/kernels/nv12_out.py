"""Maps of RGB to NV12 and P010, as encoders take them."""

import triton
import triton.language as tl
from torch import Tensor

from streamlight.cuda.kernels.rounding import round_even
from streamlight.cuda.ycbcr import YCbCr

_BLOCK = 256


@triton.jit
def _color(result, y, x, w, mask, kr, kb, R: tl.constexpr, C: tl.constexpr):
    """Read a pixel as Y, Cb, Cr about 0."""
    place = result + ((y // R) * w + x // R) * C + ((y % R) * R + x % R) * 3
    red = tl.load(place, mask=mask, other=0).to(tl.float32)
    green = tl.load(place + 1, mask=mask, other=0).to(tl.float32)
    blue = tl.load(place + 2, mask=mask, other=0).to(tl.float32)
    red = tl.minimum(tl.maximum(red, 0.0), 1.0)
    green = tl.minimum(tl.maximum(green, 0.0), 1.0)
    blue = tl.minimum(tl.maximum(blue, 0.0), 1.0)
    light = kr * red + (1.0 - kr - kb) * green + kb * blue
    return light, (blue - light) / (2.0 * (1.0 - kb)), (red - light) / (2.0 * (1.0 - kr))


@triton.jit
def _sample(value, peak, unit):
    return (tl.minimum(tl.maximum(round_even(value), 0.0), peak) * unit).to(tl.int32)


@triton.jit
def _nv12_out(
    result,
    luma,
    chroma,
    chroma_pixels,
    height,
    width,
    w,
    luma_stride,
    chroma_stride,
    unit,
    peak,
    black,
    luma_span,
    neutral,
    chroma_span,
    kr,
    kb,
    R: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < chroma_pixels
    chroma_width = (width + 1) // 2
    row = i // chroma_width
    column = i % chroma_width
    y = 2 * row
    x = 2 * column
    has_right = mask & (x + 1 < width)
    has_below = mask & (y + 1 < height)
    below = tl.minimum(y + 1, height - 1)
    a_light, a_cb, a_cr = _color(result, y, x, w, mask, kr, kb, R, C)
    b_light, b_cb, b_cr = _color(result, below, x, w, mask, kr, kb, R, C)
    right_light, _, _ = _color(result, y, x + 1, w, has_right, kr, kb, R, C)
    corner_light, _, _ = _color(result, below, x + 1, w, has_right, kr, kb, R, C)
    _, above_cb, above_cr = _color(result, tl.maximum(y - 1, 0), x, w, mask, kr, kb, R, C)
    after = tl.minimum(y + 2, height - 1)
    _, after_cb, after_cr = _color(result, after, x, w, mask, kr, kb, R, C)
    target = luma + y * luma_stride + x
    type_ = luma.dtype.element_ty
    tl.store(target, _sample(a_light * luma_span + black, peak, unit).to(type_), mask)
    tl.store(target + 1, _sample(right_light * luma_span + black, peak, unit).to(type_), has_right)
    target += luma_stride
    tl.store(target, _sample(b_light * luma_span + black, peak, unit).to(type_), has_below)
    corner = _sample(corner_light * luma_span + black, peak, unit).to(type_)
    tl.store(target + 1, corner, has_right & has_below)
    cb = (3.0 * (a_cb + b_cb) - above_cb - after_cb) / 4.0
    cr = (3.0 * (a_cr + b_cr) - above_cr - after_cr) / 4.0
    target = chroma + row * chroma_stride + 2 * column
    tl.store(target, _sample(cb * chroma_span + neutral, peak, unit).to(type_), mask)
    tl.store(target + 1, _sample(cr * chroma_span + neutral, peak, unit).to(type_), mask)


def nv12_out(result: Tensor, luma: Tensor, chroma: Tensor, unshuffle: int, spec: YCbCr) -> None:
    """See `streamlight.cuda.plain.nv12_out`; the rows of both planes may have padding."""
    height, width = luma.shape
    chroma_pixels = chroma.shape[0] * chroma.shape[1]
    _nv12_out[(triton.cdiv(chroma_pixels, _BLOCK),)](
        result,
        luma,
        chroma,
        chroma_pixels,
        height,
        width,
        result.shape[1],
        luma.stride(0),
        chroma.stride(0),
        float(spec.unit),
        spec.peak,
        spec.black,
        spec.luma_span,
        spec.neutral,
        spec.chroma_span,
        spec.kr,
        spec.kb,
        unshuffle,
        result.shape[2],
        _BLOCK,
    )
