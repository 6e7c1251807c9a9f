"""Dark pictures that an 8-bit graph is calibrated with: those that the network was trained on."""

from collections.abc import Iterator

import torch

from streamlight.frame import Image
from streamlight.training.draws import Draws
from streamlight.training.options import FRAMES
from streamlight.training.photographs import Photographs, take_frames
from streamlight.training.recipes import DEFAULT
from streamlight.training.synthesis import synthesise


def dark_pictures(
    photographs: Photographs, batches: int = 16, batch: int = 8, seed: int = 0
) -> Iterator[Image]:
    """Make dark pictures RGB (H, W, 3) uint8 of photographs, as training does.

    Args:
        photographs: well exposed.
        batches: of `batch` pictures each.
        batch: as in training.
        seed: of the synthesis and the order.
    """
    for step in range(batches):
        draws = Draws(seed, step, torch.device("cpu"))
        height, width = FRAMES[step % len(FRAMES)]
        frames = take_frames(photographs.batch(seed, step, batch), height, width, draws)
        dark = synthesise(frames, DEFAULT, draws).dark
        yield from (dark * 255).round().byte().permute(0, 2, 3, 1).numpy()
