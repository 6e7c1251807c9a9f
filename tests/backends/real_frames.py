"""Real dark pictures for the tests of the backends: frames of the demo clip."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.sources import FileSource

DEMO_CLIP = Path(__file__).parents[2] / "examples" / "night.mp4"


@cache
def _frame() -> NDArray[np.uint8]:
    with FileSource(DEMO_CLIP) as source:
        return next(iter(source)).image


def dark_frame(height: int, width: int) -> NDArray[np.uint8]:
    """Cut (height, width, 3) out of the first frame, which is repeated where it is too small."""
    if not DEMO_CLIP.exists():
        pytest.skip(f"{DEMO_CLIP} is absent: python examples/make_demo_clip.py makes it")
    frame = _frame()
    times = -(-height // frame.shape[0]), -(-width // frame.shape[1]), 1
    return np.ascontiguousarray(np.tile(frame, times)[:height, :width])
