"""Time codes, as cameras count frames (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def advance(timecode: str, frames: int, rate: Fraction) -> str:
    """Say which time code a later frame has; what is no time code comes back as it is.

    Args:
        timecode: of a frame: hours, minutes, seconds and frames. A semicolon before the frames
            means that numbers are dropped (ST 12-1, 9.2.2): at 30000/1001 frames a second 0 and 1
            of each minute but every tenth.
        frames: how much later.
        rate: frames per second.
    """
    match = _TIMECODE.fullmatch(timecode)
    if match is None:
        return timecode
    hours, minutes, seconds, number = (int(match[i]) for i in (1, 2, 3, 5))
    a_second = round(rate)
    dropped = a_second // 15 if match[4] != ":" else 0
    minutes += 60 * hours
    count = (60 * minutes + seconds) * a_second + number - dropped * (minutes - minutes // 10)
    count += frames
    ten_minutes = 600 * a_second - 9 * dropped
    tens, rest = divmod(count, ten_minutes)
    count += 9 * dropped * tens
    if rest >= 60 * a_second:  # the first of ten minutes drops nothing
        count += dropped * (1 + (rest - 60 * a_second) // (60 * a_second - dropped))
    seconds, number = divmod(count % (24 * 3600 * a_second), a_second)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{match[4]}{number:02}"
