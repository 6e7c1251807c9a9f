"""The virtual camera against a stand-in for pyvirtualcam: this kernel has no v4l2loopback."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from live_frames import RATE, live_frame, live_info
from numpy.typing import NDArray

from streamlight.errors import SinkError
from streamlight.sinks.virtual_camera import VirtualCameraSink


class FakeCamera:
    """As pyvirtualcam.Camera: refuses frames of another shape."""

    error: Exception | None = None

    def __init__(
        self, width: int, height: int, fps: float, *, fmt: str, device: str | None
    ) -> None:
        if self.error is not None:
            raise self.error
        self.width, self.height, self.fps, self.fmt = width, height, fps, fmt
        self.device = device or "/dev/video0"
        self.frames: list[NDArray[np.uint8]] = []
        self.times_s: list[float] = []
        self.is_closed = False

    def send(self, frame: NDArray[np.uint8]) -> None:
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ValueError("unexpected frame shape")
        if not frame.flags.c_contiguous:
            raise ValueError("not contiguous")
        self.frames.append(frame)
        self.times_s.append(time.monotonic())

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> list[FakeCamera]:
    made: list[FakeCamera] = []

    def camera(*arguments: object, **options: object) -> FakeCamera:
        made.append(FakeCamera(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    module = SimpleNamespace(Camera=camera, PixelFormat=SimpleNamespace(RGB="RGB3"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setattr(FakeCamera, "error", None)
    return made


def test_frames_are_shown_as_they_are(cameras: list[FakeCamera]) -> None:
    with VirtualCameraSink(live_info(), "/dev/video7") as sink:
        for index in range(3):
            sink.write(live_frame(index))
        sink.finish()
    (camera,) = cameras
    assert (camera.width, camera.height, camera.fps, camera.fmt) == (64, 48, RATE, "RGB3")
    assert sink.device == "/dev/video7"
    assert sink.frames_written == 3
    for index, shown in enumerate(camera.frames):
        assert np.array_equal(shown, live_frame(index).image)
    assert camera.is_closed


def test_another_size_is_fitted_into_the_camera(cameras: list[FakeCamera]) -> None:
    sink = VirtualCameraSink(live_info())
    sink.write(live_frame(0, 64, 48))
    white = np.full((100, 100, 3), 255, np.uint8)
    sink.write(replace(live_frame(1), image=white))
    sink.write(replace(live_frame(2), image=white[:30]))
    square, wide = cameras[0].frames[1:]
    assert (square[:, 9:55] == 255).all()
    assert not square[:, :8].any()
    assert not square[:, 56:].any()
    assert (wide[16:32] == 255).all()
    assert not wide[:14].any()
    sink.abort()


def test_an_odd_size_is_made_even_and_16_bits_become_8(cameras: list[FakeCamera]) -> None:
    sink = VirtualCameraSink(live_info(63, 47))
    deep = np.full((47, 63, 3), 65535, np.uint16)
    sink.write(replace(live_frame(0), image=deep))
    assert cameras[0].frames[0].shape == (46, 62, 3)
    assert cameras[0].frames[0].max() == 255


@pytest.mark.parametrize("is_live", [True, False])
def test_a_file_is_shown_at_its_pace_and_a_live_source_at_once(
    cameras: list[FakeCamera], is_live: bool
) -> None:
    sink = VirtualCameraSink(replace(live_info(), is_live=is_live))
    for index in range(6):
        sink.write(live_frame(index))
    times_s = cameras[0].times_s
    if is_live:
        assert times_s[-1] - times_s[0] < 5 / RATE
    else:
        assert 5 / RATE - 0.01 <= times_s[-1] - times_s[0] < 10 / RATE


def test_a_jump_in_time_is_not_waited_for(
    cameras: list[FakeCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlight.sinks.virtual_camera._LONGEST_WAIT_S", 0.1)
    sink = VirtualCameraSink(replace(live_info(), is_live=False))
    for start_s in (0, 500, 20):
        sink.write(live_frame(0, start_s=start_s))
    times_s = cameras[0].times_s
    assert times_s[-1] - times_s[0] < 0.5


@pytest.mark.parametrize(
    ("platform", "remedy"),
    [
        ("linux", "sudo modprobe v4l2loopback devices=1"),
        ("darwin", "brew install --cask obs"),
        ("win32", "winget install OBSProject.OBSStudio"),
    ],
)
def test_a_missing_driver_is_named_with_the_commands_that_install_it(
    cameras: list[FakeCamera], monkeypatch: pytest.MonkeyPatch, platform: str, remedy: str
) -> None:
    error = RuntimeError("'v4l2loopback' backend: No v4l2 loopback device found\nmore")
    monkeypatch.setattr(FakeCamera, "error", error)
    monkeypatch.setattr("streamlight.sinks.virtual_camera.sys.platform", platform)
    sink = VirtualCameraSink(live_info())
    with pytest.raises(SinkError) as caught:
        sink.write(live_frame(0))
    assert remedy in str(caught.value)
    assert "No v4l2 loopback device found" in str(caught.value)
    assert "\n" not in str(caught.value)
    sink.abort()


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkError, match=r"pip install 'streamlight\[virtualcam\]'"):
        VirtualCameraSink(live_info())


def test_a_driver_that_takes_no_frame_is_named(
    cameras: list[FakeCamera], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = VirtualCameraSink(live_info())
    sink.write(live_frame(0))

    def refuse(frame: object) -> None:
        raise RuntimeError("device was unplugged")

    sending: Callable[[object], None] = refuse
    monkeypatch.setattr(cameras[0], "send", sending)
    with pytest.raises(SinkError, match="/dev/video0 takes no frame: device was unplugged"):
        sink.write(live_frame(1))


def test_the_real_package_without_a_driver_gives_the_remedy() -> None:
    pytest.importorskip("pyvirtualcam", reason="needs pyvirtualcam")
    if sys.platform != "linux":
        pytest.skip("drivers of other systems may be there")
    sink = VirtualCameraSink(live_info(), "/dev/video98")
    with pytest.raises(SinkError, match="modprobe v4l2loopback"):
        sink.write(live_frame(0))
