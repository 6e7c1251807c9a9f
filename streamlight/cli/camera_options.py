"""The options of one camera of several, by the names that they have on the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from streamlight.cameras.controls import MOST_SMOOTHING_S, Controls
from streamlight.cameras.outputs import OutputSpec
from streamlight.cameras.source import SourceSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.cli.live_settings import parse_process_size, parse_rate, parse_size, parse_span
from streamlight.errors import UsageError
from streamlight.look import COMPARE
from streamlight.memory import parse_memory
from streamlight.sinks.encoder_table import PRESETS
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sinks.options import parse_bitrate
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S
from streamlight.sources.live_options import LiveOptions
from streamlight.urls import mask_text
from streamlight.view import DEFAULT_SAMPLING, SAMPLING


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        default: what it is where nobody says.
        expected: what it takes, for people.
        read: turns what was written into the value; raises UsageError with what was expected.
    """

    default: Any
    expected: str
    read: Callable[[Any], Any]


def _of_type(kind: type, expected: str, default: Any) -> Option:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise UsageError(f"expected {expected}, got {say_value(value)}")
        return value

    return Option(default, expected, read)


def _number(
    expected: str, default: float | None, least: float, most: float = math.inf, above: bool = False
) -> Option:
    def read(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_finite = is_number and math.isfinite(value)
        if not is_finite or not least <= value <= most or (above and value == least):
            raise UsageError(f"expected {expected}, got {say_value(value)}")
        return float(value)

    return Option(default, expected, read)


def _count(expected: str, default: int | None, least: int) -> Option:
    def read(value: Any) -> int:
        if type(value) is not int or value < least:
            raise UsageError(f"expected {expected}, got {say_value(value)}")
        return value

    return Option(default, expected, read)


def _choice(names: tuple[str, ...], default: str) -> Option:
    expected = f"one of {', '.join(names)}"

    def read(value: Any) -> str:
        if value not in names:
            raise UsageError(f"expected {expected}, got {say_value(value)}")
        return str(value)

    return Option(default, expected, read)


def _written(expected: str, parse: Callable[[str], Any]) -> Option:
    """Take text, or a number as text, that one of the command line's readers understands."""

    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"expected {expected}, got {say_value(value)}")
        try:
            return parse(str(value))
        except UsageError:
            raise UsageError(f"expected {expected}, got {say_value(value)}") from None

    return Option(None, expected, read)


def _read_outputs(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise UsageError(f"expected a file or URL, or a list of them, got {say_value(value)}")
    return tuple(values)


def say_value(value: Any) -> str:
    """Say what was written, for people; of URLs and of whole tables no more than what they are."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{mask_text(value)}"'
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


_FLAG = _of_type(bool, "true or false", False)
_TEXT = "text in quotes"

OPTIONS: dict[str, Option] = {
    "source": _of_type(str, "a URL, a device or a file, in quotes", None),
    "transport": _choice(("tcp", "udp"), "tcp"),
    "open_timeout": _number("seconds above 0", 10.0, 0, above=True),
    "read_timeout": _number("seconds above 0", 5.0, 0, above=True),
    "max_retries": _count("a whole number from 0", None, 0),
    "no_audio": _FLAG,
    "no_low_latency": _FLAG,
    "size": _written('width and height, such as "1280x720"', lambda t: parse_size("size", t)),
    "fps": _written('a rate, such as 30 or "30000/1001"', lambda t: parse_rate("fps", t)),
    "pixel_format": _of_type(str, _TEXT, None),
    "no_loop": _FLAG,
    "output": Option((), "a file or URL, or a list of them", _read_outputs),
    "virtual_camera": _FLAG,
    "segment": _written('a time, such as "10m" or "1h"', lambda t: parse_span("segment", t)),
    "overwrite": _FLAG,
    "crf": _number("a number from 0 to 51", 23.0, 0, 51),
    "bitrate": _written('bits a second, such as "4M"', parse_bitrate),
    "preset": _choice(tuple(PRESETS), "veryfast"),
    "memory": _written('an amount, such as "2GB"', parse_memory),
    "process_size": _written('rows, such as 360, or "640x360"', parse_process_size),
    "adaptive": _FLAG,
    "target_fps": _number("frames per second above 0", None, 0, above=True),
    "strength": _number("a number from 0 to 1", 1.0, 0, 1),
    "exposure": _number("stops from -5 to 5", 0.0, -5, 5),
    "compare": _choice(COMPARE, "none"),
    "skip_bright": _FLAG,
    "smoothing": _number("seconds from 0 to 60", DEFAULT_TIME_CONSTANT_S, 0, MOST_SMOOTHING_S),
    "estimate_every": _count("a whole number from 1", 1, 1),
    "sampling": _choice(SAMPLING, DEFAULT_SAMPLING),
    "strict": _FLAG,
}
"""Every option of a camera but its name."""


def camera_spec(name: str, values: Mapping[str, Any]) -> CameraSpec:
    """Make the specification of a camera.

    Args:
        name: of the camera.
        values: by the names of `OPTIONS`, read by them; what is missing has its default.

    Raises:
        UsageError: values contradict each other, or are out of range.
    """

    def of(option: str) -> Any:
        return values.get(option, OPTIONS[option].default)

    live = LiveOptions(
        transport=of("transport"),
        open_timeout_s=of("open_timeout"),
        read_timeout_s=of("read_timeout"),
        low_latency=not of("no_low_latency"),
        audio=not of("no_audio"),
        max_retries=of("max_retries"),
        wait_for_source=True,
    )
    return CameraSpec(
        name=name,
        source=SourceSpec(
            address=of("source") or "",
            live=live,
            size=of("size"),
            fps=of("fps"),
            pixel_format=of("pixel_format"),
            loop=not of("no_loop"),
        ),
        outputs=OutputSpec(
            targets=of("output"),
            has_virtual_camera=of("virtual_camera"),
            segment_s=of("segment"),
            overwrite=of("overwrite"),
            encoding=LiveEncoding(crf=of("crf"), preset=of("preset"), bitrate=of("bitrate")),
        ),
        controls=Controls(of("strength"), of("exposure"), of("smoothing")),
        compare=cast(Any, of("compare")),
        estimate_every=of("estimate_every"),
        sampling=cast(Any, of("sampling")),
        skip_bright=of("skip_bright"),
        memory_bytes=of("memory"),
        process_size=of("process_size"),
        is_adaptive=of("adaptive"),
        target_fps=of("target_fps"),
        is_strict=of("strict"),
    )
