"""Clocks that jump: picture and sound go on without a gap, and stay together."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Sound, make_clip, number_of

from streamlight.sources import FileSource
from streamlight.sources.timeline import WRAP_S, Timeline


def recording(path: Path, start_s: float = 0, frames: int = 30, codec: str = "libx264") -> Path:
    """A transport stream with sound, whose clock starts at a time."""
    return make_clip(
        path,
        codec=codec,
        pts=range(round(start_s * 25), round(start_s * 25) + frames),
        time_base=Fraction(1, 25),
        sound=[Sound("mp2", start_s=start_s, duration_s=frames / 25)],
        options={"g": "10"},
    )


def join(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def times_of(path: Path) -> tuple[list[float], list[tuple[float, bytes]], list[str], list[int]]:
    """Times of the frames, times and bytes of the sound, notes, and which frames they are."""
    with FileSource(path) as source:
        frames = [(frame.time_s, number_of(frame.image)) for frame in source]
        sound = [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in source.side.take()
            if packet.pts is not None
        ]
        return [t for t, _ in frames], sound, source.notes, [n for _, n in frames]


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("second_s", [0.0, 40.0, 3600.0], ids=["again", "later", "much later"])
def test_recordings_that_are_joined_byte_by_byte_go_on_without_a_gap(
    tmp_path: Path, codec: str, second_s: float
) -> None:
    one = recording(tmp_path / "one.ts", 20.0, codec=codec)
    other = recording(tmp_path / "other.ts", second_s, codec=codec)
    times, sound, notes, numbers = times_of(join(tmp_path / "both.ts", one, other))
    alone, sound_alone, _, _ = times_of(other)
    assert numbers == [*range(30), *range(30)]
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.03)
    assert times[30] == pytest.approx(1.2, abs=0.05)
    moved_s = times[-1] - alone[-1]
    second = sound[-len(sound_alone) :]
    assert [data for _, data in second] == [data for _, data in sound_alone]
    drift_s = np.array([t for t, _ in second]) - [t for t, _ in sound_alone] - moved_s
    assert np.abs(drift_s).max() < 1e-3, "picture and sound are apart"
    assert len(notes) == 1
    assert notes[0].startswith("the clock of the file jumps from 2")


def test_a_transport_stream_whose_clock_wraps_has_no_jump(tmp_path: Path) -> None:
    start_s = float(WRAP_S) - 0.4
    clip = recording(tmp_path / "clip.ts", round(start_s * 25) / 25)
    times, sound, notes, numbers = times_of(clip)
    assert numbers == list(range(30))
    assert times == pytest.approx([i / 25 for i in range(30)], abs=0.03)
    assert all(0.01 < b - a < 0.04 for (a, _), (b, _) in pairwise(sound))
    assert notes == []


def test_a_clock_that_wraps_is_moved_by_exactly_its_length() -> None:
    timeline = Timeline(may_jump=True)
    end_s = float(WRAP_S)
    for time_s in (end_s - 0.08, end_s - 0.04):
        assert timeline.place(0, time_s, time_s, 0.04, is_steady=True) == 0
    assert timeline.place(0, 0.1, 0.1, 0.04, is_steady=True) == WRAP_S
    assert timeline.place(0, 0.14, 0.14, 0.04, is_steady=True) == WRAP_S
    assert timeline.jumps == []


def test_a_gap_in_a_container_whose_clock_does_not_jump_is_kept(tmp_path: Path) -> None:
    pts = [0, 1, 2, 1000, 1001]
    clip = make_clip(tmp_path / "clip.mp4", pts=pts, time_base=Fraction(1, 25))
    with FileSource(clip) as source:
        assert [frame.time_s for frame in source] == pytest.approx([p / 25 for p in pts])
        assert source.notes == []


def test_one_packet_with_a_wild_time_moves_nothing_else() -> None:
    timeline = Timeline(may_jump=True)
    offsets = []
    for index in range(60):
        time_s = 5000.0 if index == 30 else index * 0.04
        for stream in (0, 1):
            offsets.append(timeline.place(stream, time_s, time_s, 0.04, is_steady=True))
    assert set(offsets[:60]) == {0}
    assert set(offsets[62:]) == {0}


def test_a_stream_that_comes_late_to_a_jump_is_moved_as_the_first_was() -> None:
    timeline = Timeline(may_jump=True)
    moved: dict[int, list[Fraction]] = {0: [], 1: []}
    raw = [(0, i * 0.04) for i in range(10)] + [(1, i * 0.02) for i in range(14)]
    raw += [(0, 100 + i * 0.04) for i in range(5)]
    raw += [(1, i * 0.02) for i in range(14, 20)]  # the sound of the first part, still
    raw += [(1, 99.9 + i * 0.02) for i in range(5)] + [(0, 100.2), (1, 100.0)]
    for stream, time_s in raw:
        duration_s = 0.02 if stream else 0.04
        offset = timeline.place(stream, time_s, time_s, duration_s, is_steady=True)
        moved[stream].append(offset)
    assert set(moved[0][:10]) == set(moved[1][:20]) == {0}
    after = {*moved[0][10:], *moved[1][20:]}
    assert len(after) == 1
    assert float(after.pop()) == pytest.approx(0.4 - 100, abs=0.001)
    assert len(timeline.jumps) == 1


def test_subtitles_follow_the_clock_and_never_make_it_jump() -> None:
    timeline = Timeline(may_jump=True)
    for time_s in (0.0, 0.04, 0.08):
        assert timeline.place(0, time_s, time_s, 0.04, is_steady=True) == 0
    for time_s in (0.1, 500.0, 3.0):
        assert timeline.place(2, time_s, time_s, 2.0, is_steady=False) == 0
    assert timeline.jumps == []


def test_the_clips_of_these_tests_do_jump(tmp_path: Path) -> None:
    one = recording(tmp_path / "one.ts", 20.0)
    with av.open(str(join(tmp_path / "both.ts", one, one))) as container:
        dts = [p.dts for p in container.demux(video=0) if p.dts is not None]
    assert min(np.diff(dts)) < -90_000
