"""What the kernels compute, in plain PyTorch: the twins that they are tested against.

Maps are (h, w, C), contiguous; see `streamlight.cuda.layout` for the padding of their channels.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.cuda.layout import as_map, as_nchw
from streamlight.cuda.ycbcr import YCbCr


def rgb_in(image: Tensor, out: Tensor, unshuffle: int) -> None:
    """Write picture (H, W, 3), uint8, uint16 or float32, as [0, 1] into a map.

    The channels of a map's pixel are in the order of memory: (row, column, colour).
    """
    h, w, r = out.shape[0], out.shape[1], unshuffle
    pixels = image.to(torch.float32) / peak_of(image)
    blocks = pixels.reshape(h, r, w, 3 * r).permute(0, 2, 1, 3).reshape(h, w, 3 * r * r)
    out[..., : 3 * r * r] = blocks.to(out.dtype)
    out[..., 3 * r * r :] = 0


def rgb_out(result: Tensor, image: Tensor, unshuffle: int) -> None:
    """Clamp a map to [0, 1] and write it as picture (H, W, 3), rounded to nearest, ties to even."""
    pixels = _pixels(result, unshuffle) * peak_of(image)
    image.copy_((pixels.round() if image.dtype != torch.float32 else pixels).to(image.dtype))


def nv12_in(luma: Tensor, chroma: Tensor, out: Tensor, unshuffle: int, spec: YCbCr) -> None:
    """Write Y (H, W) and Cb, Cr (ceil(H/2), ceil(W/2), 2) as RGB in [0, 1] into a map.

    Chroma is interpolated linearly from where H.264 and H.265 have it: on every second pixel of a
    row, and between two rows (Rec. H.264, figure E-1). H and W are multiples of `unshuffle`.
    """
    rows, columns = (torch.arange(n, device=luma.device) for n in luma.shape)
    rgb_in(nv12_pixels(luma, chroma, rows, columns, spec), out, unshuffle)


def nv12_pixels(luma: Tensor, chroma: Tensor, rows: Tensor, columns: Tensor, spec: YCbCr) -> Tensor:
    """Return RGB (len(rows), len(columns), 3) in [0, 1] of some pixels, as `nv12_in` reads them."""
    # uint16 cannot be indexed on a GPU; int16 has the same bits
    wide = luma.dtype == torch.uint16
    luma, chroma = (p.view(torch.int16) if wide else p for p in (luma, chroma))

    def taken(plane: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        samples = plane[rows[:, None], columns].to(torch.int32)
        return (samples & 0xFFFF).to(torch.float32) / spec.unit

    y = (taken(luma, rows, columns) - spec.black) / spec.luma_span
    near, last = rows // 2, chroma.shape[0] - 1
    other = (near + torch.where(rows % 2 == 1, 1, -1)).clamp(0, last)
    left = columns // 2
    right = (left + columns % 2).clamp(max=chroma.shape[1] - 1)
    c = torch.zeros((), device=luma.device)
    for of_row, row in ((0.75, near), (0.25, other)):
        c = c + of_row * (0.5 * taken(chroma, row, left) + 0.5 * taken(chroma, row, right))
    c = (c - spec.neutral) / spec.chroma_span
    cb, cr = c[..., 0], c[..., 1]
    r_cr, g_cb, g_cr, b_cb = spec.to_rgb
    rgb = torch.stack([y + r_cr * cr, y + g_cb * cb + g_cr * cr, y + b_cb * cb], dim=-1)
    return rgb.clamp(0, 1)


def nv12_out(result: Tensor, luma: Tensor, chroma: Tensor, unshuffle: int, spec: YCbCr) -> None:
    """Write a map as Y and Cb, Cr, rounded; the inverse of `nv12_in`.

    Chroma undoes the interpolation exactly, as `streamlight.sinks.samples.pick_chroma` does.
    """
    rgb = _pixels(result, unshuffle)
    red, green, blue = rgb.unbind(-1)
    y = spec.kr * red + spec.kg * green + spec.kb * blue
    cb, cr = (blue - y) / (2 * (1 - spec.kb)), (red - y) / (2 * (1 - spec.kr))
    _write(luma, y * spec.luma_span + spec.black, spec)
    c = torch.stack([cb, cr], dim=-1)[:, ::2]
    first = torch.arange(0, len(c), 2, device=c.device)
    above, below, after = ((first + n).clamp(0, len(c) - 1) for n in (-1, 1, 2))
    c = (3 * (c[first] + c[below]) - c[above] - c[after]) / 4
    _write(chroma, c * spec.chroma_span + spec.neutral, spec)


def add_grid_relu(x: Tensor, grid: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Add the prior's share to map x (h, w, C) in place, and take the ReLU.

    Args:
        x: the picture's share of the first convolution.
        grid: (288, 288, C), bias included.
        rows: of the grid, int32 (h,).
        columns: likewise (w,).
    """
    share = grid.index_select(0, rows.long()).index_select(1, columns.long())
    x.copy_((x.float() + share.float()).relu())


def bias_relu(x: Tensor, bias: Tensor) -> None:
    """Add bias (C,) to map x (h, w, C) in place, and take the ReLU."""
    x.copy_((x.float() + bias.float()).relu())


def conv3x3(x: Tensor, weight: Tensor, bias: Tensor, has_relu: bool = True) -> Tensor:
    """Convolve map x (h, w, I) with weight (9, I, O), rows of taps first, padding 1; bias (O,)."""
    taps = weight.permute(2, 1, 0).reshape(weight.shape[2], weight.shape[1], 3, 3)
    y = F.conv2d(as_nchw(x).float(), taps.float(), bias.float(), padding=1)
    return as_map(y.relu() if has_relu else y).to(x.dtype).contiguous()


def peak_of(image: Tensor) -> float:
    """White of a picture."""
    return {torch.uint8: 255.0, torch.uint16: 65535.0}.get(image.dtype, 1.0)


def view_of(image: Tensor, take: Callable[[int], Tensor]) -> Tensor:
    """Take the view (1, 3, 96, 96) in [0, 1] of picture (H, W, 3) that lies on the device.

    Args:
        image: uint8, uint16 or float32.
        take: the rows (columns) of a side, as `streamlight.view.nearest_indices` has them.
    """
    rows, columns = take(image.shape[0]), take(image.shape[1])
    pixels = image[rows[:, None], columns].to(torch.float32)
    return pixels.permute(2, 0, 1)[None].contiguous() * torch.tensor(
        1 / peak_of(image), dtype=torch.float32
    )


def _pixels(result: Tensor, unshuffle: int) -> Tensor:
    h, w, r = result.shape[0], result.shape[1], unshuffle
    pixels = result[..., : 3 * r * r].float().clamp(0, 1)
    return pixels.reshape(h, w, r, 3 * r).permute(0, 2, 1, 3).reshape(h * r, w * r, 3)


def _write(plane: Tensor, samples: Tensor, spec: YCbCr) -> None:
    plane.copy_((samples.round().clamp(0, spec.peak) * spec.unit).to(torch.int32).to(plane.dtype))
