"""The pictures of a video as small views, by which `streamlight.verify` tells frames apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.opening import choose_video, opened_input, packets_of


def frame_views(
    path: Path,
    size: int,
    *,
    start_s: float | None = None,
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
) -> Iterator[NDArray[np.float32]]:
    """Decode the video; yield the luma of each picture, shrunk to (size, size), 0 to 255.

    Packets that cannot be decoded are skipped.

    Args:
        path: of the file.
        size: side of the views.
        start_s: pictures before it are left out; None for all.
        region: part of the picture to look at, as fractions: left, top, right, bottom.

    Raises:
        SourceError: it cannot be read.
    """
    with opened_input(path) as container:
        video = choose_video(container)
        if video is None or video.codec_context is None:
            raise UnsupportedSourceError(f"{path}: there is no video in it that can be decoded")
        video.thread_type = "FRAME"
        try:
            for packet in packets_of(container, video):
                try:
                    pictures = packet.decode()
                except av.error.FFmpegError:
                    continue
                for picture in pictures:
                    if start_s is not None and (picture.time or 0.0) < start_s:
                        continue
                    yield _luma_view(picture, size, region)
        except av.error.FFmpegError as error:
            raise SourceError(f"{path}: reading failed: {error.strerror}") from error


def _luma_view(
    picture: av.VideoFrame, size: int, region: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    left, top, right, bottom = region
    width, height = round(size / (right - left)), round(size / (bottom - top))
    small = picture.reformat(width=width, height=height, format="gray", interpolation="AREA")
    x, y = round(left * width), round(top * height)
    return np.asarray(small.to_ndarray()[y : y + size, x : x + size], np.float32)
