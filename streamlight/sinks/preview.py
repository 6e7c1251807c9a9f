"""A window that shows the picture while it is enhanced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from streamlight.frame import Frame, Image, StreamInfo
from streamlight.sinks.preview_overlay import Overlay, Pace
from streamlight.sinks.preview_window import (
    Scaler,
    fitting_size,
    load_pygame,
    make_icon,
    open_display,
)

if TYPE_CHECKING:
    import pygame

    _Scaled = tuple["_Picture", tuple[int, int], pygame.Surface, pygame.Surface | None]

_STEP = 0.1
"""By which a key changes the strength."""

_REFRESH_S = 0.25
"""How often the figures and notices are drawn anew when no picture comes."""


@dataclass(frozen=True, slots=True)
class _Picture:
    after: Image
    before: Image | None
    captured_at: float | None


class PreviewSink:
    """Shows the newest frame in a window, with before and after on the two sides of the mouse.

        preview = PreviewSink(source.info, on_stop=stop.set)
        Pipeline(source, enhancer, preview).run(
            stop, on_progress=preview.pump, progress_interval_s=1 / 60
        )

    `write` only hands over a frame, in any thread. All else happens in `pump`, in the thread that
    made the sink: the main thread, which macOS asks for.

    Keys: s split, up and down strength, space hold, p save the picture, o figures, f full screen,
    h help, q or Esc quit; in full screen, Esc leaves it.

    Attributes:
        strength: as the keys have set it.
        frames_shown: how many frames became visible.
        frames_dropped: how many were replaced by newer ones before that.
        is_closed: whether the window was closed.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        title: str = "streamlight",
        strength: float = 1.0,
        is_split: bool = True,
        folder: str | Path = ".",
        on_strength: Callable[[float], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Open the window.

        Args:
            info: gives the size.
            title: of the window.
            strength: to begin with.
            is_split: whether to begin with before and after.
            folder: where pictures are saved.
            on_strength: told the strength when a key changes it; from `pump`.
            on_stop: called once when the window is closed; from `pump`.
            now: the time for the names of pictures.

        Raises:
            SinkError: pygame-ce is not installed, or there is no display.
        """
        self._pygame = pygame = load_pygame()
        self.strength = strength
        self.frames_shown = 0
        self.frames_dropped = 0
        self.is_closed = False
        self._is_split = is_split
        self._is_held = False
        self._seam = 0.5
        self._folder = Path(folder)
        self._on_strength, self._on_stop, self._now = on_strength, on_stop, now
        self._owner = threading.get_ident()
        self._lock = threading.Lock()
        self._next: _Picture | None = None
        self._shown: _Picture | None = None
        self._cached: _Scaled | None = None
        self._scale_after, self._scale_before = Scaler(), Scaler()
        self._is_stale = True
        self._drawn_at = 0.0
        self._pace = Pace()
        open_display(pygame)
        self._windowed_size = fitting_size(info, pygame.display.get_desktop_sizes())
        self._is_full = False
        pygame.display.set_caption(title)
        pygame.display.set_icon(self._surface(make_icon()))
        self._window = self._set_mode()
        self._overlay = Overlay()

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the window."""
        self.abort()

    @property
    def wants_original(self) -> bool:
        """Whether frames are to carry their input."""
        return self._is_split

    def write(self, frame: Frame) -> None:
        """Hand over a frame; an older one that was not shown yet is dropped."""
        picture = _Picture(_in_8_bits(frame.image), _in_8_bits(frame.original), frame.captured_at)
        with self._lock:
            self.frames_dropped += self._next is not None
            self._next = picture

    def finish(self) -> None:
        """Do nothing: the last picture stays until the window is closed."""

    def abort(self) -> None:
        """Close the window; in another thread than that of `pump`, leave that to it."""
        is_owner = threading.get_ident() == self._owner
        if is_owner and self._pygame.display.get_init():
            self._pygame.display.quit()
            self._pygame.font.quit()
        self.is_closed = True

    def pump(self, _report: object = None) -> None:
        """Do what the keys and the mouse ask, and show the newest frame.

        Call it 30 to 60 times a second in the thread that made the sink; it fits
        `Pipeline.run(on_progress=...)`.
        """
        if self.is_closed:
            return
        for event in self._pygame.event.get():
            self._handle(event)
            if self.is_closed:
                return
        fresh: _Picture | None = None
        with self._lock:
            if self._next is not None:
                fresh, self._next = self._next, None
        if fresh is not None and not self._is_held:
            self._shown, self._is_stale = fresh, True
        if not self._is_stale and not self._is_outdated():
            return
        self._draw()
        self._pygame.display.flip()
        self._is_stale = False
        self._drawn_at = time.monotonic()
        if fresh is not None and not self._is_held:
            self.frames_shown += 1
            self._pace.add(fresh.captured_at)

    def _is_outdated(self) -> bool:
        """Whether what is written over the picture has changed by itself."""
        return time.monotonic() - self._drawn_at > _REFRESH_S

    # What was asked for

    def _handle(self, event: pygame.event.Event) -> None:
        pygame = self._pygame
        if event.type == pygame.QUIT:
            self._close()
        elif event.type == pygame.KEYDOWN:
            self._obey(event.key)
        elif event.type == pygame.MOUSEMOTION:
            area = self._area()
            if area.width:
                self._seam = min(max((event.pos[0] - area.left) / area.width, 0.0), 1.0)
                self._is_stale = True
        elif event.type in (pygame.VIDEORESIZE, pygame.VIDEOEXPOSE, pygame.WINDOWSIZECHANGED):
            self._window = pygame.display.get_surface() or self._window
            if not self._is_full:
                self._windowed_size = self._window.get_size()
            self._is_stale = True

    def _obey(self, key: int) -> None:
        pygame = self._pygame
        self._is_stale = True
        match key:
            case pygame.K_q:
                self._close()
            case pygame.K_ESCAPE:
                if self._is_full:
                    self._toggle_full()
                else:
                    self._close()
            case pygame.K_s:
                self._is_split = not self._is_split
            case pygame.K_UP | pygame.K_PLUS | pygame.K_EQUALS | pygame.K_KP_PLUS:
                self._change_strength(_STEP)
            case pygame.K_DOWN | pygame.K_MINUS | pygame.K_KP_MINUS:
                self._change_strength(-_STEP)
            case pygame.K_SPACE:
                self._is_held = not self._is_held
            case pygame.K_p:
                self._save()
            case pygame.K_o:
                self._overlay.shows_figures = not self._overlay.shows_figures
            case pygame.K_f:
                self._toggle_full()
            case pygame.K_h:
                self._overlay.shows_help = not self._overlay.shows_help

    def _close(self) -> None:
        self.abort()
        if self._on_stop is not None:
            self._on_stop()

    def _change_strength(self, step: float) -> None:
        self.strength = min(max(round(self.strength + step, 1), 0.0), 1.0)
        self._overlay.notify(f"strength {100 * self.strength:.0f} %")
        if self._on_strength is not None:
            self._on_strength(self.strength)

    def _toggle_full(self) -> None:
        self._is_full = not self._is_full
        self._window = self._set_mode()

    def _set_mode(self) -> pygame.Surface:
        size = (0, 0) if self._is_full else self._windowed_size
        flags = self._pygame.FULLSCREEN if self._is_full else self._pygame.RESIZABLE
        window: pygame.Surface = self._pygame.display.set_mode(size, flags)
        return window

    def _save(self) -> None:
        picture = self._shown
        if picture is None:
            return
        image = picture.after
        before = self._other_half(picture)
        if before is not None:
            seam = round(self._seam * image.shape[1])
            image = np.concatenate((before[:, :seam], image[:, seam:]), axis=1)
        stem = f"streamlight_{self._now():%Y%m%d-%H%M%S}"
        path = self._folder / f"{stem}.png"
        number = 2
        while path.exists():
            path = self._folder / f"{stem}_{number}.png"
            number += 1
        try:
            self._pygame.image.save(self._surface(image), str(path))
        except (self._pygame.error, OSError) as error:
            self._overlay.notify(f"{path.name} cannot be saved: {error}")
        else:
            self._overlay.notify(f"saved {path.name}")

    # What is seen

    def _draw(self) -> None:
        window, picture = self._window, self._shown
        window.fill((0, 0, 0))
        area = self._area()
        if picture is not None and area.width and area.height:
            after, before = self._scaled(picture, area.size)
            window.blit(after, area.topleft)
            if self._is_split and before is not None:
                seam = round(self._seam * area.width)
                window.blit(before, area.topleft, (0, 0, seam, area.height))
                self._overlay.label(window, area.left + seam, area)
        self._overlay.draw(window, self._figures())

    def _scaled(
        self, picture: _Picture, size: tuple[int, int]
    ) -> tuple[pygame.Surface, pygame.Surface | None]:
        """Scale a picture to a size; one that only the mouse moves over is scaled once."""
        if self._cached is None or self._cached[0] is not picture or self._cached[1] != size:
            before = picture.before
            after_surface = self._surface(self._scale_after(picture.after, size))
            is_alike = before is not None and before.shape == picture.after.shape
            before_surface = (
                self._surface(self._scale_before(before, size))
                if before is not None and is_alike
                else None
            )
            self._cached = (picture, size, after_surface, before_surface)
        return self._cached[2], self._cached[3]

    def _area(self) -> pygame.Rect:
        """Where the picture lies in the window: as large as it fits."""
        window_width, window_height = self._window.get_size()
        if self._shown is None:
            return _rect(0, 0, window_width, window_height)
        height, width = self._shown.after.shape[:2]
        scale = min(window_width / width, window_height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        corner = (window_width - size[0]) // 2, (window_height - size[1]) // 2
        return _rect(*corner, *size)

    def _figures(self) -> str:
        if self._shown is None:
            return "waiting for the first picture"
        parts = [f"{self._pace.fps:.1f} fps"]
        latency_ms = self._pace.latency_ms
        if latency_ms is not None:
            parts.append(f"{latency_ms:.0f} ms")
        if self.strength != 1:
            parts.append(f"strength {100 * self.strength:.0f} %")
        if self._is_held:
            parts.append("held")
        parts.append("h: help")
        return "   ".join(parts)

    def _other_half(self, picture: _Picture) -> Image | None:
        """What is to be seen to the left of the mouse; None where nothing is compared."""
        before = picture.before
        is_alike = before is not None and before.shape == picture.after.shape
        return before if self._is_split and is_alike else None

    def _surface(self, image: Image) -> pygame.Surface:
        """Make a surface that shares the memory of a picture; it is only read."""
        packed = np.ascontiguousarray(image)
        size = image.shape[1], image.shape[0]
        surface: pygame.Surface = self._pygame.image.frombuffer(packed, size, "RGB")
        return surface


def _rect(left: int, top: int, width: int, height: int) -> pygame.Rect:
    import pygame

    return pygame.Rect(left, top, width, height)


def _in_8_bits(image: Any) -> Any:
    if image is not None and image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    return image
