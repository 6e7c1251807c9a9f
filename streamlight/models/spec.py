"""What a model is made of, as data: one row a model.

To add a model: put its weights into `models/weights`, add a row to `MODELS` with their SHA-256,
run `make graphs`, and write `docs/models/<name>.md`.
"""

from dataclasses import dataclass
from pathlib import Path

from streamlight.errors import ModelError

PRIOR_SIZE = 96
"""Side of the square view of the whole frame, and of the prior (section II-A of the paper)."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One trained network.

    Attributes:
        name: what `--model` takes.
        prior_channels: width of the illumination network and of the prior.
        detail_widths: widths of the hidden convolutions of the detail network.
        unshuffle: the detail network sees the picture at 1/unshuffle of its size; both sides of
            the picture must be multiples of it (pad, run, crop).
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

    @property
    def compact_min_side(self) -> int:
        """Shortest side in pixels at which the compact graph may be used (2x2 cells)."""
        return 2 * PRIOR_SIZE * self.unshuffle


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="gladnet",
            prior_channels=64,
            detail_widths=(128, 128, 128, 128),
            unshuffle=1,
            parameters=931_523,
            weights_sha256="1c63ab195446dfbd72bfc013c44a440f1d59f0a01f46f26141dc0f2e99c9ba09",
            summary="the paper's network; the best picture, for a GPU",
        ),
        ModelSpec(
            name="gladnet-fast",
            prior_channels=32,
            detail_widths=(32, 32, 32),
            unshuffle=2,
            parameters=137_292,
            weights_sha256="ef61dedd31f469a27a02faef9a5ba68cbb8e60d8d7ad5ada7a8215d82c803722",
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
