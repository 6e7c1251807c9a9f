"""GLADNet: global illumination estimation, then detail reconstruction, in PyTorch.

Source: W. Wang, C. Wei, W. Yang, J. Liu, "GLADNet: Low-Light Enhancement Network with Global
Awareness", FG 2018. Section II-A of the paper is `Prior` (`GLADNet.estimate` here), section II-B
is `Detail` (`GLADNet.reconstruct`). This file is the reference: what runs without torch are the
ONNX graphs that `streamlight.models.export` makes from it.
"""

from itertools import pairwise
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.models.meter import Meter, exposed
from streamlight.models.spec import AFFINE_EDGE, AFFINE_SCALE, PRIOR_SIZE, ModelSpec

Indices: TypeAlias = tuple[Tensor, Tensor]
"""Rows and columns to gather."""


class Prior(nn.Module):
    """Global illumination estimation (section II-A): encoder-decoder with sum skips.

    96 -> 48 -> 24 -> 12 -> 6 -> 3 -> 2 by stride-2 convolutions, and back by resize-convolutions.

    With a meter, which the paper has not, it looks twice: the view is exposed anew by what the
    meter says of the first look.
    """

    UP_SIZES = (3, 6, 12, 24, 48, PRIOR_SIZE)

    def __init__(self, channels: int, is_metered: bool = False) -> None:
        """Build the layers; `channels` is the width of every one."""
        super().__init__()
        widths = [3] + [channels] * 6
        self.down = nn.ModuleList(nn.Conv2d(i, channels, 3, stride=2) for i in widths[:-1])
        self.up = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(6))
        self.meter = Meter(channels) if is_metered else None

    def forward(self, view: Tensor) -> Tensor:
        """Map view (B, 3, 96, 96) in [0, 1] to illumination features (B, C, 96, 96)."""
        prior = self.look(view)
        return prior if self.meter is None else self.look(exposed(view, self.meter(view, prior)))

    def look(self, view: Tensor) -> Tensor:
        """Map view (B, 3, 96, 96) to illumination features (B, C, 96, 96) as the paper does."""
        skips: list[Tensor] = []
        x = view
        for conv in self.down:
            x = torch.relu(conv(pad_same_stride2(x)))
            skips.append(x)
        skips.pop()  # the innermost 2x2 map is the input of the decoder, not a skip of it
        for conv, size in zip(self.up, self.UP_SIZES, strict=True):
            # F.interpolate multiplies by a rounded ratio, which is exact for these six sizes
            x = torch.relu(conv(F.interpolate(x, size=(size, size))))
            if skips:
                x = x + skips.pop()
        return x


