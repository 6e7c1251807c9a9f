"""The sound beside a live picture, with the packets of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from av.audio.stream import AudioStream
from av.container import InputContainer
from clips import Sound, make_clip

from streamlight.sources.live_clock import LiveClock
from streamlight.sources.live_sound import CAPACITY, LiveSound


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[AudioStream]:
    clip = make_clip(tmp_path / "clip.mkv", sound=[Sound(duration_s=2)])
    with av.open(str(clip)) as container:
        yield container.streams.audio[0]


def packets_of(stream: AudioStream) -> list[av.Packet[Any]]:
    container = stream.container
    assert isinstance(container, InputContainer)
    return [packet for packet in container.demux(stream) if packet.size]


def clock_at(offset_s: float) -> tuple[LiveClock, float]:
    """Return a clock that adds `offset_s` to the times of its source, and when that is."""
    clock = LiveClock(origin=0.0)
    clock.picture_time_s(0.0, offset_s)
    return clock, offset_s


def times_of(sound: LiveSound) -> list[float]:
    return [float((packet.pts or 0) * packet.time_base) for packet in sound.take()]


def test_nothing_is_given_before_the_first_frame_and_nothing_from_before_it(
    stream: AudioStream,
) -> None:
    sound = LiveSound()
    track = sound.begin(stream, 1)
    assert track is not None
    for packet in packets_of(stream):
        track.put(packet, *clock_at(5.0))
    assert times_of(sound) == []
    sound.start(6.0)
    times = times_of(sound)
    assert 0 <= times[0] < 0.03 and times[-1] == pytest.approx(1.0, abs=0.05)


def test_a_connection_that_was_left_behind_is_not_heard_any_more(stream: AudioStream) -> None:
    sound = LiveSound()
    sound.start(0.0)
    packets = packets_of(stream)
    old = sound.begin(stream, 1)
    new = sound.begin(stream, 2)
    assert old is not None and new is not None
    old.put(packets[1], *clock_at(10.0))
    new.put(packets[1], *clock_at(20.0))
    old.put(packets[2], *clock_at(30.0))
    assert times_of(sound) == pytest.approx([20.0], abs=0.1)
    assert sound.begin(stream, 1) is None, "a late one takes nothing over"


def test_time_does_not_run_back(stream: AudioStream) -> None:
    sound = LiveSound()
    sound.start(0.0)
    track = sound.begin(stream, 1)
    assert track is not None
    first, second, third = packets_of(stream)[1:4]
    track.put(second, *clock_at(1.0))
    track.put(first, *clock_at(1.0))
    track.put(third, *clock_at(1.0))
    assert len(times_of(sound)) == 2


def test_a_packet_of_a_wrong_clock_does_not_silence_those_after_it(stream: AudioStream) -> None:
    sound = LiveSound()
    sound.start(0.0)
    track = sound.begin(stream, 1)
    assert track is not None
    clock, now = clock_at(1.0)
    first, second, third = packets_of(stream)[1:4]
    assert second.pts is not None and second.time_base is not None
    track.put(first, clock, now)
    second.pts += round(3600 / second.time_base)
    track.put(second, clock, now)
    track.put(third, clock, now)
    assert times_of(sound) == pytest.approx([1.02, 1.06], abs=0.03)


def test_what_nobody_takes_is_bounded_and_counted(stream: AudioStream) -> None:
    sound = LiveSound()
    sound.start(0.0)
    track = sound.begin(stream, 1)
    assert track is not None
    packet = packets_of(stream)[1]
    for index in range(CAPACITY + 7):
        track.put(packet, *clock_at(1.0 + index))
    times = times_of(sound)
    assert len(times) == CAPACITY and sound.lost == 7
    assert times[-1] == pytest.approx(CAPACITY + 7, abs=0.1), "the newest are kept"


def test_other_parameters_are_silent(stream: AudioStream, tmp_path: Path) -> None:
    sound = LiveSound()
    assert sound.begin(stream, 1) is not None
    other = make_clip(tmp_path / "other.mkv", sound=[Sound(rate_hz=22_050)])
    with av.open(str(other)) as container:
        assert sound.begin(container.streams.audio[0], 2) is None
    assert sound.begin(stream, 3) is not None


def test_a_source_without_sound_at_first_stays_without_and_says_so(
    stream: AudioStream, caplog: pytest.LogCaptureFixture
) -> None:
    sound = LiveSound()
    assert sound.begin(None, 1) is None
    assert not caplog.messages
    assert sound.begin(stream, 2) is None
    assert sound.streams == []
    (message,) = caplog.messages
    assert message.startswith("there is sound only since the reconnect (")
