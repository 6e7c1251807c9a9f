"""A source whose pictures are made here: any depth, sampling and colour, without decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import av.stream
import numpy as np
from clips import dim

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Frame, Image, StreamInfo
from streamlight.hdr import HdrMetadata
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource
from streamlight.sources.coding import Coding


@dataclass
class MadeSource:
    """What `FileSink` reads of a source, and its frames."""

    size: tuple[int, int] = (64, 48)
    pixel_format_name: str = "yuv420p"
    color: ColorSpec = field(default_factory=lambda: ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1))
    rate: Fraction = Fraction(25)
    pts: Sequence[int] = range(8)
    time_base: Fraction = Fraction(1, 25)
    hdr: HdrMetadata | None = None
    coding: Coding | None = None
    display_matrix: tuple[int, ...] | None = None
    sample_aspect_ratio: Fraction | None = None
    durations: Sequence[int] | None = None
    path: Path = Path("made.mkv")

    def __post_init__(self) -> None:
        width, height = self.size
        self.pixel_format = av.VideoFormat(self.pixel_format_name, width, height)
        self.bits = min(16, self.pixel_format.components[0].bits)
        self.info = StreamInfo(width, height, self.rate, self.time_base, self.color, bits=self.bits)
        self.disposition = av.stream.Disposition.default
        self.side = SimpleNamespace(streams=[], position=0, attachments=[], take=lambda: iter(()))
        self.metadata: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.chapters: list[Any] = []

    def __iter__(self) -> Iterator[Frame]:
        step = max(1, round(1 / (self.rate * self.time_base)))
        for index, pts in enumerate(self.pts):
            duration = self.durations[index] if self.durations else step
            yield Frame(self.image(index), pts, self.time_base, index, duration)

    def image(self, index: int) -> Image:
        """Make a picture; deep ones have levels between those of 8 bits."""
        picture = dim(index, *self.size)
        if self.bits == 8:
            return picture
        y = np.arange(self.size[1], dtype=np.uint16)[:, None, None]
        return picture.astype(np.uint16) * 257 + (y % 4) * 64

    def write(
        self, target: Path, options: EncoderOptions | None = None, **arguments: Any
    ) -> FileSink:
        """Write all frames to a file; return the finished sink."""
        with FileSink(target, cast(FileSource, self), options, **arguments) as sink:
            for frame in self:
                sink.write(frame)
            sink.finish()
        return sink
