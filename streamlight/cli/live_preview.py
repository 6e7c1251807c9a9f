"""The window of a live run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from streamlight.cli.live_settings import LiveSettings
from streamlight.frame import StreamInfo
from streamlight.sinks.preview import PreviewSink


def has_display() -> bool:
    """Whether a window can be expected to open here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_preview(
    settings: LiveSettings,
    info: StreamInfo,
    title: str,
    on_strength: Callable[[float], None],
    on_stop: Callable[[], None],
) -> PreviewSink | None:
    """Open the window if one was asked for; in the main thread.

    Raises:
        SinkError: pygame-ce is not installed, or there is no display.
    """
    if not settings.has_preview:
        return None
    return PreviewSink(
        info,
        title=title,
        strength=settings.look.strength,
        is_split=settings.look.compare == "none",
        on_strength=on_strength,
        on_stop=on_stop,
    )
