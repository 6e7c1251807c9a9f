"""Pictures as a viewer gets them: turned upright, scaled down, before above after if asked."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image as PillowImage

from streamlight.frame import Frame, Image

JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class View:
    """How a viewer wants the pictures.

    Attributes:
        rows: most rows of a picture; wider ones are scaled down with it.
        compare: whether the input is above the result, in a picture of twice the height. Both
            are then always of the same frame, whatever the network does to the stream.
    """

    rows: int
    compare: bool = False


def video_frame(frame: Frame, view: View, rotation: int = 0) -> av.VideoFrame:
    """Return a frame for WebRTC: yuv420p, both sides even, in limited BT.601.

    VP8 does not say what its colours are, and browsers take them for BT.601 at any size.

    Args:
        frame: with its `original` where the view compares; without, the result is shown twice.
        view: what is wanted.
        rotation: degrees counter-clockwise that the picture must be turned by, as `StreamInfo`.
    """
    width, height = _size(frame.image, view.rows, rotation, even=True)
    picture = _picture(frame, view, rotation)
    return picture.reformat(
        width,
        height * (2 if view.compare else 1),
        "yuv420p",
        dst_colorspace="itu601",
        interpolation=Interpolation.AREA,
    )


def jpeg(frame: Frame, view: View, rotation: int = 0) -> bytes:
    """Return a frame as JPEG; arguments as of `video_frame`."""
    width, height = _size(frame.image, view.rows, rotation, even=False)
    height *= 2 if view.compare else 1
    picture = _picture(frame, view, rotation)
    if (picture.width, picture.height) != (width, height):
        picture = picture.reformat(width, height, "rgb24", interpolation=Interpolation.AREA)
    data = io.BytesIO()
    PillowImage.fromarray(picture.to_ndarray()).save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


def _picture(frame: Frame, view: View, rotation: int) -> av.VideoFrame:
    after = _upright(frame.image, rotation)
    if view.compare:
        before = after if frame.original is None else _upright(frame.original, rotation)
        if before.shape == after.shape:
            after = np.concatenate((before, after))
        else:  # the outputs' pictures compare already
            after = np.concatenate((after, after))
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(after), "rgb24")


def _upright(image: Image, rotation: int) -> Image:
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    return np.rot90(image, rotation // 90) if rotation else image


def _size(image: Image, rows: int, rotation: int, *, even: bool) -> tuple[int, int]:
    height, width = image.shape[:2]
    if rotation % 180:
        height, width = width, height
    factor = min(1.0, rows / height)
    width, height = max(1, round(width * factor)), max(1, round(height * factor))
    return (max(2, width & ~1), max(2, height & ~1)) if even else (width, height)
