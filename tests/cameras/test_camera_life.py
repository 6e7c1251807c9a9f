"""One camera's life: what it shows, what can be changed meanwhile, how it fails and ends."""

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from camera_parts import RESTART, Told, spec, until
from clips import Sound, make_clip
from fake_backend import FakeBackend
from numpy.typing import NDArray
from PIL import Image as PillowImage

from streamlight.cameras.camera import Camera
from streamlight.cameras.controls import Controls
from streamlight.cameras.outputs import OutputSpec
from streamlight.cameras.source import SourceKind, SourceSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.errors import BackendError, SinkError, UsageError
from streamlight.frame import Frame
from streamlight.models.spec import MODELS
from streamlight.sinks.recording import RecordingSink
from streamlight.sinks.view import View, jpeg
from streamlight.sources.reconnect import LivePhase

sys.path.append(str(Path(__file__).parents[1] / "live"))

pytest_plugins = ["live_fixtures"]
pytestmark = pytest.mark.usefixtures("no_leak")


@contextmanager
def running(
    camera_spec: CameraSpec, backend: FakeBackend | None = None, told: Told | None = None
) -> Iterator[Camera]:
    told = told or Told()
    camera = Camera(
        camera_spec,
        backend or FakeBackend(),
        MODELS["gladnet-fast"],
        on_state=told.take_state,
        on_message=told.take_message,
        restart=RESTART,
    )
    camera.start()
    try:
        yield camera
    finally:
        camera.stop()
        assert camera.join(3), "it does not end"


