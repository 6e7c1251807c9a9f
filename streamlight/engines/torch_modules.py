"""The networks as modules of PyTorch in the form of engines; `torch_compiler` compiles them."""

from typing import cast

import torch
from torch import Tensor, nn

from streamlight.models.detail_nhwc import DetailNHWC
from streamlight.models.gladnet import Detail, Prior


class EngineEstimate(nn.Module):
    """The illumination network, in a type of its own between FP32 in and out."""

    def __init__(self, prior: Prior, dtype: torch.dtype) -> None:
        """Turn the weights of `prior`, which it takes over, into `dtype`."""
        super().__init__()
        self.dtype = dtype
        self.network = prior.to(dtype)

    def forward(self, view: Tensor) -> Tensor:
        """Map view (1, 3, 96, 96) in [0, 1] to illumination features (1, C, 96, 96)."""
        return cast(Tensor, self.network(view.to(self.dtype)).float())


class EngineDetail(nn.Module):
    """The detail network, in a type of its own between FP32 in and out; see `engines.graphs`."""

    def __init__(self, detail: Detail, is_compact: bool, dtype: torch.dtype) -> None:
        """Copy the weights of `detail`, in `dtype`."""
        super().__init__()
        self.dtype = dtype
        self.network = DetailNHWC(detail, is_compact).to(dtype)

    def forward(self, image: Tensor, prior: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Map image (1, H, W, 3) in [0, 1] and prior (1, C, 96, 96) to the image's shape.

        `rows` (H / unshuffle,) and `columns` (W / unshuffle,), int32, are those of
        `streamlight.models.prior_index.prior_indices`.
        """
        at = rows, columns
        return cast(Tensor, self.network(image.to(self.dtype), prior.to(self.dtype), at).float())
