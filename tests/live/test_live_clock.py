"""The timeline of a live source."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from streamlight.sources.live_clock import LiveClock


def test_the_timeline_follows_the_clock_of_the_source_and_not_the_arrivals() -> None:
    clock = LiveClock()
    arrivals = [(100.0, 5.0), (100.5, 5.04), (100.51, 5.08)]
    assert [clock.picture_time_s(s, at) for at, s in arrivals] == pytest.approx([0, 0.04, 0.08])


def test_an_outage_keeps_its_length() -> None:
    clock = LiveClock(origin=100.0, not_before_s=2.0)
    assert clock.picture_time_s(777.0, 107.5) == pytest.approx(7.5)
    assert clock.picture_time_s(777.04, 107.6) == pytest.approx(7.54)


def test_a_connection_begins_after_the_last_frame_of_the_one_before() -> None:
    clock = LiveClock(origin=100.0, not_before_s=9.0)  # its frames were ahead of the wall clock
    assert clock.picture_time_s(0.0, 107.5) == pytest.approx(9.0)


def test_frames_without_time_get_that_of_the_wall_clock() -> None:
    clock = LiveClock(origin=100.0)
    assert clock.picture_time_s(None, 101.0) == pytest.approx(1.0)
    assert clock.picture_time_s(50.0, 101.2) == pytest.approx(1.2)
    assert clock.picture_time_s(50.04, 101.3) == pytest.approx(1.24)
    assert clock.picture_time_s(None, 101.35) == pytest.approx(1.29)
    assert clock.picture_time_s(50.12, 101.4) == pytest.approx(1.32)


@pytest.mark.parametrize("jump_s", [-40_000.0, -1.0, 5.0, 95_443.7])
def test_a_clock_that_jumps_is_anchored_anew(jump_s: float) -> None:
    clock = LiveClock(origin=0.0)
    clock.picture_time_s(10.0, 1.0)
    assert clock.picture_time_s(10.04 + jump_s, 1.05) == pytest.approx(1.05)
    assert clock.picture_time_s(10.08 + jump_s, 1.1) == pytest.approx(1.09)


def test_frames_that_come_late_together_keep_their_times() -> None:
    clock = LiveClock(origin=0.0)
    clock.picture_time_s(10.0, 1.0)
    assert clock.picture_time_s(10.04, 5.0) == pytest.approx(1.04)


def test_sound_keeps_its_distance_to_the_picture() -> None:
    clock = LiveClock(origin=0.0)
    assert clock.sound_time_s(9.9, 2.9) is None
    clock.picture_time_s(10.0, 3.0)
    assert clock.sound_time_s(10.02, 3.0) == pytest.approx(3.02)
    clock.picture_time_s(99.0, 3.5)
    assert clock.sound_time_s(98.98, 3.5) == pytest.approx(3.48)


@pytest.mark.parametrize("jump_s", [-40_000.0, -20.0, 20.0, 95_443.7])
def test_sound_whose_clock_jumps_before_the_picture_is_left_out_until_it_follows(
    jump_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = LiveClock(origin=0.0, name="door")
    clock.picture_time_s(10.0, 3.0)
    assert clock.sound_time_s(10.02 + jump_s, 3.02) is None
    assert clock.sound_time_s(10.04 + jump_s, 3.04) is None
    clock.picture_time_s(10.08 + jump_s, 3.08)
    assert clock.sound_time_s(10.06 + jump_s, 3.08) == pytest.approx(3.06)
    assert [record.message for record in caplog.records] == [
        f"door: the clock of the sound is {jump_s:.0f} s off that of the picture; "
        "such sound is left out"
    ]


def test_sound_between_rare_pictures_and_after_a_stall_is_placed() -> None:
    clock = LiveClock(origin=0.0)
    clock.picture_time_s(10.0, 0.0)
    for waited_s in (4.9, 19.9):
        assert clock.sound_time_s(10.0 + waited_s, waited_s) == pytest.approx(waited_s)
    assert clock.sound_time_s(10.02, 30.0) == pytest.approx(0.02)


def arrivals(
    source_s: Callable[[float], float],
    latency_s: Callable[[float], float] = lambda t: 0.0,
    fps: float = 25.0,
) -> Iterator[tuple[float, float]]:
    """A minute of frames: when each comes, and what the source's clock says of it."""
    for index in range(round(60 * fps)):
        t = index / fps
        yield t + latency_s(t), source_s(t)


