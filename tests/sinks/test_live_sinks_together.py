"""Watching, recording and sending at once: one that fails does not end the others."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeEnhancer
from ffprobe import Probe, needs_ffmpeg
from live_frames import live_frame, live_info

from streamlight.frame import Frame, Image
from streamlight.pipeline import Branch, FanOutSink, Outcome, Pipeline, Prior
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sinks.null import NullSink
from streamlight.sinks.recording import RecordingSink
from streamlight.sinks.stream import StreamSink
from streamlight.sources.reconnect import Backoff

pytestmark = [needs_ffmpeg, pytest.mark.usefixtures("no_thread_left")]


class Camera:
    info = live_info()

    def __iter__(self) -> Iterator[Frame]:
        for index in range(60):
            time.sleep(0.01)
            yield replace(live_frame(index), captured_at=time.monotonic())


class Passing(FakeEnhancer):
    def estimate(self, image: Image, time_s: float) -> Prior:
        return None

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        return image


def test_a_dead_network_ends_neither_the_recording_nor_the_run(tmp_path: Path) -> None:
    fast = LiveEncoding(preset="ultrafast")
    recording = RecordingSink(tmp_path / "cam.mkv", Camera.info, encoding=fast)
    stream = StreamSink(
        "tcp://127.0.0.1:1", Camera.info, backoff=Backoff(0.01, cap_s=0.01), max_retries=1
    )
    null = NullSink()
    failures: list[str] = []
    fan_out = FanOutSink(
        [
            Branch("recording", recording, capacity=64),
            Branch("stream", stream),
            Branch("null", null, capacity=64),
        ],
        on_failure=lambda name, error: failures.append(f"{name}: {error}"),
    )
    report = Pipeline(Camera(), Passing(), fan_out).run()
    fan_out.abort()
    assert report.outcome is Outcome.END_OF_STREAM
    assert report.latency is not None
    assert failures == ["stream: tcp://127.0.0.1:1: Connection refused"]
    reports = {report.name: report for report in fan_out.reports()}
    assert reports["stream"].failure == "tcp://127.0.0.1:1: Connection refused"
    written = report.frames_out - reports["recording"].frames_dropped
    assert len(Probe(recording.files[0]).frame_times_s) == written
    assert null.frames_written == report.frames_out - reports["null"].frames_dropped
    assert reports["recording"].latency.frames == written
