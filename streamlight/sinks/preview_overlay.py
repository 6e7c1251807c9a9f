"""What the preview writes over its picture: figures, labels, notices, help."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pygame

HELP = (
    ("s", "before and after, split at the mouse"),
    ("up, +", "stronger"),
    ("down, -", "weaker"),
    ("space", "hold the picture"),
    ("p", "save the picture"),
    ("o", "figures on and off"),
    ("f", "full screen"),
    ("h", "this help"),
    ("q, Esc", "quit"),
)

_INK = (245, 245, 245)
_FAINT = (190, 190, 190)
_PAPER = (0, 0, 0, 150)
_NOTICE_S = 2.5
_WINDOW_S = 1.0


class Pace:
    """How many pictures a second are shown, and how old they are, over the last second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a picture."""
        self._clock = clock
        self._shown: deque[tuple[float, float | None]] = deque()

    def add(self, captured_at: float | None) -> None:
        """Count a picture that has just become visible."""
        now = self._clock()
        self._shown.append((now, None if captured_at is None else now - captured_at))

    @property
    def fps(self) -> float:
        """Pictures per second; 0 when none came."""
        self._forget()
        if len(self._shown) < 2:
            return 0.0
        span_s = self._shown[-1][0] - self._shown[0][0]
        return (len(self._shown) - 1) / span_s if span_s > 0 else 0.0

    @property
    def latency_ms(self) -> float | None:
        """Median age of the pictures when they became visible; None when unknown."""
        self._forget()
        ages = sorted(age for _, age in self._shown if age is not None)
        return 1e3 * ages[len(ages) // 2] if ages else None

    def _forget(self) -> None:
        while self._shown and self._clock() - self._shown[0][0] > _WINDOW_S:
            self._shown.popleft()


class Overlay:
    """Draws text over the window; needs pygame's font module.

    Attributes:
        shows_figures: whether frames per second and latency are written.
        shows_help: whether the keys are explained.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with the figures, and without the help."""
        import pygame

        self._pygame = pygame
        self._clock = clock
        self.shows_figures = True
        self.shows_help = False
        self._notice = ""
        self._notice_until = 0.0
        self._fonts: dict[int, pygame.font.Font] = {}

    def notify(self, text: str) -> None:
        """Write a line for a moment."""
        self._notice = text
        self._notice_until = self._clock() + _NOTICE_S

    def draw(self, window: pygame.Surface, figures: str) -> None:
        """Write what is switched on."""
        margin = self._margin(window)
        if self.shows_figures:
            self._panel(window, [("", figures)], (margin, margin))
        if self.shows_help:
            self._panel(window, HELP, None)
        if self._clock() < self._notice_until:
            below = margin + 2 * self._font(window).get_linesize()
            self._panel(window, [("", self._notice)], (margin, below))

    def label(self, window: pygame.Surface, seam: int, area: pygame.Rect) -> None:
        """Draw the seam at a column of the window, and name its two sides."""
        self._pygame.draw.line(window, _INK, (seam, area.top), (seam, area.bottom - 1), 2)
        margin = self._margin(window)
        bottom = area.bottom - margin
        for text, is_left in (("before", True), ("after", False)):
            ink = self._font(window).render(text, True, _INK)
            x = seam - margin - ink.get_width() if is_left else seam + margin
            if area.left <= x and x + ink.get_width() <= area.right:
                self._paper(
                    window, self._pygame.Rect(x, bottom - ink.get_height(), *ink.get_size())
                )
                window.blit(ink, (x, bottom - ink.get_height()))

    def _panel(
        self,
        window: pygame.Surface,
        lines: Sequence[tuple[str, str]],
        corner: tuple[int, int] | None,
    ) -> None:
        """Write lines of two columns on a dark ground: at a corner, or in the middle."""
        font = self._font(window)
        keys = [font.render(key, True, _INK) for key, _ in lines]
        texts = [font.render(text, True, _INK if not key else _FAINT) for key, text in lines]
        gap = font.get_height() if any(key for key, _ in lines) else 0
        column = max(ink.get_width() for ink in keys) + gap
        width = column + max(ink.get_width() for ink in texts)
        height = font.get_linesize() * len(lines)
        if corner is None:
            x = max(0, (window.get_width() - width) // 2)
            y = max(0, (window.get_height() - height) // 2)
        else:
            x, y = corner
        self._paper(window, self._pygame.Rect(x, y, width, height))
        for row, (key, text) in enumerate(zip(keys, texts, strict=True)):
            top = y + row * font.get_linesize()
            window.blit(key, (x, top))
            window.blit(text, (x + column, top))

    def _paper(self, window: pygame.Surface, area: pygame.Rect) -> None:
        area = area.inflate(self._margin(window), self._margin(window) // 2)
        paper = self._pygame.Surface(area.size, self._pygame.SRCALPHA)
        paper.fill(_PAPER)
        window.blit(paper, area)

    def _margin(self, window: pygame.Surface) -> int:
        return max(6, window.get_height() // 50)

    def _font(self, window: pygame.Surface) -> pygame.font.Font:
        size = max(16, min(40, window.get_height() // 24))
        if size not in self._fonts:
            self._fonts[size] = self._pygame.font.Font(None, size)
        return self._fonts[size]
