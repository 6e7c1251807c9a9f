"""NV12 and P010, as hardware decoders give them, to maps of RGB."""

import triton
import triton.language as tl
from torch import Tensor

from streamlight.cuda.ycbcr import YCbCr

_BLOCK = 256


@triton.jit
def _chroma(chroma, stride, row, left, right, mask, unit, neutral, span):
    """Read one of Cb, Cr in the middle of two samples of a row, about 0."""
    a = tl.load(chroma + row * stride + left, mask=mask, other=0).to(tl.float32)
    b = tl.load(chroma + row * stride + right, mask=mask, other=0).to(tl.float32)
    return (0.5 * (a + b) / unit - neutral) / span


@triton.jit
def _nv12_in(
    luma,
    chroma,
    out,
    pixels,
    width,
    chroma_height,
    chroma_width,
    luma_stride,
    chroma_stride,
    unit,
    black,
    luma_span,
    neutral,
    chroma_span,
    r_cr,
    g_cb,
    g_cr,
    b_cb,
    R: tl.constexpr,
    C: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = i < pixels
    y = i // width
    x = i % width
    near = y // 2
    other = tl.maximum(tl.minimum(near + (y % 2) * 2 - 1, chroma_height - 1), 0)
    left = (x // 2) * 2
    right = tl.minimum(x // 2 + x % 2, chroma_width - 1) * 2
    cb = 0.75 * _chroma(
        chroma, chroma_stride, near, left, right, mask, unit, neutral, chroma_span
    ) + 0.25 * _chroma(chroma, chroma_stride, other, left, right, mask, unit, neutral, chroma_span)
    cr = 0.75 * _chroma(
        chroma + 1, chroma_stride, near, left, right, mask, unit, neutral, chroma_span
    ) + 0.25 * _chroma(
        chroma + 1, chroma_stride, other, left, right, mask, unit, neutral, chroma_span
    )
    luma_sample = tl.load(luma + y * luma_stride + x, mask=mask, other=0).to(tl.float32)
    light = (luma_sample / unit - black) / luma_span
    red = tl.minimum(tl.maximum(light + r_cr * cr, 0.0), 1.0)
    green = tl.minimum(tl.maximum(light + g_cb * cb + g_cr * cr, 0.0), 1.0)
    blue = tl.minimum(tl.maximum(light + b_cb * cb, 0.0), 1.0)
    block = (y // R) * (width // R) + x // R
    channel = ((y % R) * R + x % R) * 3
    target = out + block * C + channel
    tl.store(target, red.to(out.dtype.element_ty), mask=mask)
    tl.store(target + 1, green.to(out.dtype.element_ty), mask=mask)
    tl.store(target + 2, blue.to(out.dtype.element_ty), mask=mask)
    is_first = mask & (channel == 0)  # one pixel of each block writes its padding
    for padding in range(3 * R * R, C):
        tl.store(out + block * C + padding, tl.zeros_like(red).to(out.dtype.element_ty), is_first)


def nv12_in(luma: Tensor, chroma: Tensor, out: Tensor, unshuffle: int, spec: YCbCr) -> None:
    """See `streamlight.cuda.plain.nv12_in`; the rows of both planes may have padding."""
    height, width = luma.shape
    _nv12_in[(triton.cdiv(height * width, _BLOCK),)](
        luma,
        chroma,
        out,
        height * width,
        width,
        chroma.shape[0],
        chroma.shape[1],
        luma.stride(0),
        chroma.stride(0),
        float(spec.unit),
        spec.black,
        spec.luma_span,
        spec.neutral,
        spec.chroma_span,
        *spec.to_rgb,
        unshuffle,
        out.shape[2],
        _BLOCK,
    )
