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
from streamlight.cuda.plain import nv12_pixels
from streamlight.cuda.replay import Replay
from streamlight.cuda.ycbcr import YCbCr
from streamlight.frame import Planes
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import PRIOR_SIZE, ModelSpec


class PlanesPicture:
    """A decoded picture on the device, as `streamlight.view.Viewable`.

    Attributes:
        luma: Y (H, W), uint8 or uint16, on the device.
        chroma: Cb and Cr by turns (H / 2, W / 2, 2), likewise.
        shape: (H, W, 3), as of an RGB array.
    """

    def __init__(self, planes: Planes, spec: YCbCr, device: torch.device) -> None:
        """Take in planes; those on the device are used in place, those on the host are copied.

        Args:
            planes: whose decoder works on CUDA's default stream, or on the host.
            spec: how the samples mean colours.
            device: to have them on.
        """
        # PyAV's `__dlpack__` takes no stream, which `torch.from_dlpack` would give it
        self.luma, self.chroma = (
            torch.utils.dlpack.from_dlpack(plane.__dlpack__()).to(device)
            for plane in (planes.luma, planes.chroma)
        )
        if device.type == "cuda":
            torch.cuda.default_stream(device).synchronize()
        self.shape = (*self.luma.shape, 3)
        self._spec = spec

    def pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """See `Viewable.pixels`."""
        device = self.luma.device
        with torch.inference_mode():
            y, x = (torch.from_numpy(indices).to(device) for indices in (rows, columns))
            rgb = nv12_pixels(self.luma, self.chroma, y, x, self._spec)
            picked: NDArray[np.float32] = rgb.cpu().numpy()
        return picked


@dataclass(frozen=True, slots=True)
class PlanesSize:
    """What a program is made for.

    Attributes:
        height: of the picture; even, and a multiple of the model's `unshuffle`.
        width: likewise.
        spec: how the samples mean colours.
        written: likewise in the result, of as many bits.
        blends: whether the result is mixed with the picture, for a strength below 1.
        stays: whether the result stays on the device, for an encoder there.
    """

    height: int
    width: int
    spec: YCbCr
    written: YCbCr
    blends: bool = False
    stays: bool = False


class PlanesProgram:
    """Enhances planes on the device; to be used by one thread at a time.

    The two planes of the result lie behind each other in one piece of memory: NVENC takes the
    address and pitch of the first and finds the second by them.
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
            ValueError: a side is odd, or no multiple of the model's `unshuffle`.
        """
        height, width, r = size.height, size.width, model.unshuffle
        step = max(2, r)
        if height % step or width % step:
            raise ValueError(f"{width}x{height}: both sides must be multiples of {step}")
        dtype = torch.uint8 if size.spec.peak == 255 else torch.uint16
        self._size, self._stream = size, stream
        shapes = (height, width), (height // 2, width // 2, 2)
        luma, chroma = (torch.zeros(shape, dtype=dtype, device=device) for shape in shapes)
        self._given = luma, chroma
        whole = (height * 3 // 2, width)
        self._result = torch.zeros(whole, dtype=dtype, device=device)
        self._host = torch.zeros(whole, dtype=dtype, pin_memory=device.type == "cuda")
        prior_shape = (1, model.prior_channels, PRIOR_SIZE, PRIOR_SIZE)
        self._prior = torch.zeros(prior_shape, device=device)
        self._strength = torch.ones((), dtype=network.dtype, device=device)
        map_ = torch.zeros(size_of_map(height, width, r), dtype=network.dtype, device=device)
        is_compact = model.is_compact(height, width)
        rows, columns = (
            torch.from_numpy(i.astype(np.int32)).to(device)
            for i in prior_indices(Place(height, width, 0, 0), height, width, model, is_compact)
        )

        def work() -> None:
            ops.nv12_in(luma, chroma, map_, r, size.spec)
            out = network(map_, self._prior, rows, columns, is_compact)
            if size.blends:
                out = torch.lerp(map_, out.clamp(0, 1), self._strength)
            ops.nv12_out(out, *_planes_in(self._result), r, size.written)

        self._replay = Replay(work, stream)

    def __call__(
        self, picture: PlanesPicture, prior: NDArray[np.float32], strength: float = 1.0
    ) -> Planes:
        """Enhance a picture of the program's size.

        Args:
            picture: on the device.
            prior: (1, C, 96, 96).
            strength: 0 is the picture, 1 the network's result; for a program that blends.

        Returns:
            Arrays of the host; tensors of the device where the result stays there.
        """
        with _on(self._stream):
            for target, plane in zip(self._given, (picture.luma, picture.chroma), strict=True):
                target.copy_(plane, non_blocking=True)
            self._prior.copy_(torch.from_numpy(prior))
            self._strength.fill_(strength)
            self._replay()
            kept = self._result.clone() if self._size.stays else None
            if kept is None:
                self._host.copy_(self._result, non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        if kept is not None:
            return Planes(*_planes_in(kept))
        return Planes(*(plane.numpy().copy() for plane in _planes_in(self._host)))


def _planes_in(whole: Tensor) -> tuple[Tensor, Tensor]:
    """View the two planes that lie behind each other in (H * 3/2, W)."""
    height, width = whole.shape[0] * 2 // 3, whole.shape[1]
    return whole[:height], whole[height:].view(height // 2, width // 2, 2)


def _on(stream: "torch.cuda.Stream | None") -> Any:
    return torch.cuda.stream(stream)  # of None, it does nothing
