"""How bright a file's pictures are, and whether it is worth the time to enhance them."""

from collections.abc import Sequence

import numpy as np

from streamlight.brightness import BRIGHT, DARK, brightness
from streamlight.facts import BrightnessFacts
from streamlight.frame import Image

_BLANK = 1 / 255
"""Mean luma below which a picture shows nothing: a fade, a black title."""


def judge_brightness(pictures: Sequence[Image]) -> BrightnessFacts | None:
    """Judge how bright small pictures are; None without any.

    Args:
        pictures: RGB uint8 (H, W, 3), gamma-coded.
    """
    if not pictures:
        return None
    lumas = [
        brightness(np.asarray(picture.transpose(2, 0, 1)[None] / 255, np.float32))
        for picture in pictures
    ]
    mean = float(np.mean(lumas))
    return BrightnessFacts(
        mean_luma=round(255 * mean, 1),
        lowest=round(255 * min(lumas), 1),
        highest=round(255 * max(lumas), 1),
        samples=len(lumas),
        word="dark" if mean < DARK else "dim" if mean < BRIGHT else "bright",
        is_worth_enhancing=any(_BLANK <= luma < BRIGHT for luma in lumas),
    )
