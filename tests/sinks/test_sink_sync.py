"""Picture and sound stay together: their distance changes by less than 1 ms in any container."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import Sound, make_clip
from ffprobe import Probe, needs_ffmpeg

from streamlight.errors import SinkError
from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

pytestmark = needs_ffmpeg

THIRTIETH = Fraction(1, 30)
LATE = {"pts": range(15, 40), "time_base": THIRTIETH}

CLIPS: dict[str, dict[str, Any]] = {
    # AAC begins with 1024 samples of priming, at -23 ms
    "primed.mp4": {"frames": 25, "sound": [Sound()]},
    "primed.mkv": {"frames": 25, "sound": [Sound()]},
    "late-sound.mp4": {"frames": 25, "sound": [Sound(start_s=0.5)]},
    "late-sound.mkv": {"frames": 25, "sound": [Sound("libmp3lame", start_s=0.5)]},
    "late-picture.mp4": {**LATE, "sound": [Sound()]},
    "late-picture.mkv": {**LATE, "sound": [Sound("libmp3lame")]},
    "both-late.mkv": {**LATE, "sound": [Sound("libmp3lame", start_s=0.5)]},
    "pcm.mov": {"frames": 25, "sound": [Sound("pcm_s16le")]},
    "clock.ts": {"frames": 25, "codec": "mpeg2video", "sound": [Sound("mp2", start_s=0.3)]},
    "plain.avi": {"frames": 25, "codec": "mpeg4", "sound": [Sound("libmp3lame")]},
}
"""Starts of all kinds; the pictures have B-frames where the codec has."""

HOLD_NO_PCM = {(".ts", "pcm.mov")}


def copy(clip: Path, target: Path) -> None:
    options = EncoderOptions(extra=("bf=3",) if target.suffix != ".avi" else ())
    with FileSource(clip) as source, FileSink(target, source, options) as sink:
        for frame in source:
            sink.write(frame)
        sink.finish()


def distances_s(probe: Probe) -> tuple[float, float]:
    """From the first picture to the first sound, and from the last picture to the last sound."""
    sound = [p.pts_s for p in probe.packets(probe.of_type("audio")[0]["index"])]
    times = [time for time in sound if time is not None]
    return times[0] - probe.frame_times_s[0], times[-1] - probe.frame_times_s[-1]


@pytest.mark.parametrize("container", [".mp4", ".m4v", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("name", CLIPS)
def test_picture_and_sound_stay_together(tmp_path: Path, name: str, container: str) -> None:
    if (container, name) in HOLD_NO_PCM:
        pytest.skip("a transport stream holds no PCM")
    clip = make_clip(tmp_path / name, **CLIPS[name])
    target = tmp_path / f"out{container}"
    copy(clip, target)
    before, after = Probe(clip), Probe(target)
    assert len(after.packets(1)) == len(before.packets(1))
    with av.open(str(target)) as written:
        assert written.streams.video[0].codec_context.has_b_frames
    assert distances_s(after) == pytest.approx(distances_s(before), abs=1e-3)


@pytest.mark.parametrize("container", [".mkv", ".ts"])
def test_packets_that_share_a_millisecond_do_not_move_those_that_follow(
    tmp_path: Path, container: str
) -> None:
    """Packets of TrueHD last 0.83 ms, of which Matroska makes whole ones."""
    silent, clip = make_clip(tmp_path / "silent.mkv", frames=50), tmp_path / "clip.mkv"
    command = ["ffmpeg", "-v", "error", "-i", str(silent), "-f", "lavfi", "-i", "sine=d=2:r=48000"]
    command += ["-c:v", "copy", "-c:a", "truehd", "-ac", "2", "-strict", "-2", str(clip)]
    subprocess.run(command, check=True)
    copy(clip, tmp_path / f"out{container}")
    before, after = Probe(clip), Probe(tmp_path / f"out{container}")
    assert len(after.packets(1)) == len(before.packets(1)) > 2000
    assert distances_s(after) == pytest.approx(distances_s(before), abs=1e-3)


@pytest.mark.parametrize("name", ["plain.avi", "pcm.mov", "primed.mp4", "primed.mkv"])
def test_avi_starts_picture_and_sound_together(tmp_path: Path, name: str) -> None:
    """It states no start: what AAC begins with, and players drop, is left out."""
    clip = make_clip(tmp_path / name, **CLIPS[name])
    copy(clip, tmp_path / "out.avi")
    before, after = distances_s(Probe(clip)), distances_s(Probe(tmp_path / "out.avi"))
    assert after[0] == pytest.approx(0, abs=1e-3)
    assert after[1] == pytest.approx(before[1], abs=1e-3)


@pytest.mark.parametrize("name", ["late-sound.mkv", "late-picture.mp4"])
def test_avi_refuses_sound_that_starts_at_another_time(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / name, **CLIPS[name])
    with pytest.raises(SinkError, match=r"sound starts 0.\d+ s (after|before) .*write out.mkv"):
        copy(clip, tmp_path / "out.avi")


def test_avi_refuses_a_variable_frame_rate(tmp_path: Path) -> None:
    times_ms = (0, 10, 15, 20, 30, 40, 45, 300)
    clip = make_clip(tmp_path / "vfr.mp4", pts=times_ms, time_base=Fraction(1, 1000))
    with pytest.raises(SinkError, match=r"the frame rate varies.*write out.mkv"):
        copy(clip, tmp_path / "out.avi")


def test_avi_keeps_the_times_of_a_mean_rate_that_is_a_little_wrong(tmp_path: Path) -> None:
    """Matroska's times are whole milliseconds, from which the rate is guessed."""
    clip = make_clip(tmp_path / "ntsc.mkv", rate=Fraction(30000, 1001), frames=60)
    copy(clip, tmp_path / "out.avi")
    before, after = Probe(clip).frame_times_s, Probe(tmp_path / "out.avi").frame_times_s
    assert after == pytest.approx(before, abs=0.02)
    assert len(after) == 60
