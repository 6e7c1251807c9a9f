"""Where the pictures of a camera come from, and how that is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from streamlight.errors import SourceError, UsageError
from streamlight.frame import Frame, StreamInfo
from streamlight.sinks.side_copies import Side
from streamlight.sources.camera import CameraSource
from streamlight.sources.live import LiveSource
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.realtime import RealtimeSource, play_file
from streamlight.sources.reconnect import LiveState
from streamlight.urls import mask_url

StateCallback = Callable[[LiveState], None]

_BROKEN_URL = re.compile(r"(?!file:|device:)[a-z][a-z0-9+.-]+:/(?!/)", re.IGNORECASE)
"""Taken for a file, its password would be shown."""

_DEVICE = re.compile(r"/dev/video\d+|\d+")


class LiveInput(Protocol):
    """A source of live pictures: a `LiveSource`, `CameraSource` or `RealtimeSource`."""

    name: str

    @property
    def info(self) -> StreamInfo:
        """What the stream is, by its first picture."""
        ...

    @property
    def frames_overtaken(self) -> int:
        """Pictures thrown away because newer ones came before they were taken."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come."""
        ...

    def connect(self) -> StreamInfo:
        """Connect and wait for the first picture."""
        ...

    def interrupt(self) -> None:
        """End `connect` and the iteration soon."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SourceKind(StrEnum):
    """What a source is."""

    URL = "url"
    """A network stream."""

    DEVICE = "device"
    """A camera of this computer."""

    FILE = "file"
    """A video file, played at its own pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Where live pictures come from.

    Attributes:
        address: a URL; "/dev/video0", a number, or "device:NAME" for a camera of this computer,
            "device:" for the first; otherwise a file, or "file:PATH".
        live: how to connect to a URL.
        size: width and height to ask a camera for; None for the driver's choice.
        fps: frames per second to ask a camera for.
        pixel_format: to ask a camera for, such as "mjpeg".
        loop: whether a file begins anew at its end.
        start_s: leave out what a file shows before.
        duration_s: end after so many seconds of a file, or begin it anew.
    """

    address: str
    live: LiveOptions = field(default_factory=LiveOptions)
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    pixel_format: str | None = None
    loop: bool = True
    start_s: float | None = None
    duration_s: float | None = None

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            UsageError: it is empty, or a URL that lacks a slash.
        """
        if _BROKEN_URL.match(self.address):
            scheme = self.address.partition(":")[0]
            raise UsageError(f"a source begins with {scheme}:/; expected two slashes: {scheme}://")
        if not self.location and self.kind is not SourceKind.DEVICE:
            raise UsageError(
                "a source is empty; expected a URL, a device such as /dev/video0, or a file"
            )

    @property
    def kind(self) -> SourceKind:
        """What it is, by its address."""
        if "://" in self.address:
            return SourceKind.URL
        if self.address.startswith("device:") or _DEVICE.fullmatch(self.address):
            return SourceKind.DEVICE
        return SourceKind.FILE

    @property
    def location(self) -> str:
        """The address without its prefix."""
        return self.address.removeprefix("device:").removeprefix("file:")

    @property
    def name(self) -> str:
        """The address for people, without secrets."""
        if self.kind is SourceKind.URL:
            return mask_url(self.address)
        return self.location or "camera"


def check_file(spec: SourceSpec) -> None:
    """Find a wrong name before anything is opened.

    Raises:
        SourceError: the source is a file, and there is none.
    """
    if spec.kind is SourceKind.FILE and not Path(spec.location).is_file():
        raise SourceError(f"{spec.location}: no such file")


def open_live(spec: SourceSpec, on_state: StateCallback, *, with_sound: bool) -> LiveInput:
    """Prepare a source; `connect` then waits for its first picture.

    Args:
        spec: of the source.
        on_state: told what the connection to a URL does.
        with_sound: whether somebody takes the sound (`side_of`).

    Raises:
        SourceError: a file is missing or no video.
        UsageError: the specification makes no sense.
    """
    match spec.kind:
        case SourceKind.URL:
            return LiveSource(spec.address, spec.live, on_state=on_state)
        case SourceKind.DEVICE:
            return CameraSource(
                spec.location or None,
                size=spec.size,
                fps=spec.fps,
                pixel_format=spec.pixel_format,
            )
    return play_file(
        Path(spec.location),
        loop=spec.loop,
        with_sound=with_sound,
        start_s=spec.start_s,
        duration_s=spec.duration_s,
    )


def side_of(source: LiveInput) -> Side | None:
    """Return the sound of a source; None where it has none."""
    if isinstance(source, RealtimeSource):
        return source.side
    return source.side if isinstance(source, LiveSource) else None
