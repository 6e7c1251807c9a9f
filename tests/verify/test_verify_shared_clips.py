"""Real clips, decoded and encoded again by streamlight: the check finds nothing to complain of."""

from pathlib import Path

import pytest
from fidelity import copy_clip

from streamlight.verify import verify_file

FOLDER = Path(__file__).parents[3] / "shared" / "video"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent on this machine")

QUICK = [
    ("bt601.mov", ".mkv"),
    ("bt601.mov", ".mov"),
    ("hevc_10bit.mp4", ".mp4"),
    ("sample.avi", ".mkv"),
    ("sample_h262_mpeg_audio.ts", ".mp4"),
    ("sample_with_srt.mkv", ".mkv"),
    ("vfr_444.mp4", ".mp4"),
    ("vp9_odd_161x121.webm", ".mkv"),
]
LONG = [
    ("dim_room_720p_aac.mp4", ".mp4"),
    ("dim_room_rotated90.mp4", ".mkv"),
    ("near_black_1080p50_pcm.mov", ".mov"),
    ("night_parking_480p_fullrange.mkv", ".mp4"),
    ("night_traffic_898x506.mp4", ".mp4"),
    ("portrait_4k60_fullrange.mp4", ".mp4"),
    ("sample.flv", ".mkv"),
    ("sample_av1.mp4", ".mp4"),
    ("sample_with_overlapping_ssa_subtitles.mkv", ".mkv"),
]


@pytest.mark.parametrize(
    ("name", "extension"),
    [*QUICK, *(pytest.param(*clip, marks=pytest.mark.slow) for clip in LONG)],
)
def test_a_real_clip_is_verified_frame_by_frame(tmp_path: Path, name: str, extension: str) -> None:
    target = (tmp_path / name).with_suffix(extension)
    copy_clip(FOLDER / name, target)
    found = verify_file(FOLDER / name, target, deep=True)
    assert [str(difference) for difference in found.differences] == []
    assert found.match is not None
    assert found.match.frames == found.frames
