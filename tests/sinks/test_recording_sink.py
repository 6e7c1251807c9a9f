"""Recordings as ffprobe reads them, also of processes that were killed."""

import os
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from clips import bars, number_of
from ffprobe import Probe, needs_ffmpeg, psnr_db
from live_frames import RATE, ClipSound, live_frame, live_info

from streamlight.errors import SinkError, UsageError
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sinks.recording import RecordingSink

pytestmark = needs_ffmpeg

FAST = LiveEncoding(preset="ultrafast", gop_s=0.4)
EXTENSIONS = [".mkv", ".mp4", ".mov", ".ts"]


def record(sink: RecordingSink, count: int, width: int = 64, height: int = 48) -> None:
    start = sink.frames_written
    for index in range(start, start + count):
        sink.write(live_frame(index, width, height))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_recording_holds_every_frame_at_its_time_from_zero(
    tmp_path: Path, extension: str
) -> None:
    path = tmp_path / f"cam{extension}"
    sink = RecordingSink(path, live_info(), encoding=LiveEncoding(crf=5))
    record(sink, 30)
    sink.finish()
    assert sink.files == [path]
    probe = Probe(path)
    times_s = np.array(probe.frame_times_s)
    assert len(times_s) == 30
    assert np.abs(times_s - times_s[0] - np.arange(30) / RATE).max() < 0.002
    if extension != ".ts":  # whose clock begins anywhere
        assert times_s[0] == pytest.approx(0, abs=0.002)
    pictures = probe.decode()
    expected = np.stack([bars(index, 64, 48) for index in range(30)])
    assert psnr_db(pictures, expected) > 20
    assert probe.video["codec_name"] == "h264"


@pytest.mark.parametrize("extension", [".mkv", ".mp4", ".ts"])
def test_the_sound_is_copied_from_the_first_picture_on(tmp_path: Path, extension: str) -> None:
    sound = ClipSound(tmp_path, 1.2, start_s=999.5)
    sink = RecordingSink(tmp_path / f"cam{extension}", live_info(), sound, encoding=FAST)
    record(sink, 20)
    sink.finish()
    probe = Probe(sink.files[0])
    heard = probe.of_type("audio")
    assert [stream["codec_name"] for stream in heard] == ["aac"]
    times_s = [packet.pts_s for packet in probe.packets(heard[0]["index"])]
    first_picture_s = probe.frame_times_s[0]
    assert times_s[0] is not None
    assert times_s[-1] is not None
    assert 0 <= times_s[0] - first_picture_s < 0.03
    assert times_s[-1] - first_picture_s == pytest.approx(0.7, abs=0.05)
    assert not sink.notes


def test_sound_that_the_container_cannot_hold_is_left_out_with_a_note(tmp_path: Path) -> None:
    sound = ClipSound(tmp_path, 0.5, codec="pcm_s16le")
    sink = RecordingSink(tmp_path / "cam.ts", live_info(), sound, encoding=FAST)
    record(sink, 5)
    sink.finish()
    assert not Probe(sink.files[0]).of_type("audio")
    assert sink.notes == ["cam.ts cannot hold audio (pcm_s16le); it is left out"]


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1)])
def test_odd_sizes_lose_a_row_or_column(tmp_path: Path, size: tuple[int, int]) -> None:
    sink = RecordingSink(tmp_path / "cam.mkv", live_info(*size), encoding=FAST)
    record(sink, 3, *size)
    sink.finish()
    video = Probe(sink.files[0]).video
    assert (video["width"], video["height"]) == (max(size[0] & ~1, 2), max(size[1] & ~1, 2))


def test_a_change_of_size_begins_another_file(tmp_path: Path) -> None:
    sink = RecordingSink(tmp_path / "cam.mkv", live_info(), encoding=FAST)
    record(sink, 10)
    record(sink, 10, 96, 64)
    record(sink, 5)
    sink.finish()
    assert [path.name for path in sink.files] == ["cam.mkv", "cam_2.mkv", "cam_3.mkv"]
    probes = [Probe(path) for path in sink.files]
    assert [len(probe.frame_times_s) for probe in probes] == [10, 10, 5]
    assert [probe.video["width"] for probe in probes] == [64, 96, 64]


# Segments


class Clock:
    def __init__(self, step_s: float = 1) -> None:
        self.time = datetime(2026, 3, 4, 5, 6, 7)
        self.step = timedelta(seconds=step_s)

    def __call__(self) -> datetime:
        self.time += self.step
        return self.time


def test_segments_are_named_by_their_time_and_lose_nothing(tmp_path: Path) -> None:
    sound = ClipSound(tmp_path, 3.0)
    sink = RecordingSink(
        tmp_path / "cam.mkv", live_info(), sound, segment_s=1, encoding=FAST, now=Clock()
    )
    record(sink, 60)
    sink.finish()
    assert [path.name for path in sink.files] == [
        "cam_20260304-050608.mkv",
        "cam_20260304-050609.mkv",
        "cam_20260304-050610.mkv",
    ]
    probes = [Probe(path) for path in sink.files]
    assert [len(probe.frame_times_s) for probe in probes] == [25, 25, 10]
    assert all(probe.frame_times_s[0] == 0 for probe in probes)
    numbers = [number_of(image) for probe in probes for image in probe.decode()]
    assert len(numbers) == 60
    packets = [len(probe.packets(1)) for probe in probes]
    # 48 kHz in packets of 1024 samples: each file has the sound of its pictures
    assert packets[0] == pytest.approx(47, abs=2)
    assert packets[1] == pytest.approx(47, abs=1)
    assert sum(packets) == pytest.approx(sound.given, abs=1)
    for probe in probes:
        first_s = probe.packets(1)[0].pts_s
        assert first_s is not None
        assert 0 <= first_s < 0.03


