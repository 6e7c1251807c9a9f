"""Cameras of this computer. There is none here: libavdevice is replaced where it opens one.

The fake opens a clip, or a test picture of libavfilter, in place of the device, so all but the
driver is real. The messages are checked against the error numbers that v4l2 is documented to give.
"""

import errno
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import make_clip

from streamlight.errors import SourceError, UsageError
from streamlight.pipeline.protocols import Interruptible, Source
from streamlight.sources import camera, camera_devices, camera_feed
from streamlight.sources.camera import CameraInfo, CameraMode, CameraSource, list_cameras

pytest_plugins = ["live_fixtures"]

Opened = list[tuple[str, str, dict[str, str]]]
Opener = Callable[[str, str, dict[str, str]], Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Let every device be a test picture at 25 frames a second; keep how it was opened."""
    calls: Opened = []

    def open_test_picture(file: str, format_name: str, options: dict[str, str]) -> Any:
        calls.append((file, format_name, options))
        return av.open("testsrc=size=96x64:rate=25,realtime", format="lavfi")

    monkeypatch.setattr(camera_feed, "open_device", open_test_picture)
    return calls


@pytest.fixture
def no_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(file: str, format_name: str, options: dict[str, str]) -> Any:
        raise av.error.classes[code](code, os.strerror(code), file)  # type: ignore[operator]

    monkeypatch.setattr(camera_feed, "open_device", fail)


def test_a_camera_gives_its_frames(no_leak: None, opened: Opened) -> None:
    with CameraSource(0, size=(96, 64), fps=25, pixel_format="mjpeg") as source:
        as_source: Source = source
        assert isinstance(source, Interruptible)
        assert as_source.info.is_live
        assert (as_source.info.width, as_source.info.height) == (96, 64)
        frames = list(itertools.islice(source, 10))
    assert opened == [
        (
            "/dev/video0",
            "v4l2",
            {"video_size": "96x64", "framerate": "25", "input_format": "mjpeg"},
        )
    ]
    assert frames[-1].image.shape == (64, 96, 3) and frames[-1].image.std() > 20
    assert (np.diff([frame.pts for frame in frames]) > 0).all()
    assert all(frame.captured_at for frame in frames)


@pytest.mark.parametrize(
    ("platform", "device", "file", "options"),
    [
        ("linux", "/dev/video2", "/dev/video2", {}),
        ("linux", 2, "/dev/video2", {}),
        ("darwin", "0", "0:none", {"framerate": "30"}),
        ("darwin", None, "default:none", {"framerate": "30"}),
        ("win32", "Integrated Camera", "video=Integrated Camera", {}),
    ],
)
def test_each_system_opens_its_own_way(
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    device: str | int | None,
    file: str,
    options: dict[str, str],
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with CameraSource(device) as source:
        next(iter(source))
    formats = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
    assert opened == [(file, formats[platform], options)]


def test_windows_names_codecs_and_pixel_formats_apart(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for pixel_format in ("mjpeg", "yuyv422"):
        with CameraSource("cam", pixel_format=pixel_format):
            pass
    assert [options for _, _, options in opened] == [
        {"vcodec": "mjpeg"},
        {"pixel_format": "yuyv422"},
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOENT, r"/dev/video7: there is no such camera \(found: none\).*--list"),
        (errno.EBUSY, r"/dev/video7: the camera is in use by another program .*fuser /dev/video7"),
        (errno.EACCES, r"/dev/video7: no permission.*usermod -aG video"),
        (errno.ENOTTY, r"/dev/video7: is not a camera"),
        (errno.EINVAL, r"/dev/video7: the camera does not offer --size 9x9 --fps 7;"),
        (errno.EPROTO, r"/dev/video7: the camera cannot be read \(Protocol error\)"),
    ],
)
def test_a_camera_that_cannot_be_opened_says_what_to_try(
    no_leak: None, no_opencv: None, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    failing(monkeypatch, code)
    with pytest.raises(SourceError, match=said) as raised:
        CameraSource(7, size=(9, 9), fps=7).connect()
    assert "\n" not in str(raised.value)


def test_a_real_missing_device_is_named(no_leak: None) -> None:
    with pytest.raises(SourceError, match=r"^/dev/video99: there is no such camera"):
        CameraSource("/dev/video99").connect()


def test_a_busy_camera_names_its_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    failing(monkeypatch, errno.EBUSY)
    with (
        device.open(),
        pytest.raises(SourceError, match=rf"in use by .* \(process {os.getpid()}\)"),
    ):
        CameraSource(str(device)).connect()


def test_without_any_camera_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "list_cameras", list)
    with pytest.raises(SourceError, match="no camera was found"):
        CameraSource().connect()


def test_without_a_device_the_first_camera_is_taken(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "list_cameras", lambda: [CameraInfo("/dev/video4", "A")])
    with CameraSource() as source:
        assert source.name == "/dev/video4"
    assert opened[0][0] == "/dev/video4"


def test_a_camera_that_is_unplugged_ends_with_an_error(
    no_leak: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=6)
    monkeypatch.setattr(camera_feed, "open_device", lambda *_: av.open(str(clip)))
    with CameraSource(0) as source, pytest.raises(SourceError, match=r"/dev/video0: .* unplugged"):
        list(source)


def test_an_error_of_a_running_camera_that_is_gone_means_unplugged() -> None:
    error = av.error.OSError(errno.ENODEV, "No such device", "/dev/video9")
    failure = camera_devices.describe_failure("/dev/video9", error, [], was_open=True)
    assert str(failure) == "/dev/video9: the camera was unplugged"


class StuckContainer:
    """A driver that gives nothing: its read returns when `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.streams = av.open("testsrc=size=96x64", format="lavfi").streams

    def demux(self, *streams: Any) -> Iterator[Any]:
        self.release.wait(10)
        yield from ()

    def close(self) -> None:
        pass


def test_a_driver_that_gives_nothing_holds_nobody_up(
    no_leak: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = StuckContainer()
    monkeypatch.setattr(camera_feed, "open_device", lambda *_: stuck)
    monkeypatch.setattr(camera, "CLOSE_WAIT_S", 0.3)
    source = CameraSource(0, timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(SourceError, match="sends no pictures"), source:
        pass
    assert time.monotonic() - started < 3
    stuck.release.set()


class FakeCapture:
    """OpenCV's capture of a camera that sends grey pictures, 5 of them."""

    def __init__(self, device: str | int) -> None:
        self.device = device
        self.settings: dict[int, float] = {}
        self.left = 5

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, value: float) -> bool:
        self.settings[name] = value
        return True

    def get(self, name: int) -> float:
        return 30.0

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.02)
        self.left -= 1
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[..., 0] = 200  # blue in OpenCV's order
        return self.left >= 0, picture

    def release(self) -> None:
        pass


def test_opencv_is_the_second_way_in(
    no_leak: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cv2 = pytest.importorskip("cv2")
    captures: list[FakeCapture] = []

    def capture(device: str | int) -> FakeCapture:
        captures.append(FakeCapture(device))
        return captures[-1]

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    failing(monkeypatch, errno.EINVAL)
    with CameraSource(0, size=(64, 48)) as source:
        frames = iter(source)
        assert tuple(next(frames).image[0, 0]) == (0, 0, 200)
        with pytest.raises(SourceError, match="unplugged"):
            list(frames)
        assert source.info.rate == 30
    assert captures[0].settings[cv2.CAP_PROP_FRAME_WIDTH] == 64
    assert "through OpenCV instead" in caplog.text


def test_opencv_is_not_tried_where_it_cannot_help(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("OpenCV was tried")

    monkeypatch.setattr(camera, "OpenCvFeed", refuse)
    failing(monkeypatch, errno.EBUSY)
    with pytest.raises(SourceError, match="in use"):
        CameraSource(0).connect()


def test_a_camera_that_opencv_cannot_open_either_keeps_the_first_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise SourceError("neither")

    monkeypatch.setattr(camera, "OpenCvFeed", refuse)
    failing(monkeypatch, errno.EIO)
    with pytest.raises(SourceError, match="cannot be read"):
        CameraSource(0).connect()


def test_cameras_are_listed_without_their_metadata_nodes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for node, name, index in (
        ("video10", "Capture card", 0),
        ("video0", "Webcam", 0),
        ("video1", "Webcam", 1),
    ):
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(f"{name}\n")
        (tmp_path / node / "index").write_text(f"{index}\n")
    monkeypatch.setattr(camera_devices, "_SYSFS", tmp_path)
    assert list_cameras() == [
        CameraInfo("/dev/video0", "Webcam"),
        CameraInfo("/dev/video10", "Capture card"),
    ]


def test_the_modes_are_read_from_libavdevices_list() -> None:
    # as `ffmpeg -f v4l2 -list_formats all` prints them (documentation of ffmpeg-devices)
    log = (
        "Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720\n"
        "Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240\n"
        "Raw       : Unsupported :                 Y16  : 640x480\n"
    )
    assert camera_devices.parse_modes(log) == (
        CameraMode("mjpeg", ("640x480", "1280x720")),
        CameraMode("yuyv422", ("640x480", "320x240")),
    )


def test_values_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="--size 0x480"):
        CameraSource(size=(0, 480))
    with pytest.raises(UsageError, match="--fps -1"):
        CameraSource(fps=-1)
