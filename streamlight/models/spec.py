"""What a model is made of, as data: one row a model.

To add a model: put its weights into `models/weights`, add a row to `MODELS` with their SHA-256,
run `make graphs`, and write `docs/models/<name>.md`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from streamlight.errors import ModelError

PRIOR_SIZE = 96
"""Side of the square view of the whole frame, and of the prior (section II-A of the paper)."""

AFFINE_SCALE = 3
"""How much finer than the prior the grid is that the affine form resizes by nearest neighbour; it
interpolates linearly up to it, so that no cells are seen."""

AFFINE_EDGE = 2
"""So many cells at each edge of that grid are not looked at: the convolutions of the prior see the
black beyond the frame, which would give the picture a coloured rim. The next ones take their
place."""

GraphName = Literal["estimate", "reconstruct", "reconstruct_compact"]
"""The graphs of a model; `streamlight.models.export` says what each takes and gives."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One trained network.

    Attributes:
        name: what `--model` takes.
        prior_channels: width of the illumination network and of the prior.
        detail_widths: widths of the hidden convolutions of the detail network.
        unshuffle: the detail network sees the picture at 1/unshuffle of its size; both sides of
            the picture must be multiples of it (pad, run, crop).
        is_affine: which form the detail network has. The paper's convolves the resized prior
            with the picture, and its last convolution gives the result. The affine form convolves
            the prior at its own 96x96 and resizes that, and its last convolution gives a factor
            and an offset for each value of the picture.
        is_metered: whether the illumination network has a meter (`streamlight.models.meter`).
        parameters: number of trained values, a check on the weights.
        weights_sha256: of the file `models/weights/<name>.safetensors`; empty for a user's own.
        summary: one line for people.
        weights: of a user's own model, its file; None for a packaged one.
    """

    name: str
    prior_channels: int
    detail_widths: tuple[int, ...]
    unshuffle: int
    parameters: int
    weights_sha256: str
    summary: str
    weights: Path | None = None
    is_affine: bool = False
    is_metered: bool = False

    @property
    def graph_names(self) -> tuple[GraphName, ...]:
        """The ONNX graphs of the model; the affine form needs no compact one."""
        names: tuple[GraphName, ...] = get_args(GraphName)
        return names[:2] if self.is_affine else names

    @property
    def widest(self) -> int:
        """Channels of the widest feature map of the detail network."""
        return max(*self.detail_widths, 3 * self.unshuffle**2 * (2 if self.is_affine else 1))

    @property
    def cells_min_side(self) -> int:
        """Shortest side in pixels at which each cell of the prior covers 2x2 of the network's."""
        return 2 * PRIOR_SIZE * self.unshuffle

    def is_compact(self, height: int, width: int) -> bool:
        """Whether the compact graph computes frames (height, width) of this model."""
        return not self.is_affine and min(height, width) >= self.cells_min_side


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="gladnet",
            prior_channels=64,
            detail_widths=(128, 128, 128, 128),
            unshuffle=1,
            is_metered=True,
            parameters=971_822,
            weights_sha256="20abdd0c68ce30c28dd34a2dfe8e3b31534f9167b6099693ab84f1b32858f3ea",
            summary="the paper's network; the best picture, for a GPU",
        ),
        ModelSpec(
            name="gladnet-fast",
            prior_channels=32,
            detail_widths=(16, 16, 16),
            unshuffle=2,
            is_affine=True,
            parameters=117_096,
            weights_sha256="e09a22da7bf640c14c5c4a42df124922322de1b755a8120dd1843548746d27b2",
            summary="a small GLADNet at half size inside; near real time on a laptop CPU",
        ),
    )
}


def get_spec(name: str) -> ModelSpec:
    """Return the model of that name; ModelError lists the names if there is none."""
    try:
        return MODELS[name]
    except KeyError:
        raise ModelError(f"unknown model {name!r}; the models are: {', '.join(MODELS)}") from None