class Detail(nn.Module):
    """Detail reconstruction (section II-B): the prior and the picture through 3x3 convolutions.

    With `unshuffle` r > 1 the picture is taken as 3*r*r channels at 1/r of the size, which makes
    the network r*r times cheaper; the paper's network has r = 1.

    The affine form resizes what the first convolution makes of the prior, and not the prior,
    linearly to three times its size and from there by nearest neighbour. It gives a factor and an
    offset for each value of the picture, as M. Gharbi et al., "Deep bilateral learning for
    real-time image enhancement" (SIGGRAPH 2017), do for each cell of a grid. Light is a factor,
    which convolutions and ReLU can only draw piece by piece.
    """

    def __init__(
        self,
        prior_channels: int,
        widths: tuple[int, ...],
        unshuffle: int,
        is_affine: bool = False,
    ) -> None:
        """Build the layers; `widths` are the channels of the hidden convolutions."""
        super().__init__()
        colors = 3 * unshuffle**2
        self.unshuffle = unshuffle
        self.prior_channels = prior_channels
        self.is_affine = is_affine
        channels = (prior_channels + colors, *widths, colors * (2 if is_affine else 1))
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(channels))

    def index(self, size: int, device: torch.device) -> Tensor:
        """Row (column) of the prior, or of the affine form's grid, for each of `size`."""
        if self.is_affine:
            return affine_index(size, device)
        return nearest_index(size, PRIOR_SIZE, device)

    def forward(self, image: Tensor, prior: Tensor, at: Indices | None = None) -> Tensor:
        """Map image (B, 3, H, W) in [0, 1] and prior (B, C, 96, 96) to (B, 3, H, W) in [0, 1].

        For a tile, `at` tells which rows and columns of the prior its pixels take.
        """
        x = F.pixel_unshuffle(image, self.unshuffle)
        if at is None:
            at = self.index(x.shape[2], x.device), self.index(x.shape[3], x.device)
        if self.is_affine:
            from_prior, from_image, bias = self._first()
            grid = finer(F.conv2d(prior, from_prior, bias, padding=1))
            return self._finish(gather(grid, *at) + F.conv2d(x, from_image, padding=1), x)
        return self._finish(self.convs[0](torch.cat([gather(prior, *at), x], dim=1)), x)

    def forward_compact(self, image: Tensor, prior: Tensor, at: Indices | None = None) -> Tensor:
        """Compute what `forward` does with fewer multiplications, exactly.

        The first convolution sees a prior that is constant over cells of at least 2x2 pixels, so
        its response to the prior takes at most 3 values a cell and axis: before the middle, in
        it, and after it. They are computed on a (288, 288) grid and gathered. Each side of the
        picture must be at least `2 * 96 * unshuffle` pixels (`ModelSpec.cells_min_side`);
        ValueError below, and for the affine form, which has none. For a tile of such a picture,
        `at` tells which rows and columns of the grid its pixels take.
        """
        if self.is_affine:
            raise ValueError("the affine form of the detail network has no compact one")
        x = F.pixel_unshuffle(image, self.unshuffle)
        if at is None and min(x.shape[2:]) < 2 * PRIOR_SIZE:
            side = 2 * PRIOR_SIZE * self.unshuffle
            raise ValueError(f"image is {tuple(image.shape)}, but each side must be >= {side}")
        from_prior, from_image, bias = self._first()
        grid = F.conv2d(F.interpolate(prior, scale_factor=3.0), from_prior, bias, padding=1)
        if at is None:
            at = phase_index(x.shape[2], x.device), phase_index(x.shape[3], x.device)
        share = gather(grid, *at)
        return self._finish(share + F.conv2d(x, from_image, padding=1), x)

    def _first(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the first convolution's weights of the prior, of the picture, and its bias."""
        first = cast(nn.Conv2d, self.convs[0])
        from_prior = first.weight[:, : self.prior_channels]
        return from_prior, first.weight[:, self.prior_channels :], cast(Tensor, first.bias)

    def _finish(self, x: Tensor, pixels: Tensor) -> Tensor:
        for conv in self.convs[1:]:
            x = conv(torch.relu(x))
        if self.is_affine:
            factor, offset = x.chunk(2, dim=1)
            x = pixels * factor + offset
        x = F.pixel_shuffle(x, self.unshuffle)
        return clamped_straight_through(x) if self.training else x.clamp(0, 1)


class GLADNet(nn.Module):
    """The network as its two functions; between them stands all that a video has to remember."""

    def __init__(self, spec: ModelSpec) -> None:
        """Build the network of a specification, with random weights."""
        super().__init__()
        self.spec = spec
        self.prior = Prior(spec.prior_channels, spec.is_metered)
        self.detail = Detail(
            spec.prior_channels, spec.detail_widths, spec.unshuffle, spec.is_affine
        )

    def estimate(self, view: Tensor) -> Tensor:
        """Estimate the illumination: view (B, 3, 96, 96) in [0, 1] -> prior (B, C, 96, 96)."""
        return cast(Tensor, self.prior(view))

    def reconstruct(self, image: Tensor, prior: Tensor) -> Tensor:
        """Enhance image (B, 3, H, W) in [0, 1] with prior (B, C, 96, 96); same shape out.

        H and W must be multiples of `spec.unshuffle`.
        """
        return cast(Tensor, self.detail(image, prior))


def pad_same_stride2(x: Tensor) -> Tensor:
    """Pad for a 3x3 stride-2 convolution as TensorFlow's SAME does.

    An even size needs one row, and it goes to the bottom (right) only; an odd size needs two.
    """
    top, left = x.shape[2] % 2, x.shape[3] % 2
    return F.pad(x, (left, 1, top, 1))


def nearest_index(size: int, source: int, device: torch.device) -> Tensor:
    """Source index floor(i * source / size) for i < size, in exact integer arithmetic."""
    return torch.arange(size, device=device) * source // size


def resize_nearest(x: Tensor, height: int, width: int) -> Tensor:
    """Resize x (B, C, h, w) to (B, C, height, width) by nearest neighbour, index floor(i*h/H)."""
    rows = nearest_index(height, x.shape[2], x.device)
    columns = nearest_index(width, x.shape[3], x.device)
    return gather(x, rows, columns)


def finer(x: Tensor) -> Tensor:
    """Interpolate x (B, C, 96, 96) linearly to the grid (B, C, 288, 288) of the affine form."""
    size = (AFFINE_SCALE * PRIOR_SIZE, AFFINE_SCALE * PRIOR_SIZE)
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def clamped_straight_through(x: Tensor) -> Tensor:
    """Clamp x to [0, 1], with the gradient of x itself.

    A value outside has no gradient through `clamp`, so a network that is drawn with all of them
    outside never learns. The loss, SSIM above all, still sees pictures as `eval` gives them.

    Source: Y. Bengio, N. Leonard, A. Courville, "Estimating or Propagating Gradients Through
    Stochastic Neurons for Conditional Computation", arXiv 1308.3432, 2013.
    """
    return x.clamp(0, 1).detach() + (x - x.detach())


def gather(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take rows and columns of x (B, C, h, w) by their indices."""
    return x.index_select(2, rows).index_select(3, columns)


def affine_index(size: int, device: torch.device) -> Tensor:
    """Index into the affine form's grid for each row (column) of `size`.

    Those of the cells at the edges are replaced by the middle of the next (`AFFINE_EDGE`).
    """
    first = AFFINE_EDGE * AFFINE_SCALE + AFFINE_SCALE // 2
    last = AFFINE_SCALE * PRIOR_SIZE - 1 - first
    return nearest_index(size, AFFINE_SCALE * PRIOR_SIZE, device).clamp(first, last)


def phase_index(size: int, device: torch.device) -> Tensor:
    """Index into the 3 * 96 grid of `Detail.forward_compact` for each row (column) of `size`.

    Cell c owns 3c (its first row), 3c + 1 (inner rows) and 3c + 2 (its last row). With
    i * 96 = cell * size + rest, row i is the first of its cell where i - 1 falls below the
    cell (rest < 96), and the last where i + 1 falls beyond it (rest + 96 >= size). No operand
    is negative, so that a division that truncates gives the same.
    """
    cell = nearest_index(size, PRIOR_SIZE, device)
    rest = torch.arange(size, device=device) * PRIOR_SIZE - cell * size
    is_first = rest < PRIOR_SIZE
    is_last = rest + PRIOR_SIZE >= size
    return cell * 3 + 1 - is_first.long() + is_last.long()
