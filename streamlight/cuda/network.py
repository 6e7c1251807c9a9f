"""The detail network on maps (h, w, C), its weights prepared once."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamlight.cuda.choosing import choose_all
from streamlight.cuda.convolutions import Layer
from streamlight.cuda.layout import as_map, as_nchw, padded_channels
from streamlight.cuda.ops import Ops
from streamlight.models.detail_nhwc import pixel_order
from streamlight.models.gladnet import Detail, finer, gather


class DetailNetwork:
    """Computes what `streamlight.models.gladnet.Detail` does, without copies and transposes.

    Attributes:
        dtype: of the maps.
        ways: which convolver runs the layers "first", "hidden" and "last".
    """

    def __init__(self, detail: Detail, device: torch.device, dtype: torch.dtype, ops: Ops) -> None:
        """Prepare the weights of `detail`, which is left as it is."""
        first, *hidden, last = (cast(nn.Conv2d, conv) for conv in detail.convs)
        self._is_affine = detail.is_affine
        lanes, order = padded_channels(detail.unshuffle), pixel_order(detail.unshuffle)

        def there(x: Tensor) -> Tensor:
            return x.detach().to(device, dtype)

        from_image = first.weight[:, detail.prior_channels :][:, order]
        pad = lanes - from_image.shape[1]
        self._from_prior = there(first.weight[:, : detail.prior_channels]).contiguous(
            memory_format=torch.channels_last
        )
        self.dtype = dtype
        self._first = Layer.of(
            there(F.pad(from_image, (0, 0, 0, 0, 0, pad))), there(cast(Tensor, first.bias))
        )
        self._hidden = [Layer.of(there(c.weight), there(cast(Tensor, c.bias))) for c in hidden]
        # of the affine form, the factors fill as many lanes as a picture, and then the offsets
        parts = zip(
            last.weight.split(len(order)), cast(Tensor, last.bias).split(len(order)), strict=True
        )
        padded = [
            (F.pad(weight[order], (0, 0, 0, 0, 0, 0, 0, pad)), F.pad(bias[order], (0, pad)))
            for weight, bias in parts
        ]
        weights, biases = zip(*padded, strict=True)
        self._last = Layer.of(there(torch.cat(weights)), there(torch.cat(biases)))
        self.ways = choose_all(ops, self._first, self._hidden, self._last)

    def __call__(
        self, x: Tensor, prior: Tensor, rows: Tensor, columns: Tensor, is_compact: bool
    ) -> Tensor:
        """Run the network on a map.

        Args:
            x: the picture, (h, w, C) as `streamlight.cuda.layout` says.
            prior: (1, C', 96, 96), FP32.
            rows: of the prior, or in the compact form of its grid, for each row of x; int32 (h,).
            columns: likewise (w,).
            is_compact: whether to compute the compact form.

        Returns:
            A map like x, not yet clamped.
        """
        prior = prior.to(self.dtype).contiguous(memory_format=torch.channels_last)
        picture = x
        if is_compact or self._is_affine:
            wide = F.interpolate(prior, scale_factor=3.0) if is_compact else prior
            share = F.conv2d(wide, self._from_prior, self._first.bias, padding=1)
            grid = as_map(share if is_compact else finer(share))
            at = grid.contiguous(), rows, columns
            x = self.ways["first"].with_grid(x, self._first, at)
        else:
            resized = gather(prior, rows, columns)
            share = F.conv2d(resized, self._from_prior, self._first.bias, padding=1)
            image = F.conv2d(as_nchw(x), self._first.weight, padding=1)
            x = as_map((image + share).relu()).contiguous()
        for layer in self._hidden:
            x = self.ways["hidden"].with_relu(x, layer)
        x = self.ways["last"].last(x, self._last)
        if self._is_affine:
            factors, offsets = x.chunk(2, dim=-1)
            x = torch.addcmul(offsets, picture, factors)
        return x
