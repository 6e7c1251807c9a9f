"""H.264 of live pictures: no look-ahead where latency counts, key frames on request."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from streamlight.errors import UsageError
from streamlight.frame import Frame, Image, StreamInfo
from streamlight.sinks.encoder_table import PRESETS
from streamlight.sinks.yuv import YuvConverter

TIME_BASE = Fraction(1, 90_000)
"""Of all live outputs: the clock of RTP and MPEG-TS."""

_USUAL_RATE = Fraction(30)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEncoding:
    """How live pictures are encoded: H.264 by x264.

    Attributes:
        crf: constant quality, 0 to 51; lower is better.
        preset: x264's trade of speed for size.
        bitrate: most bits a second, for a network of known width; None for no limit.
        gop_s: seconds from one key frame to the next: how long a viewer that comes in, or a
            recording that was cut off, has to wait or lose.
        is_immediate: give each picture away at once, at some cost in size; for network outputs.
    """

    crf: float = 23.0
    preset: str = "veryfast"
    bitrate: int | None = None
    gop_s: float = 2.0
    is_immediate: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one is out of its range.
        """
        if not (isfinite(self.crf) and 0 <= self.crf <= 51):
            raise UsageError(f"--crf {self.crf:g}: must be between 0 and 51")
        if self.preset not in PRESETS:
            raise UsageError(f"--preset {self.preset}: choose one of {', '.join(PRESETS)}")
        if self.bitrate is not None and self.bitrate < 1000:
            raise UsageError(f"--bitrate {self.bitrate}: must be at least 1k (bits a second)")
        if not (isfinite(self.gop_s) and self.gop_s > 0):
            raise UsageError(f"gop_s {self.gop_s:g}: must be more than 0 s")

    def options(self) -> dict[str, str]:
        """Return the options of libx264."""
        options = {
            "preset": self.preset,
            "crf": f"{self.crf:g}",
            "forced-idr": "1",
            # Fragmented MP4 cannot state that B frames make it start late: picture and sound
            # would be a frame or two apart.
            "bf": "0",
        }
        if self.is_immediate:
            options["tune"] = "zerolatency"
        if self.bitrate is not None:
            options |= {"maxrate": str(self.bitrate), "bufsize": str(self.bitrate)}
        return options


def size_of(image: Image) -> tuple[int, int]:
    """Width and height that a picture is encoded at: odd sides lose a row or a column.

    4:2:0, which every player and browser takes, has no odd sizes.
    """
    height, width = image.shape[:2]
    return max(width & ~1, 2), max(height & ~1, 2)


class LiveEncoder:
    """Encodes the pictures of one size into a stream of a container.

    Times are counted from the first picture.

    Attributes:
        size: width and height, both even.
        start_s: presentation time of the first picture, in seconds; None before it.
        time_s: presentation time of the newest picture, in seconds from the first.
    """

    def __init__(
        self,
        container: OutputContainer,
        info: StreamInfo,
        size: tuple[int, int],
        encoding: LiveEncoding,
    ) -> None:
        """Add a video stream to a container; its header is not written here."""
        rate = info.rate or _USUAL_RATE
        stream = container.add_stream("libx264", rate, options=encoding.options())
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        # Slices of one picture are encoded at once without delay; frames at once are faster.
        stream.thread_type = "SLICE" if encoding.is_immediate else "FRAME"
        context = stream.codec_context
        stream.time_base = context.time_base = TIME_BASE
        context.gop_size = max(1, round(rate * Fraction(encoding.gop_s)))
        color = info.color.for_yuv(*size).resolved(*size)
        context.colorspace, context.color_range = color.matrix, color.range
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        self.size = size
        self.start_s: float | None = None
        self.time_s = 0.0
        self._stream = stream
        self._gop_s = encoding.gop_s
        self._to_yuv = YuvConverter("yuv420p", color)
        self._last_pts = -1
        self._key_at_s = 0.0

    @property
    def stream(self) -> VideoStream:
        """The stream of the container."""
        return self._stream

    def encode(self, frame: Frame, *, as_key: bool = False) -> list[av.Packet[Any]]:
        """Encode a frame; return the packets that are ready.

        Args:
            frame: of `size`, apart from an odd row or column.
            as_key: make it a key frame.
        """
        width, height = self.size
        picture = self._to_yuv(_cut(frame.image, width, height))
        if self.start_s is None:
            self.start_s = frame.time_s
        pts = max(round((frame.time_s - self.start_s) / TIME_BASE), self._last_pts + 1)
        self._last_pts = pts
        self.time_s = float(pts * TIME_BASE)
        # Frames of a live source may come seldom: gop_size alone counts them, and not seconds.
        if as_key or self.time_s - self._key_at_s >= self._gop_s:
            picture.pict_type = PictureType.I
            self._key_at_s = self.time_s
        picture.pts, picture.time_base = pts, TIME_BASE
        return self._stream.encode(picture)

    def flush(self) -> list[av.Packet[Any]]:
        """Return the packets that the encoder still holds."""
        return self._stream.encode(None)


def _cut(image: Image, width: int, height: int) -> Image:
    if image.shape[0] < height or image.shape[1] < width:  # a picture of one row or column
        image = image.repeat(2, axis=0).repeat(2, axis=1)
    return image[:height, :width]
