"""Data that a decoded picture carries."""

from collections.abc import Sequence
from typing import cast

import av
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType


def display_matrix_of(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Read the nine numbers by which a player turns or mirrors the picture; None without them."""
    for data in cast(Sequence[SideData], frame.side_data):
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(memoryview(data).cast("B").cast("i"))
    return None
