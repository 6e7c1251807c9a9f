"""The plain data that passes between a source, the enhancer and a sink."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamlight.color import ColorSpec

Image = NDArray[Any]
"""A picture on the host: RGB, shape (H, W, 3), dtype uint8, uint16 or float32 in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture as decoders on GPUs give it and encoders take it: NV12, or P010 for 10 bits.

    Attributes:
        luma: Y (H, W), both even: uint8, or uint16 with the 10 bits at its top. An object with
            `__dlpack__`, on the host or on a GPU.
        chroma: Cb and Cr by turns (H / 2, W / 2, 2), likewise.
    """

    luma: Any
    chroma: Any


IMAGE_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a video and when it is shown.

    Attributes:
        image: RGB (H, W, 3); uint8, or uint16 for sources of more than 8 bits. Where pictures stay
            on a GPU, what the enhancer of that device takes and gives: see docs/gpu.md.
        pts: presentation time in units of `time_base`.
        time_base: seconds per unit of `pts` and `duration`.
        index: position in the stream, from 0, counting every frame the source yielded.
        duration: how long the frame is shown, in units of `time_base`; 0 when unknown.
        captured_at: `time.monotonic()` when a live source got the frame; None for files.
        original: the picture before it was enhanced, for a sink that asks for it; else None.
        segment: grows where the stream was interrupted: after a reconnection, at the start of each
            loop of a recording. What is remembered of another segment does not hold.
    """

    image: Image
    pts: int
    time_base: Fraction
    index: int
    duration: int = 0
    captured_at: float | None = None
    original: Image | None = None
    segment: int = 0

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a video stream before its first frame.

    Attributes:
        width: of the coded picture in pixels, before `rotation`.
        height: of the coded picture in pixels, before `rotation`.
        rate: average frames per second; None when the container does not say.
        time_base: seconds per unit of the frames' `pts`.
        color: matrix, range, primaries and transfer of the coded pictures.
        rotation: degrees counter-clockwise that a player turns the picture by: 0, 90, 180, -90.
        frame_count: number of frames, as far as the container says; None when it does not.
        is_live: whether frames come in real time and can be missed.
        bits: of a channel of the coded pictures; above 8, frames are uint16.
    """

    width: int
    height: int
    rate: Fraction | None
    time_base: Fraction
    color: ColorSpec
    rotation: int = 0
    frame_count: int | None = None
    is_live: bool = False
    bits: int = 8
