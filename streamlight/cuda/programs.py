"""The detail network for pictures of one size: its buffers, its stream and its recorded work."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamlight.cuda.layout import size_of_map
from streamlight.cuda.network import DetailNetwork
from streamlight.cuda.ops import Ops
from streamlight.cuda.replay import Replay
from streamlight.frame import Image
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.spec import PRIOR_SIZE, ModelSpec

_TORCH_TYPES = {"uint8": torch.uint8, "uint16": torch.uint16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class Size:
    """What a program is made for.

    Attributes:
        height: of the picture.
        width: of the picture.
        dtype: name of its type.
        is_compact: whether the frame that it is of allows the compact form.
    """

    height: int
    width: int
    dtype: str
    is_compact: bool


class RgbProgram:
    """Enhances pictures (H, W, 3) of the host; to be used by one thread at a time.

    Copies go through pinned memory and are enqueued with the work, so that a second program on
    another stream uploads its picture while this one computes.
    """

    def __init__(
        self,
        size: Size,
        model: ModelSpec,
        network: DetailNetwork,
        ops: Ops,
        device: torch.device,
        stream: "torch.cuda.Stream | None",
    ) -> None:
        """Allocate the buffers, and record the work."""
        is_cuda = device.type == "cuda"
        shape, r = (size.height, size.width, 3), model.unshuffle
        dtype = _TORCH_TYPES[size.dtype]
        prior_shape = (1, model.prior_channels, PRIOR_SIZE, PRIOR_SIZE)
        self._size, self._model, self._stream = size, model, stream
        self._place: Place | None = None
        self._host_in = torch.empty(shape, dtype=dtype, pin_memory=is_cuda)
        self._host_out = torch.empty(shape, dtype=dtype, pin_memory=is_cuda)
        self._host_prior = torch.empty(prior_shape, pin_memory=is_cuda)
        self._image = torch.zeros(shape, dtype=dtype, device=device)
        self._result = torch.empty(shape, dtype=dtype, device=device)
        self._prior = torch.zeros(prior_shape, device=device)
        map_shape = size_of_map(size.height, size.width, r)
        map_ = torch.empty(map_shape, dtype=network.dtype, device=device)
        self._rows = torch.zeros(map_shape[0], dtype=torch.int32, device=device)
        self._columns = torch.zeros(map_shape[1], dtype=torch.int32, device=device)

        def work() -> None:
            ops.rgb_in(self._image, map_, r)
            out = network(map_, self._prior, self._rows, self._columns, size.is_compact)
            ops.rgb_out(out, self._result, r)

        self._replay = Replay(work, stream)

    def __call__(self, image: Image, prior: NDArray[np.float32], place: Place) -> Image:
        """Enhance a picture, or the tile at `place`; a new array."""
        self._host_in.numpy()[:] = image
        self._host_prior.numpy()[:] = prior
        if self._stream is None:
            self._enqueue(place)
        else:
            with torch.cuda.stream(self._stream):
                self._enqueue(place)
            self._stream.synchronize()
        result: NDArray[Any] = self._host_out.numpy().copy()
        return result

    def _enqueue(self, place: Place) -> None:
        if place != self._place:
            size = self._size
            found = prior_indices(place, size.height, size.width, self._model, size.is_compact)
            for target, indices in zip((self._rows, self._columns), found, strict=True):
                target.copy_(torch.from_numpy(indices.astype(np.int32)))
            self._place = place
        self._image.copy_(self._host_in, non_blocking=True)
        self._prior.copy_(self._host_prior, non_blocking=True)
        self._replay()
        self._host_out.copy_(self._result, non_blocking=True)
