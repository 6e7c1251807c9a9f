"""The detail network in the layout of a picture in memory, the form that the graphs ship."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.models.gladnet import Detail, Indices, finer, phase_index


class DetailNHWC(nn.Module):
    """`Detail` for pictures (1, H, W, 3), with the same results.

    Everything around the convolutions works on NHWC, the layout in which CPUs and tensor cores
    compute convolutions anyway, so that runtimes drop the transposes. No pixel is moved for the
    unshuffling either. A picture (H, W, 3) in memory is one of r = `unshuffle` times narrower
    rows, (H, W/r, 3*r), and a convolution with a stride of r rows sees the same as one of the
    unshuffled picture. The last convolution is one for each of the r rows of a result, which are
    laid one under the other. With one hidden layer of 32, a 720p frame took 0.86 of the time that
    it takes with the pixels unshuffled and shuffled (BF16; docs/models.md).

    With `is_compact` it computes `Detail.forward_compact`, else `Detail.forward`.
    """

    def __init__(self, detail: Detail, is_compact: bool) -> None:
        """Copy the weights of `detail`, in the order of channels that is used here."""
        super().__init__()
        self.unshuffle = r = detail.unshuffle
        self.is_compact = is_compact
        self.is_affine = detail.is_affine
        self.index = detail.index
        first, *inner, last = (cast(nn.Conv2d, conv) for conv in detail.convs)
        order = pixel_order(r)
        from_prior = first.weight[:, : detail.prior_channels]
        from_image = first.weight[:, detail.prior_channels :][:, order]
        self.prior_conv = conv3x3(from_prior, first.bias)
        self.image_conv = row_conv(from_image, r)
        self.inner_convs = nn.ModuleList(conv3x3(conv.weight, conv.bias) for conv in inner)
        kinds = 2 if detail.is_affine else 1  # factors and offsets, or values
        outputs = torch.stack([order + kind * len(order) for kind in range(kinds)])
        rows = outputs.reshape(kinds, r, 3 * r).transpose(0, 1).flatten(1)
        bias = cast(Tensor, last.bias)
        self.last_convs = nn.ModuleList(conv3x3(last.weight[row], bias[row]) for row in rows)

    def forward(self, image: Tensor, prior: Tensor, at: Indices | None = None) -> Tensor:
        """Map image (1, H, W, 3) in [0, 1] and prior (1, C, 96, 96) to the image's shape.

        H and W must be multiples of `unshuffle`; the compact form needs sides of at least
        `ModelSpec.cells_min_side`, and neither is checked. For a tile, `at` is that of `Detail`.
        """
        _, height, width, _ = image.shape
        h, w = height // self.unshuffle, width // self.unshuffle
        pixels = image.reshape(1, height, w, 3 * self.unshuffle)
        x = self._share_of_prior(prior, h, w, at) + cast(Tensor, self.image_conv(to_nchw(pixels)))
        for conv in self.inner_convs:
            x = conv(torch.relu(x))
        x = torch.relu(x)
        rows = [to_nhwc(conv(x))[:, :, None] for conv in self.last_convs]
        x = torch.cat(rows, dim=2).flatten(1, 2)
        if self.is_affine:
            factor, offset = x.chunk(2, dim=3)
            x = pixels * factor + offset
        return x.clamp(0, 1).reshape(1, height, width, 3)

    def _share_of_prior(self, prior: Tensor, h: int, w: int, at: Indices | None) -> Tensor:
        if at is None:
            index = phase_index if self.is_compact else self.index
            at = index(h, prior.device), index(w, prior.device)
        if self.is_affine:
            return gather(finer(self.prior_conv(prior)), *at)
        if self.is_compact:
            grid = self.prior_conv(F.interpolate(prior, scale_factor=3.0))  # (1, C', 288, 288)
            return gather(grid, *at)
        return cast(Tensor, self.prior_conv(gather(prior, *at)))


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


def row_conv(weight: Tensor, unshuffle: int) -> nn.Conv2d:
    """Make the convolution of a picture (1, 3*r, H, W/r) that gives what one unshuffled by r does.

    The weight is (O, 3*r*r, 3, 3), its inputs in the order (dy, dx, colour).
    """
    r, outputs = unshuffle, weight.shape[0]
    conv = nn.Conv2d(
        3 * r, outputs, (3 * r, 3), stride=(r, 1), padding=(r, 1), bias=False, device="meta"
    )
    rows = weight.detach().reshape(outputs, r, 3 * r, 3, 3).permute(0, 2, 3, 1, 4)
    conv.weight = nn.Parameter(rows.reshape(outputs, 3 * r, 3 * r, 3).contiguous())
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