def test_a_name_may_say_itself_where_the_time_goes(tmp_path: Path) -> None:
    sink = RecordingSink(tmp_path / "%H%M-hall.mp4", live_info(), encoding=FAST, now=Clock())
    record(sink, 2)
    sink.finish()
    assert [path.name for path in sink.files] == ["0506-hall.mp4"]


def test_two_segments_of_the_same_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    sink = RecordingSink(
        tmp_path / "cam.mkv", live_info(), segment_s=0.2, encoding=FAST, now=Clock(0)
    )
    record(sink, 15)
    sink.finish()
    names = [path.name for path in sink.files]
    stem = "cam_20260304-050607"
    assert names == [f"{stem}.mkv", f"{stem}_2.mkv", f"{stem}_3.mkv"]


# However it ends

PROGRAM = """
import sys, time
sys.path[:0] = [{tests!r}, {sinks!r}]
from live_frames import ClipSound, live_frame, live_info
from streamlight.sinks.recording import RecordingSink
from pathlib import Path
sink = RecordingSink({path!r}, live_info(320, 240), ClipSound(Path({folder!r}), 20.0))
for index in range(150):
    sink.write(live_frame(index, 320, 240))
print("written", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_killed_process_leaves_a_file_that_can_be_played(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"cam{extension}"
    tests = Path(__file__).parents[1]
    program = PROGRAM.format(
        tests=str(tests), sinks=str(tests / "sinks"), path=str(path), folder=str(tmp_path)
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    probe = Probe(path)
    shown = len(probe.decode())
    assert 150 - shown <= 2 * RATE, "more than 2 s were lost"
    assert len(probe.packets(1)) > 60


def test_abort_keeps_what_was_recorded(tmp_path: Path) -> None:
    with RecordingSink(tmp_path / "cam.mp4", live_info(), encoding=FAST) as sink:
        record(sink, 12)
    sink.abort()
    assert len(Probe(sink.files[0]).frame_times_s) == 12
    with pytest.raises(SinkError, match="the recording is over"):
        sink.write(live_frame(0))


def test_abort_does_not_wait_for_a_write_that_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlight.sinks.recording._CLOSE_WAIT_S", 0.1)
    sink = RecordingSink(tmp_path / "cam.mkv", live_info(), encoding=FAST)
    record(sink, 1)
    with sink._lock:
        aborting = threading.Thread(target=sink.abort)
        aborting.start()
        aborting.join(2)
        assert not aborting.is_alive()
    sink.finish()


def test_a_recording_without_a_frame_makes_no_file(tmp_path: Path) -> None:
    with RecordingSink(tmp_path / "cam.mkv", live_info()) as sink:
        sink.finish()
    assert list(tmp_path.iterdir()) == []


# What cannot be


def test_what_cannot_be_written_is_said_before_the_first_frame(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot be \.avi; choose one of \.mkv, \.mp4"):
        RecordingSink(tmp_path / "cam.avi", live_info())
    with pytest.raises(SinkError, match=r"no such folder; create it with mkdir -p .*/none"):
        RecordingSink(tmp_path / "none" / "cam.mkv", live_info())
    with pytest.raises(SinkError, match=r"cam_%D\.mkv: its name would be cam_../../..\.mkv"):
        RecordingSink(tmp_path / "cam_%D.mkv", live_info())
    (tmp_path / "cam.mkv").touch()
    with pytest.raises(SinkError, match=r"cam\.mkv: exists already; .* --overwrite"):
        RecordingSink(tmp_path / "cam.mkv", live_info())
    with pytest.raises(UsageError, match="--segment 0: must be more than 0 s"):
        RecordingSink(tmp_path / "other.mkv", live_info(), segment_s=0)


def test_an_existing_file_is_replaced_on_request(tmp_path: Path) -> None:
    path = tmp_path / "cam.mkv"
    path.write_bytes(b"old")
    sink = RecordingSink(path, live_info(), encoding=FAST, overwrite=True)
    record(sink, 3)
    sink.finish()
    assert len(Probe(path).frame_times_s) == 3


def test_a_colon_in_a_relative_name_makes_no_protocol_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = RecordingSink("12:30.mkv", live_info(), encoding=FAST)
    record(sink, 3)
    sink.finish()
    assert [str(path) for path in sink.files] == ["12:30.mkv"]
    assert len(Probe(tmp_path / "12:30.mkv").frame_times_s) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cam.mkv"
    path.symlink_to("/dev/full")
    sink = RecordingSink(path, live_info(), encoding=FAST, overwrite=True)
    with pytest.raises(SinkError, match=r"cam\.mkv: the disk is full"):
        record(sink, 100)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="--crf 60"):
        LiveEncoding(crf=60)
    with pytest.raises(UsageError, match="--preset rapid"):
        LiveEncoding(preset="rapid")
    with pytest.raises(UsageError, match="--bitrate 5"):
        LiveEncoding(bitrate=5)
    with pytest.raises(UsageError, match="gop_s 0"):
        LiveEncoding(gop_s=0)
