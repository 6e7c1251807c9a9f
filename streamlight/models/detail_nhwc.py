"""The detail network in the layout of a picture in memory, the form that the graphs ship."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.models.gladnet import Detail, Indices, finer, phase_index


class DetailNHWC(nn.Module):
    """`Detail` for pictures (1, H, W, 3), with the same results.

    Everything around the convolutions works on NHWC, the layout in which CPUs and tensor cores
    compute convolutions anyway: runtimes drop the transposes, and OpenVINO takes 77 instead of
    91 ms of CPU time for a 720p frame of gladnet-fast in BF16. Unshuffled pixels keep the order
    of memory, (dy, dx, colour) where `F.pixel_unshuffle` has (colour, dy, dx), and the weights
    of the first and the last convolution are permuted to match.

    With `is_compact` it computes `Detail.forward_compact`, else `Detail.forward`.
    """

    def __init__(self, detail: Detail, is_compact: bool) -> None:
        """Copy the weights of `detail`, in the order of channels that is used here."""
        super().__init__()
        self.unshuffle = detail.unshuffle
        self.is_compact = is_compact
        self.is_affine = detail.is_affine
        self.index = detail.index
        first, *inner, last = (cast(nn.Conv2d, conv) for conv in detail.convs)
        order = pixel_order(detail.unshuffle)
        out_order = torch.cat([order, order + len(order)]) if detail.is_affine else order
        from_prior = first.weight[:, : detail.prior_channels]
        from_image = first.weight[:, detail.prior_channels :][:, order]
        if is_compact or detail.is_affine:
            self.prior_conv = conv3x3(from_prior, first.bias)
            self.image_conv = conv3x3(from_image, None)
        else:
            self.first_conv = conv3x3(torch.cat([from_prior, from_image], dim=1), first.bias)
        self.inner_convs = nn.ModuleList(conv3x3(conv.weight, conv.bias) for conv in inner)
        self.last_conv = conv3x3(last.weight[out_order], cast(Tensor, last.bias)[out_order])

    def forward(self, image: Tensor, prior: Tensor, at: Indices | None = None) -> Tensor:
        """Map image (1, H, W, 3) in [0, 1] and prior (1, C, 96, 96) to the image's shape.

        H and W must be multiples of `unshuffle`; the compact form needs sides of at least
        `ModelSpec.cells_min_side`, and neither is checked. For a tile, `at` is that of `Detail`.
        """
        _, height, width, _ = image.shape
        r, h, w = self.unshuffle, height // self.unshuffle, width // self.unshuffle
        pixels = image
        if r > 1:
            pixels = image.reshape(1, h, r, w, 3 * r).permute(0, 1, 3, 2, 4)
            pixels = pixels.reshape(1, h, w, 3 * r * r)
        given = to_nchw(pixels)
        x = self._first(given, prior, h, w, at)
        for conv in self.inner_convs:
            x = conv(torch.relu(x))
        x = self.last_conv(torch.relu(x))
        if self.is_affine:
            factor, offset = x.chunk(2, dim=1)
            x = given * factor + offset
        x = to_nhwc(x.clamp(0, 1))
        if r > 1:
            x = x.reshape(1, h, w, r, 3 * r).permute(0, 1, 3, 2, 4).reshape(1, height, width, 3)
        return x

    def _first(self, x: Tensor, prior: Tensor, h: int, w: int, at: Indices | None) -> Tensor:
        if at is None and self.is_compact:
            at = phase_index(h, x.device), phase_index(w, x.device)
        elif at is None:
            at = self.index(h, x.device), self.index(w, x.device)
        if not self.is_compact and not self.is_affine:
            return cast(Tensor, self.first_conv(torch.cat([gather(prior, *at), x], 1)))
        if self.is_affine:
            grid = finer(self.prior_conv(prior))
        else:
            grid = self.prior_conv(F.interpolate(prior, scale_factor=3.0))  # (1, C', 288, 288)
        return gather(grid, *at) + cast(Tensor, self.image_conv(x))


def pixel_order(unshuffle: int) -> Tensor:
    """Index of each (dy, dx, colour) channel among the (colour, dy, dx) channels of PyTorch."""
    channels = torch.arange(3 * unshuffle**2).reshape(3, unshuffle, unshuffle)
    return channels.permute(1, 2, 0).flatten()


def conv3x3(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """Make a convolution with padding 1 of a copy of weight (O, I, 3, 3) and bias (O,)."""
    outputs, inputs = weight.shape[:2]
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias is not None, device="meta")
    conv.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone())
    return conv


def gather(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take rows and columns of x (1, C, h, w), as whole pixels: columns first, while it is low."""
    return to_nchw(to_nhwc(x).index_select(2, columns).index_select(1, rows))


def to_nchw(x: Tensor) -> Tensor:
    """View (B, H, W, C) as (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


def to_nhwc(x: Tensor) -> Tensor:
    """View (B, C, H, W) as (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)
