"""The timeline of a live source."""

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
