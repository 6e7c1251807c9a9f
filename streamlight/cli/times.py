"""Times as people write them."""

import math
import re

from streamlight.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_time(option: str, text: str | None) -> float | None:
    """Read seconds ("90", "1.5"), "90s", "10m", "2h", "1:30" or "1:02:03.25"; None stays None.

    Raises:
        UsageError: it is no such time.
    """
    if text is None:
        return None
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text):
        return float(match[1]) * _SECONDS[match[2]]
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise UsageError(f"{option} {text}: expected seconds, such as 90.5, or 10m, 1:30, 1:02:03")
    parts = reversed(text.split(":"))
    return math.fsum(float(part) * 60**power for power, part in enumerate(parts))