def stalled(t: float) -> float:
    """All frames of the seconds 20 to 30 come within a second after them."""
    return 30 + (t - 20) / 10 - t if 20 <= t < 30 else 1 - (t - 30) if 30 <= t < 31 else 0.0


@pytest.mark.parametrize("fps", [25.0, 1.0])
@pytest.mark.parametrize(
    ("source_s", "apart_s"),
    [
        pytest.param(lambda t: t / 2, 0.0, id="half"),
        pytest.param(lambda t: min(t, 8), 0.0, id="standing still"),
        pytest.param(lambda t: t if t < 20 else 20 + (t - 20) * 0.7, 0.0, id="slower later"),
        pytest.param(lambda t: 1.5 * t, 6.0, id="faster"),
        pytest.param(lambda t: 3 * t, 12.0, id="triple"),
    ],
)
def test_a_clock_of_a_wrong_rate_is_not_believed_any_more(
    source_s: Callable[[float], float],
    apart_s: float,
    fps: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = LiveClock(origin=0.0, name="door")
    came, times_s = 0.0, []
    for came, said_s in arrivals(source_s, fps=fps):
        times_s.append(clock.picture_time_s(said_s, came))
        assert clock.sound_time_s(said_s, came) == pytest.approx(times_s[-1])
    assert all(one <= other for one, other in pairwise(times_s))
    assert 0 <= times_s[-1] - came + 1e-6 <= apart_s + 1e-5
    assert [record.message for record in caplog.records] == [
        "door: its clock runs at a wrong rate, or stands still; "
        "until it is connected again, its pictures get the times of their arrival"
    ]


@pytest.mark.parametrize("fps", [25.0, 1.0])
@pytest.mark.parametrize(
    "latency_s",
    [
        pytest.param(stalled, id="a stall and its backlog"),
        pytest.param(lambda t: 5.0 if t > 20 else 0.0, id="a slower network"),
        pytest.param(lambda t: 4 + stalled(t) if t > 12 else 0.0, id="slower, and a stall"),
        pytest.param(lambda t: 4.0 if t == 20 else stalled(t), id="a frame amid a stall"),
        pytest.param(lambda t: -t if t < 9 else -9.0, id="all of 9 s at once at the start"),
    ],
)
def test_an_uneven_network_is_no_wrong_rate(
    latency_s: Callable[[float], float], fps: float
) -> None:
    clock = LiveClock(origin=0.0)
    for came, said_s in arrivals(lambda t: 7 + t, latency_s, fps):
        assert clock.picture_time_s(said_s, came) == pytest.approx(said_s - 7, abs=1e-6)


@pytest.mark.parametrize("rate", [0.991, 1.009])
def test_the_error_of_a_crystal_is_no_wrong_rate(rate: float) -> None:
    clock = LiveClock(origin=0.0)
    for second in range(24 * 3600):
        time_s = clock.picture_time_s(second * rate, second)
        assert time_s == pytest.approx(second * rate, abs=1e-3)


def test_what_comes_in_bursts_is_not_compared_with_the_wall_clock() -> None:
    clock = LiveClock(origin=0.0)
    clock.checks_rate = False
    for came, said_s in arrivals(lambda t: t / 2):
        assert clock.picture_time_s(said_s, came) == pytest.approx(said_s, abs=1e-6)


def test_a_clock_that_jumps_after_it_was_not_believed_changes_nothing() -> None:
    clock = LiveClock(origin=0.0)
    for came, said_s in arrivals(lambda t: t / 2 if t < 40 else t + 5000):
        time_s = clock.picture_time_s(said_s, came)
        if came > 15:
            assert time_s == pytest.approx(came, abs=1e-6)
