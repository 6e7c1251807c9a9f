"""Pictures taken here and there from a video, to look at and not to enhance."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import av
import av.container
import av.error
import av.logging
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from streamlight.frame import Image
from streamlight.models.spec import PRIOR_SIZE
from streamlight.sources.opening import packets_of
from streamlight.sources.rgb import color_of, swscale_matrix

_EXACT_AREA = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Without swscale's short cuts, which are two levels too dark."""

_PACKETS_A_SAMPLE = 60
"""How far to decode after a seek."""


def sample_frames(
    container: av.container.InputContainer, video: VideoStream, count: int
) -> Iterator[av.VideoFrame]:
    """Seek to `count` places, evenly spread, and yield a decoded picture of each.

    The picture is the key frame before the place, which costs one decode; where several places
    have the same key frame, those after the first decode on towards theirs, but not far. Where
    seeking does not work there may be none.
    """
    duration = container.duration
    start = container.start_time or 0
    seen: set[int | None] = set()
    for number in range(count):
        place = start + (2 * number + 1) * (duration or 0) // (2 * count)
        if not duration and number:
            return
        with suppress(av.error.FFmpegError):
            container.seek(place if duration else start)
        chosen = None
        for frame in _decode_on(container, video):
            is_key = chosen is None
            chosen = frame
            is_there = frame.pts is not None and frame.time * av.time_base >= place
            if is_there or (is_key and frame.pts not in seen):
                break
        if chosen is not None and chosen.pts not in seen:
            seen.add(chosen.pts)
            yield chosen


def first_frame(container: av.container.InputContainer, video: VideoStream) -> av.VideoFrame | None:
    """Decode from where the container stands until there is a picture."""
    return next(_decode_on(container, video), None)


def _decode_on(
    container: av.container.InputContainer, video: VideoStream
) -> Iterator[av.VideoFrame]:
    try:
        for packet in islice(packets_of(container, video), _PACKETS_A_SAMPLE):
            with suppress(av.error.InvalidDataError):
                yield from packet.decode()
    except av.error.FFmpegError:
        return


def view_of(frame: av.VideoFrame) -> Image:
    """Shrink a picture to at most 96x96, by averaging: RGB uint8 (H, W, 3)."""
    color = color_of(frame)
    small = frame.reformat(
        width=min(frame.width, PRIOR_SIZE),
        height=min(frame.height, PRIOR_SIZE),
        format="rgb24",
        interpolation=_EXACT_AREA,
        src_colorspace=swscale_matrix(color.matrix),
        src_color_range=color.range,
        dst_color_range=2,
        threads=1,
    )
    view: Image = small.to_ndarray()
    return view
