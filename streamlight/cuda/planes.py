"""The network on pictures that are on the GPU already, NV12 or P010 from a decoder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamlight.cuda.layout import size_of_map
from streamlight.cuda.network import DetailNetwork
from streamlight.cuda.ops import Ops
from streamlight.cuda.replay import Replay
from streamlight.cuda.ycbcr import YCbCr
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import PRIOR_SIZE, ModelSpec
from streamlight.view import nearest_indices

Samples = NDArray[Any]


@dataclass(frozen=True, slots=True)
class PlanesSize:
    """What a program is made for.

    Attributes:
        height: of the picture; a multiple of the model's `unshuffle`.
        width: likewise.
        spec: how the samples mean colours, the same in the result.
    """

    height: int
    width: int
    spec: YCbCr


class PlanesProgram:
    """Enhances planes on the device; one download of the result in pinned memory.

    To be used by one thread at a time.
    """

    def __init__(
        self,
        size: PlanesSize,
        model: ModelSpec,
        network: DetailNetwork,
        ops: Ops,
        device: torch.device,
        stream: "torch.cuda.Stream | None",
    ) -> None:
        """Allocate the buffers, and record the work.

        Raises:
            ValueError: a side is no multiple of the model's `unshuffle`.
        """
        height, width, r = size.height, size.width, model.unshuffle
        if height % r or width % r:
            raise ValueError(f"{width}x{height}: both sides must be multiples of {r}")
        is_cuda = device.type == "cuda"
        dtype = torch.uint8 if size.spec.peak == 255 else torch.uint16
        shapes = (height, width), ((height + 1) // 2, (width + 1) // 2, 2)
        self._size, self._stream = size, stream
        self._given = [torch.zeros(s, dtype=dtype, device=device) for s in shapes]
        self._result = [torch.zeros(s, dtype=dtype, device=device) for s in shapes]
        self._host = [torch.zeros(s, dtype=dtype, pin_memory=is_cuda) for s in shapes]
        prior_shape = (1, model.prior_channels, PRIOR_SIZE, PRIOR_SIZE)
        self._prior = torch.zeros(prior_shape, device=device)
        self._map = torch.zeros(size_of_map(height, width, r), dtype=network.dtype, device=device)
        self._unshuffle = r
        is_compact = min(height, width) >= model.compact_min_side
        rows, columns = (
            torch.from_numpy(i.astype(np.int32)).to(device)
            for i in prior_indices(Place(height, width, 0, 0), height, width, r, is_compact)
        )
        self._view_rows, self._view_columns = (
            torch.from_numpy(nearest_indices(n)).to(device) for n in (height, width)
        )

        def read() -> None:
            luma, chroma = self._given
            ops.nv12_in(luma, chroma, self._map, r, size.spec)

        def enhance() -> None:
            out = network(self._map, self._prior, rows, columns, is_compact)
            luma, chroma = self._result
            ops.nv12_out(out, luma, chroma, r, size.spec)

        self._read, self._enhance = Replay(read, stream), Replay(enhance, stream)

    def view(self, luma: Tensor, chroma: Tensor) -> NDArray[np.float32]:
        """Take in a picture, and return its view (1, 3, 96, 96) in [0, 1].

        Args:
            luma: (H, W) on the device; its decoder must have finished.
            chroma: (ceil(H/2), ceil(W/2), 2), likewise.
        """
        with _on(self._stream):
            for target, plane in zip(self._given, (luma, chroma), strict=True):
                target.copy_(plane, non_blocking=True)
            self._read()
            r, rows, columns = self._unshuffle, self._view_rows, self._view_columns
            lanes = ((rows % r)[:, None] * r + (columns % r)) * 3
            pixels = self._map[(rows // r)[:, None], columns // r]
            picked = pixels.gather(-1, lanes[..., None] + torch.arange(3, device=lanes.device))
            view: NDArray[np.float32] = picked.float().permute(2, 0, 1)[None].cpu().numpy()
        return np.ascontiguousarray(view)

    def reconstruct(self, prior: NDArray[np.float32]) -> tuple[Samples, Samples]:
        """Enhance the picture that `view` took in: new Y (H, W) and Cb, Cr on the host."""
        with _on(self._stream):
            self._prior.copy_(torch.from_numpy(prior))
            self._enhance()
            for target, plane in zip(self._host, self._result, strict=True):
                target.copy_(plane, non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        luma, chroma = (plane.numpy().copy() for plane in self._host)
        return luma, chroma


def _on(stream: "torch.cuda.Stream | None") -> Any:
    return torch.cuda.stream(stream)  # of None, it does nothing
