"""Real clips of the folder shared/, which lies beside the project on the machines that build it."""

from pathlib import Path

import numpy as np
import pytest
from ffprobe import Probe, needs_ffmpeg
from fidelity import (
    LOSSLESS,
    assert_same_description,
    assert_same_pictures,
    assert_same_side_streams,
    assert_same_times,
    copy_clip,
)

from streamlight.errors import SourceError
from streamlight.sources import FileSource

FOLDER = Path(__file__).parents[2] / "shared" / "video"

pytestmark = [
    needs_ffmpeg,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent on this machine"),
]

QUICK = [
    "bt601.mov",
    "sample_av1.mp4",
    "sample_h262_mpeg_audio.ts",
    "sample_with_srt.mkv",
    "vfr_444.mp4",
    "vp9_odd_161x121.webm",
]
LONG = [
    "night_parking_480p_fullrange.mkv",
    "sample.avi",
    "sample.flv",
    "sample_with_overlapping_ssa_subtitles.mkv",
    "dim_room_720p_aac.mp4",
    "dim_room_rotated90.mp4",
    "near_black_1080p50_pcm.mov",
    "night_traffic_898x506.mp4",
    "portrait_4k60_fullrange.mp4",
]
TEN_BITS = ["hevc_10bit.mp4", "hlg10_rotated_editlist_1080p.mp4"]

CUT_OFF = "truncated_no_moov_or_tail.mp4"

BROKEN = {
    "EBMLReadVersion_greaterthan_EBMLVersion.mkv": "not a video, or damaged beyond reading",
    "bear-640x360-v_frag-cenc-mdat.mp4": r"the video is encrypted \(DRM\)",
    "invalid-bitstream.webm": "no picture could be decoded; the file is damaged",
    "sample_ac3.ts": r"there is no video in it \(it holds: audio\)",
}


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]
)
def test_a_real_clip_comes_out_as_it_was(tmp_path: Path, name: str) -> None:
    clip = FOLDER / name
    suffix = clip.suffix if clip.suffix in (".mp4", ".mov", ".mkv") else ".mkv"
    target = (tmp_path / name).with_suffix(suffix)
    copy_clip(clip, target, LOSSLESS)
    before, after = Probe(clip), Probe(target)
    assert_same_times(before, after)
    assert_same_side_streams(before, after)
    assert_same_description(before, after)
    assert_same_pictures(before, after)


def test_every_clip_of_the_folder_is_in_a_list() -> None:
    found = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert found == {*QUICK, *LONG, *TEN_BITS}
    assert {path.name for path in (FOLDER / "broken").iterdir()} == {*BROKEN, CUT_OFF}


def test_of_a_clip_that_is_cut_off_there_is_all_up_to_the_cut(tmp_path: Path) -> None:
    with FileSource(FOLDER / "broken" / CUT_OFF) as source:
        frames = sum(1 for _ in source)
        assert source.is_cut_off
        assert source.notes == [f"the file is cut off after {frames} of 149 frames"]
    with (
        FileSource(FOLDER / "broken" / CUT_OFF, strict=True) as source,
        pytest.raises(SourceError, match="cut off after"),
    ):
        list(source)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_clip_ends_in_one_clear_error_and_leaves_nothing(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(SourceError, match=f"{name}: .*{BROKEN[name]}") as caught:
        copy_clip(FOLDER / "broken" / name, tmp_path / "out.mp4")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_more_than_8_bits_are_kept() -> None:
    with FileSource(FOLDER / "hevc_10bit.mp4") as source:
        assert (source.info.bits, source.notes) == (10, [])
        frames = list(source)
    assert len(frames) == 30
    assert frames[0].image.dtype == np.uint16


def test_data_streams_that_are_not_copied_are_noted() -> None:
    with FileSource(FOLDER / "hlg10_rotated_editlist_1080p.mp4") as source:
        assert [note for note in source.notes if "is not copied" in note] == [
            "data stream 2 (unknown codec) is not copied",
            "data stream 3 (unknown codec) is not copied",
        ]
