"""The options that all live commands share, as they were understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamlight.cameras.outputs import OutputSpec
from streamlight.cli.times import parse_time
from streamlight.errors import UsageError
from streamlight.look import Look
from streamlight.web.settings import WebSettings

_ANY_SIDE = 1 << 20
"""Where only the number of rows is limited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What is done with live pictures.

    Attributes:
        network: keyword arguments of `Enhancer.open`.
        look: strength, exposure, before-and-after picture.
        outputs: recordings, streams, a virtual camera.
        has_preview: whether to show a window.
        web: how the live page is served; None for no page.
        process_size: most width and height for the network; None for the picture's own.
        is_adaptive: lower the size to process when the network is too slow.
        target_fps: of `is_adaptive`; None for the source's rate.
        is_strict: stop when any output fails.
        duration_s: stop after so long; None to go on.
        report_path: where to write the JSON report; None for nowhere.
        is_quiet: say nothing but errors and stops.
    """

    network: dict[str, Any]
    look: Look
    outputs: OutputSpec = field(default_factory=OutputSpec)
    has_preview: bool = False
    web: WebSettings | None = None
    process_size: tuple[int, int] | None = None
    is_adaptive: bool = False
    target_fps: float | None = None
    is_strict: bool = False
    duration_s: float | None = None
    report_path: Path | None = None
    is_quiet: bool = False

    def __post_init__(self) -> None:
        """Check what contradicts itself.

        Raises:
            UsageError: it does.
        """
        if self.target_fps is not None and not self.is_adaptive:
            raise UsageError("--target-fps: is for --adaptive; give both, or neither")
        if self.target_fps is not None and not self.target_fps > 0:
            raise UsageError(f"--target-fps {self.target_fps:g}: must be more than 0")
        if self.web is not None and self.has_preview:
            raise UsageError("--web and --preview: show it in one of the two")
        outputs = self.outputs
        is_shown = self.has_preview or self.web is not None
        if not (outputs.targets or is_shown or outputs.has_virtual_camera):
            raise UsageError(
                "there is no output, and no display for a window; give --web 8080 to watch it in "
                "a browser, -o FILE or -o URL, --virtual-camera, or --preview where there is a "
                "display"
            )


def parse_span(option: str, text: str | None) -> float | None:
    """Read a length of time as `parse_time` does.

    Raises:
        UsageError: it is none, or 0.
    """
    if text is None:
        return None
    span_s = parse_time(option, text)
    if not span_s:
        raise UsageError(f"{option} {text}: must be more than 0 s")
    return span_s


def parse_size(option: str, text: str | None) -> tuple[int, int] | None:
    """Read "1280x720" as width and height; None stays None.

    Raises:
        UsageError: it is no such size.
    """
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d*)[x×]([1-9]\d*)", text.lower())  # noqa: RUF001
    if match is None:
        raise UsageError(f"{option} {text}: expected width and height, such as 1280x720")
    return int(match[1]), int(match[2])


def parse_process_size(text: str | None) -> tuple[int, int] | None:
    """Read "360" (rows; columns of an upright picture) or "640x360"; None stays None.

    Raises:
        UsageError: it is no such size.
    """
    if text is not None and re.fullmatch(r"[1-9]\d*p?", text):
        return int(text.removesuffix("p")), _ANY_SIDE
    try:
        return parse_size("--process-size", text)
    except UsageError:
        raise UsageError(
            f"--process-size {text}: expected a number of rows, such as 360, or 640x360"
        ) from None


def parse_rate(option: str, text: str | None) -> Fraction | None:
    """Read "30" or "30000/1001"; None stays None.

    Raises:
        UsageError: it is no rate above 0.
    """
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageError(f"{option} {text}: expected a rate, such as 30 or 30000/1001")
    return rate
