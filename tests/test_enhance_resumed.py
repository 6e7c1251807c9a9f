"""`enhance_file(resume=True)`: a run that was stopped goes on, and comes out as one run."""

import threading
from pathlib import Path
from typing import Any

import pytest
from clips import dim, make_clip
from ffprobe import Probe, needs_ffmpeg

import streamlight
from streamlight.pipeline import PipelineReport
from streamlight.verify import verify_file

pytestmark = needs_ffmpeg

NETWORK: dict[str, Any] = {
    "model": "gladnet-fast",
    "backend": "openvino",
    "sampling": "nearest",  # one look a picture: many take the time, and are not looked at here
}
FRAMES = 400
"""Far more than are done when a run hears, a tenth of a second later, that it is to stop at 20."""


def stopped_after(clip: Path, target: Path, frames: int) -> None:
    stop = threading.Event()

    def watch(report: PipelineReport) -> None:
        if report.frames_out >= frames:
            stop.set()

    result = streamlight.enhance_file(
        clip, target, resume=True, stop=stop, on_progress=watch, **NETWORK
    )
    assert result.output is None
    assert not target.exists()


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=FRAMES, picture=dim)
    target = tmp_path / "out.mp4"
    stopped_after(clip, target, 20)
    assert (tmp_path / ".out.mp4.resume").is_dir()

    result = streamlight.enhance_file(clip, target, resume=True, **NETWORK)

    assert 0 < result.report.frames_out < FRAMES, "what was done is not done again"
    assert len(Probe(target).frame_times_s) == FRAMES
    assert verify_file(clip, target, deep=True, expected=result.expected).differences == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_another_look_is_another_job(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=FRAMES, picture=dim)
    target = tmp_path / "out.mp4"
    stopped_after(clip, target, 20)
    with pytest.raises(streamlight.UsageError, match="cannot go on with another job"):
        streamlight.enhance_file(
            clip,
            target,
            resume=True,
            **NETWORK,
            look=streamlight.Look(strength=0.5),
        )
    with pytest.raises(streamlight.UsageError, match="cannot go on with another job"):
        streamlight.enhance_file(clip, target, resume=True, **{**NETWORK, "model": "gladnet"})


def test_pictures_are_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(streamlight.UsageError, match="--resume is for videos"):
        streamlight.enhance_file(tmp_path / "a.png", tmp_path / "b.png", resume=True)
