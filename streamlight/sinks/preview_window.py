"""What a preview window needs of the system: pygame, a display, a size; and its pictures scaled."""

from __future__ import annotations

import os
import sys
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from streamlight.errors import SinkError
from streamlight.frame import Image, StreamInfo

_MISSING_PACKAGE = (
    "the preview needs the package pygame-ce, which is not installed; "
    "install it with: pip install 'streamlight[preview]'"
)
_NO_DISPLAY = (
    "there is no display for a preview window{why}; "
    "watch in a browser instead: --web 8080, or streamlight serve SOURCE"
)
_INVISIBLE = {"offscreen", "dummy", "evdev"}
"""Drivers that SDL falls back to when there is no screen."""

_SHARE_OF_SCREEN = 0.8


class Scaler:
    """Scales the pictures of one stream by swscale: pygame's own makes them 1 % too dark."""

    def __init__(self) -> None:
        """Start without tables; the first picture makes them."""
        self._reformatter = VideoReformatter()

    def __call__(self, image: Image, size: tuple[int, int]) -> Image:
        """Scale RGB uint8 (H, W, 3) to (width, height)."""
        height, width = image.shape[:2]
        if (width, height) == size:
            return image
        interpolation = Interpolation.AREA if size[0] < width else Interpolation.BILINEAR
        picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")
        scaled = self._reformatter.reformat(
            picture, width=size[0], height=size[1], interpolation=interpolation
        )
        return np.asarray(scaled.to_ndarray())


def load_pygame() -> Any:
    """Import pygame.

    Raises:
        SinkError: it is not installed.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
        import pygame.font
        import pygame.image
    except ImportError as error:
        raise SinkError(_MISSING_PACKAGE) from error
    return pygame


def open_display(pygame: Any) -> None:
    """Start SDL's video.

    Raises:
        SinkError: there is no display.
    """
    # Ctrl-C belongs to the program, and a preview must not keep a screen saver away for ever.
    os.environ.setdefault("SDL_NO_SIGNAL_HANDLERS", "1")
    is_chosen = bool(os.environ.get("SDL_VIDEODRIVER") or os.environ.get("SDL_VIDEO_DRIVER"))
    is_unix = sys.platform not in ("darwin", "win32")
    has_none = is_unix and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    try:
        pygame.display.init()
    except pygame.error as error:
        raise SinkError(_NO_DISPLAY.format(why=f" ({error})")) from error
    if pygame.display.get_driver() in _INVISIBLE and not is_chosen:
        pygame.display.quit()
        why = " (neither DISPLAY nor WAYLAND_DISPLAY is set)" if has_none else ""
        raise SinkError(_NO_DISPLAY.format(why=why))
    pygame.font.init()
    pygame.key.set_repeat(400, 80)


def fitting_size(info: StreamInfo, screens: list[tuple[int, int]]) -> tuple[int, int]:
    """Size of a window for a stream: its own, or what fits the smallest screen well."""
    width, height = max(info.width, 1), max(info.height, 1)
    if info.rotation % 180:
        width, height = height, width
    most_width = min(screen[0] for screen in screens) * _SHARE_OF_SCREEN
    most_height = min(screen[1] for screen in screens) * _SHARE_OF_SCREEN
    scale = min(1.0, most_width / width, most_height / height)
    return max(320, round(width * scale)), max(180, round(height * scale))


def make_icon() -> Image:
    """Draw half a dark and half a bright picture, as the window shows them."""
    icon = np.full((32, 32, 3), (38, 44, 56), np.uint8)
    icon[:, 16:] = (236, 214, 160)
    icon[:, 15:17] = 255
    return icon