def test_a_file_is_shown_again_and_again_until_it_is_stopped(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    told = Told()
    with running(spec("demo", str(clip)), told=told) as camera:
        until(lambda: camera.status().frames_out > 15, "the second round")
        status = camera.status()
        assert (status.width, status.height) == (64, 48)
        assert status.phase is LivePhase.CONNECTED and status.source == str(clip)
        assert 5 < status.fps < 40
        assert status.latency is not None and status.latency.total.p50_ms > 0
        assert status.to_dict()["drops"] == {"overtaken": 0, "network_busy": 0, "sink_busy": 0}
    assert told.phases == ["connecting", "connected", "closed"]


def test_the_size_is_that_of_a_picture_turned_upright(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12, rotation=90)
    with running(spec("demo", str(clip))) as camera:
        until(lambda: camera.status().frames_out > 2, "frames")
        status = camera.status()
        assert (status.width, status.height, camera.rotation) == (48, 64, 90)
        frame = camera.broadcast.latest
        assert frame is not None
        with PillowImage.open(io.BytesIO(jpeg(frame, View(64), camera.rotation))) as still:
            assert still.size == (48, 64)


def test_viewers_see_the_enhanced_frames_and_their_input(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    with running(spec("demo", str(clip))) as camera:
        with camera.broadcast.subscribe(wants_original=True) as viewer:
            until(lambda: camera.broadcast.latest is not None, "a frame")
            until(lambda: (frame := viewer.get(5)) is not None and frame.original is not None, "it")
            frame = viewer.get(5)
            assert frame is not None and frame.original is not None
            # the fake network makes pictures one level brighter
            assert np.array_equal(frame.image, frame.original + np.uint8(1))
            assert camera.status().viewers == 1
        assert camera.status().viewers == 0


def test_controls_act_at_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    with running(spec("demo", str(clip))) as camera:
        with camera.broadcast.subscribe(wants_original=True) as viewer:
            until(lambda: (frame := viewer.get(5)) is not None and frame.original is not None, "it")
            camera.set_controls(Controls(strength=0.0, smoothing_s=3.0))

            def is_input() -> bool:
                frame = viewer.get(5)
                assert frame is not None and frame.original is not None
                return np.array_equal(frame.image, frame.original)

            assert until(is_input, "the input") < 1
        assert camera.status().controls == Controls(strength=0.0, smoothing_s=3.0)
        with pytest.raises(UsageError, match="between 0 and 60"):
            camera.set_controls(Controls(smoothing_s=61))


def test_a_missing_file_fails_with_its_reason() -> None:
    with running(spec("demo", "/nowhere/night.mp4")) as camera:
        until(lambda: camera.state.phase is LivePhase.FAILED, "the failure")
        assert "no such file" in camera.status().reason.lower()
        assert camera.join(3) and camera.broadcast.is_closed


class FailingBackend(FakeBackend):
    """Fails once, after some frames: each takes up to 16 views."""

    def estimate(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(self.views) == 400:
            self.views.append(view)
            raise BackendError("the device is lost")
        return super().estimate(view)


def test_after_a_failure_of_the_device_it_begins_anew_beside_its_recording(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    target, told = tmp_path / "night.mkv", Told()
    outputs = OutputSpec(targets=(str(target),))
    with running(spec("demo", str(clip), outputs=outputs), FailingBackend(), told) as camera:
        until(lambda: camera.status().restarts == 1, "the restart")
        before = camera.status().frames_out
        until(lambda: camera.status().frames_out > before + 15, "frames after it")
        status = camera.status()
    assert told.phases == ["connecting", "connected", "reconnecting", "connected", "closed"]
    assert told.states[2].reason == "the device is lost"
    assert status.files == (target, tmp_path / "night_2.mkv")
    for path in status.files:
        with av.open(path) as container:
            assert sum(1 for _ in container.decode(video=0)) > 10


def test_the_sound_of_a_file_that_plays_once_is_recorded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50, sound=[Sound(duration_s=2.0)])
    target = tmp_path / "night.mkv"
    once = CameraSpec(
        name="demo",
        source=SourceSpec(address=str(clip), loop=False),
        outputs=OutputSpec(targets=(str(target),)),
    )
    with running(once) as camera:
        until(lambda: camera.state.phase is LivePhase.ENDED, "the end")
    with av.open(target) as container:
        ends = {"audio": 0.0, "video": 0.0}
        for packet in container.demux():
            if packet.pts is not None and packet.duration:
                ends[packet.stream.type] = float((packet.pts + packet.duration) * packet.time_base)
    assert ends == pytest.approx({"audio": 2.0, "video": 2.0}, abs=0.1)


def test_a_recording_that_fails_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk that gets room again: viewers alone would be no reason to stay without it."""
    real, calls = RecordingSink.write, list[int]()

    def write(self: RecordingSink, frame: Frame) -> None:
        calls.append(1)
        if len(calls) == 15:
            raise SinkError(f"{tmp_path}: the disk is full")
        real(self, frame)

    monkeypatch.setattr(RecordingSink, "write", write)
    clip, told = make_clip(tmp_path / "clip.mp4", frames=12), Told()
    outputs = OutputSpec(targets=(str(tmp_path / "night.mkv"),))
    with running(spec("demo", str(clip), outputs=outputs), told=told) as camera:
        until(lambda: len(camera.status().files) == 2, "the second recording")
        until(lambda: camera.status().frames_out > 30, "frames")
    assert any("the disk is full" in message for message in told.messages)
    assert told.phases == ["connecting", "connected", "reconnecting", "connected", "closed"]


def test_what_is_there_already_is_never_written_over(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    kept = tmp_path / "night.mkv"
    kept.write_bytes(b"of yesterday")
    outputs = OutputSpec(targets=(str(kept),))
    with running(spec("demo", str(clip), outputs=outputs)) as camera:
        until(lambda: camera.status().frames_out > 5, "frames")
        assert camera.status().files == (tmp_path / "night_2.mkv",)
    assert kept.read_bytes() == b"of yesterday"


def test_the_end_of_a_camera_gives_its_share_back(tmp_path: Path) -> None:
    clip, backend = make_clip(tmp_path / "clip.mp4", frames=12), FakeBackend()
    with running(spec("demo", str(clip)), backend) as camera:
        until(lambda: camera.status().frames_out > 3, "frames")
    assert backend.is_closed


def test_a_camera_that_never_came_is_connecting_and_says_since_when() -> None:
    with running(spec("gone", "device:/dev/video77")) as camera:
        until(lambda: camera.status().restarts >= 2, "the second attempt")
        status = camera.status()
        assert status.phase is LivePhase.CONNECTING and "no such camera" in status.reason
        assert time.time() - status.since > 0.1, "since the first attempt"


def test_an_output_that_cannot_be_opened_fails_the_camera(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    outputs = OutputSpec(targets=("/nowhere/night.mkv",))
    with running(spec("demo", str(clip), outputs=outputs)) as camera:
        until(lambda: camera.state.phase is LivePhase.FAILED, "the failure")
        assert "no such folder" in camera.status().reason


def test_a_camera_that_is_stopped_before_it_connects_ends_at_once() -> None:
    with running(spec("far", "rtsp://127.0.0.1:9/cam")) as camera:
        time.sleep(0.3)
        assert camera.state.phase in (LivePhase.CONNECTING, LivePhase.RECONNECTING)
        started = time.monotonic()
        camera.stop()
        assert camera.join(3) and time.monotonic() - started < 3
        assert camera.status().phase is LivePhase.CLOSED


def test_an_internal_error_is_a_failure_and_not_a_silent_end(tmp_path: Path) -> None:
    class Broken(FakeBackend):
        def estimate(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
            raise ZeroDivisionError("a bug at rtsp://u:hunter2@h/x")

    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    with running(spec("demo", str(clip)), Broken()) as camera:
        until(lambda: camera.state.phase is LivePhase.FAILED, "the failure")
        why = "internal error: ZeroDivisionError: a bug at rtsp://***@h/x"
        assert camera.status().reason == why


def test_status_can_be_asked_at_any_time_from_many_threads(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    errors: list[BaseException] = []

    def ask(camera: Camera) -> None:
        try:
            for _ in range(200):
                camera.status().to_dict()
        except BaseException as error:
            errors.append(error)

    with running(spec("demo", str(clip)), FailingBackend()) as camera:
        threads = [threading.Thread(target=ask, args=(camera,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors


@pytest.mark.parametrize(
    ("address", "kind", "name"),
    [
        ("rtsp://me:secret@cam/x", SourceKind.URL, "rtsp://***@cam/x"),
        ("/dev/video0", SourceKind.DEVICE, "/dev/video0"),
        ("2", SourceKind.DEVICE, "2"),
        ("device:Integrated Camera", SourceKind.DEVICE, "Integrated Camera"),
        ("night.mp4", SourceKind.FILE, "night.mp4"),
        ("file:/dev/video", SourceKind.FILE, "/dev/video"),
    ],
)
def test_an_address_says_what_it_is(address: str, kind: SourceKind, name: str) -> None:
    source = SourceSpec(address=address)
    assert (source.kind, source.name) == (kind, name)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 64, "ä"])
def test_a_name_that_is_no_part_of_a_url_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        spec(name, "night.mp4")


def test_a_url_that_lacks_a_slash_is_no_file() -> None:
    with pytest.raises(UsageError, match="expected two slashes: rtsp://") as caught:
        SourceSpec(address="rtsp:/u:hunter2@h/x")
    assert "hunter2" not in str(caught.value)
    assert SourceSpec(address="file:/a/b.mp4").location == "/a/b.mp4"
    assert SourceSpec(address="C:/a/b.mp4").kind is SourceKind.FILE
