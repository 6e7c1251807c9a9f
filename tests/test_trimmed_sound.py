"""--start and --duration from end to end: picture and sound stay together, says ffprobe."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import Sound, dim, make_clip
from ffprobe import Probe, needs_ffmpeg

import streamlight
from streamlight.verify import verify_file

pytestmark = needs_ffmpeg

UNCHANGED = streamlight.Look(strength=0)
FAST = streamlight.EncoderOptions(preset="ultrafast", extra=("bf=2",))


def sound_times_s(probe: Probe) -> dict[str, float]:
    """Presentation time of each packet of sound, by what is in it: a tone has no silent ones."""
    packets = probe.packets(probe.of_type("audio")[0]["index"])
    return {packet.digest: packet.pts_s for packet in packets if packet.pts_s is not None}


@pytest.fixture(scope="module")
def enhancer() -> Iterator[streamlight.Enhancer]:
    """One network for all cases, whose result no case looks at; it looks once at each frame."""
    with streamlight.Enhancer.open("gladnet-fast", "openvino", sampling="nearest") as opened:
        yield opened


@pytest.mark.parametrize("source", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(0.73, 0.6), (None, 0.5), (1.2, None)], ids=str
)
def test_the_distance_from_picture_to_sound_changes_by_less_than_1_ms(
    tmp_path: Path,
    enhancer: streamlight.Enhancer,
    source: str,
    target: str,
    start_s: float | None,
    duration_s: float | None,
) -> None:
    clip = make_clip(
        tmp_path / source,
        frames=50,
        picture=dim,
        sound=[Sound(duration_s=2.0, rate_hz=48_000)],
        options={"g": "12", "bf": "2"},
    )
    part = streamlight.ReaderOptions(start_s=start_s, duration_s=duration_s)
    result = streamlight.enhance_file(
        clip,
        tmp_path / target,
        enhancer=enhancer,
        look=UNCHANGED,
        reader=part,
        encoder=FAST,
    )
    before, after = Probe(clip), Probe(tmp_path / target)
    zero = before.frame_times_s[0]
    start, end = (start_s or 0.0), (start_s or 0.0) + (duration_s or 99.0)
    wanted = [t for t in before.frame_times_s if start - 5e-4 <= t - zero < end - 5e-4]
    assert len(after.frame_times_s) == len(wanted)
    moved = np.array(after.frame_times_s) - wanted
    np.testing.assert_allclose(moved, moved[0], rtol=0, atol=0.6e-3)
    one, other = sound_times_s(before), sound_times_s(after)
    shared = one.keys() & other.keys()
    assert len(shared) == len(other)
    assert len(shared) > 0.9 * (min(end, 2.0) - start) / 0.024
    sound_moved = np.array([other[digest] - one[digest] for digest in shared])
    assert np.abs(sound_moved - moved[0]).max() < 1e-3
    found = verify_file(clip, tmp_path / target, deep=True, expected=result.expected)
    assert [str(difference) for difference in found.differences] == []
