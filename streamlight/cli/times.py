"""Times as people write them."""

import math
import re

from streamlight.errors import UsageError


def parse_time(option: str, text: str | None) -> float | None:
    """Read seconds ("90", "1.5"), minutes ("1:30") or hours ("1:02:03.25"); None stays None.

    Raises:
        UsageError: it is no such time.
    """
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise UsageError(f"{option} {text}: expected seconds, such as 90.5, or 1:30, or 1:02:03")
    parts = reversed(text.split(":"))
    return math.fsum(float(part) * 60**power for power, part in enumerate(parts))
