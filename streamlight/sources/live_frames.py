"""Pictures of a live source as frames: RGB, numbered, with times that only grow."""

from __future__ import annotations

from fractions import Fraction

from streamlight.frame import Frame, StreamInfo
from streamlight.sources.live_reader import Arrival
from streamlight.sources.rgb import RgbConverter, color_of

TIME_BASE = Fraction(1, 90_000)
"""Of RTP and MPEG; the same for every source and connection."""


class LiveFrames:
    """Makes the frames of one source; pictures may change their size, format and colours.

    Attributes:
        count: frames made so far.
        segment: of the frames made from now on; see `Frame.segment`.
        zero_s: where on the timeline of the arrivals the first frame lies, which has `pts` 0.
        last_s: where on that timeline the last frame lies; 0 before the first.
    """

    def __init__(self) -> None:
        """Start with frame 0."""
        self.count = 0
        self.segment = 0
        self.zero_s = 0.0
        self.last_s = 0.0
        self._last_pts = -1
        self._to_rgb = RgbConverter()

    def make(self, arrival: Arrival, rate: Fraction | None) -> Frame:
        """Convert a picture; its `pts` is greater than the one before."""
        picture = arrival.picture
        if self.count == 0:
            self.zero_s = arrival.time_s
        pts = max(round((arrival.time_s - self.zero_s) / TIME_BASE), self._last_pts + 1)
        self._last_pts, self.last_s = pts, self.zero_s + float(pts * TIME_BASE)
        index, self.count = self.count, self.count + 1
        duration = round(1 / (rate * TIME_BASE)) if rate else 0
        image = self._to_rgb(picture, color_of(picture))
        return Frame(
            image, pts, TIME_BASE, index, duration, arrival.captured_at, segment=self.segment
        )


def describe(first: Arrival, rate: Fraction | None) -> StreamInfo:
    """Describe a stream by its first picture."""
    picture = first.picture
    return StreamInfo(
        width=picture.width,
        height=picture.height,
        rate=rate,
        time_base=TIME_BASE,
        color=color_of(picture),
        rotation=180 if picture.rotation == -180 else picture.rotation,
        is_live=True,
    )
