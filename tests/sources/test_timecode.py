"""Time codes of a part: those of its first frame."""

from fractions import Fraction

import pytest

from streamlight.sources.timecode import advance

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("first", "frames", "rate", "later"),
    [
        ("01:02:03:04", 0, Fraction(25), "01:02:03:04"),
        ("01:02:03:04", 30, Fraction(25), "01:02:04:09"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
        ("00:01:00;02", 1798, NTSC, "00:02:00;02"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("no time code", 7, Fraction(25), "no time code"),
    ],
)
def test_a_later_frame_has_a_later_time_code(
    first: str, frames: int, rate: Fraction, later: str
) -> None:
    assert advance(first, frames, rate) == later


def test_one_by_one_is_the_same_as_at_once() -> None:
    code = "00:58:00;02"
    for number in range(1, 9000):
        code = advance(code, 1, NTSC)
        assert code == advance("00:58:00;02", number, NTSC)
