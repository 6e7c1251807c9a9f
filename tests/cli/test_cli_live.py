"""`streamlight rtsp` and `webcam` as real processes, before a real RTSP server."""

import io
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from cli_runs import OPENVINO, Run, environment, finish, read_json, run, run_here, start
from ffprobe import Probe, needs_ffmpeg

from streamlight.cameras.outputs import OutputSpec
from streamlight.cli import live_run
from streamlight.cli.live_log import live_log
from streamlight.cli.live_settings import LiveSettings
from streamlight.cli.status_line import StatusLine
from streamlight.look import Look
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sources import camera as cameras
from streamlight.sources import camera_devices, camera_feed
from streamlight.sources.camera import CameraInfo, CameraMode
from streamlight.sources.live_options import LiveOptions

sys.path.append(str(Path(__file__).parents[1] / "live"))
from peers import RtspServer, free_port, launch, sound, video

pytestmark = needs_ffmpeg

PASSWORD = "hunter2-secret"  # noqa: S105
LOGIN = f"viewer:{PASSWORD}"


@pytest.fixture(scope="module")
def locked() -> Iterator[RtspServer]:
    """A camera that asks for a password."""
    mounts = {"/cam": launch(video(), sound())}
    with RtspServer(mounts, user="viewer", password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the compiled network, for all tests here."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size >= size):
        assert time.monotonic() < deadline, f"{path} did not grow to {size} bytes"
        time.sleep(0.02)


def decoded(path: Path) -> dict[str, int]:
    """Count the packets of each kind that ffprobe can read, of pictures those it can decode."""
    found = Probe(path)
    count = {stream["codec_type"]: len(found.packets(stream["index"])) for stream in found.streams}
    return count | {"video": len(found.frame_times_s)}


def test_a_camera_is_recorded_for_as_long_as_asked(
    cache: Path, tmp_path: Path, locked: RtspServer
) -> None:
    target, report_path = tmp_path / "night.mkv", tmp_path / "report.json"
    done = run(
        cache, "rtsp", locked.url("/cam", login=LOGIN), "-o", target, "--duration", "2s",
        "--report", report_path, *OPENVINO,
    )  # fmt: skip
    assert (done.code, done.out) == (0, ""), done.err
    found = decoded(target)
    assert 5 <= found["video"] <= 60, "a busy computer drops some"
    assert found["audio"] > 20
    assert re.match(
        r"rtsp://\*\*\*@127\.0\.0\.1:\d+/cam: connected, 96x64, 25 fps; gladnet-fast with openvino",
        done.lines[0],
    )
    assert re.search(r"^\d+ frames in \d.\d s, .* fps; dropped: .*; reconnects: 0$", done.err, re.M)
    assert re.search(
        r"night.mkv: \d+ frames; latency p50 \d+, p95 \d+, p99 \d+ ms$", done.lines[-1]
    )
    report = read_json(report_path)
    assert (report["outcome"], report["stopped_by"], report["exit_code"]) == (
        "stopped", "duration", 0,
    )  # fmt: skip
    assert report["files"] == [str(target)]
    assert report["sinks"][0]["frames_out"] == found["video"]
    assert report["pipeline"]["latency"]["p99_ms"] >= report["pipeline"]["latency"]["p50_ms"] > 0
    assert PASSWORD not in done.err + report_path.read_text()


def test_ctrl_c_completes_what_was_recorded_and_sent(
    cache: Path,
    tmp_path: Path,
    locked: RtspServer,
    processes: list["subprocess.Popen[str]"],
) -> None:
    target, playlist = tmp_path / "night.mp4", tmp_path / "live" / "index.m3u8"
    process = start(
        cache, "rtsp", locked.url("/cam", login=LOGIN), "-o", target, "-o", playlist, *OPENVINO
    )
    processes.append(process)
    wait_for(target, 10_000)
    process.send_signal(signal.SIGINT)
    stopped = finish(process)
    assert stopped.code == 130, stopped.err
    done = re.fullmatch(rf"stopped: (\d+) frames done, kept in {target}", stopped.lines[-1])
    assert done is not None, stopped.err
    assert decoded(target)["video"] == int(done[1]) > 0
    assert playlist.read_text().rstrip().endswith("#EXT-X-ENDLIST")


def test_ctrl_c_is_heard_while_a_server_is_waited_for(
    cache: Path, tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    url = f"rtsp://{LOGIN}@127.0.0.1:{free_port()}/cam"
    process = start(cache, "rtsp", url, "-o", tmp_path / "a.mkv", "--wait-for-source")
    processes.append(process)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.endswith("; connecting\n") and "refused" in first
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    stopped = finish(process)
    assert time.monotonic() - started < 3
    assert (stopped.code, stopped.lines[-1]) == (130, "stopped: 0 frames done")
    assert PASSWORD not in first + stopped.err
    assert not list(tmp_path.iterdir())


def test_a_camera_that_comes_back_is_said_and_counted(
    cache: Path, tmp_path: Path, processes: list["subprocess.Popen[str]"]
) -> None:
    target, report_path = tmp_path / "night.mkv", tmp_path / "report.json"
    with RtspServer({"/cam": launch(video())}) as server:
        process = start(
            cache, "rtsp", server.url("/cam"), "-o", target, "--report", report_path, *OPENVINO
        )
        processes.append(process)
        wait_for(target, 3_000)
        server.stop()
        time.sleep(0.3)
        server.start()
        assert process.stderr is not None
        said = ""
        while "connected again" not in said:
            said += process.stderr.readline()
        assert "; reconnecting\n" in said
        assert "WARNING" not in said, "told twice"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    assert read_json(report_path)["input"]["reconnects"] == 1
    assert decoded(target)["video"] > 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtps://viewer:hunter2-secret@cam/x", "error: rtps://***@cam/x: this kind of URL is not"),
        ("rtsp://viewer:hunter2-secret@127.0.0.1:{port}/x", "error: rtsp://***@127.0.0.1:"),
    ],
    ids=["kind", "port"],
)
def test_a_wrong_url_fails_at_once_in_one_line(
    cache: Path, tmp_path: Path, url: str, expected: str
) -> None:
    started = time.monotonic()
    failed = run(cache, "rtsp", url.format(port=free_port()), "-o", tmp_path / "a.mkv")
    assert time.monotonic() - started < 8
    assert (failed.code, len(failed.lines)) == (1, 1), failed.err
    assert failed.err.startswith(expected)
    assert PASSWORD not in failed.err
    assert not list(tmp_path.iterdir())


def test_a_wrong_password_is_not_shown(cache: Path, tmp_path: Path, locked: RtspServer) -> None:
    url = locked.url("/cam", login="viewer:not-the-password")
    failed = run(cache, "rtsp", url, "-o", tmp_path / "a.mkv", "--debug")
    assert failed.code == 1
    assert "not-the-password" not in failed.err
    assert "***@127.0.0.1" in failed.lines[-1]


def test_an_output_that_fails_is_named_and_the_others_are_complete(
    tmp_path: Path, locked: RtspServer
) -> None:
    good, taken = tmp_path / "good.mkv", tmp_path / "taken"
    taken.mkdir()
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    bad = taken / "bad.mkv"
    bad.symlink_to(full)
    arguments = ("rtsp", locked.url("/cam", login=LOGIN), "-o", good, "-o", bad, "-y",
                 "--duration", "1", *OPENVINO)  # fmt: skip
    done = run_here(*arguments)
    assert done.code == 1, done.err
    assert f"recording {bad}: error: {bad}: the disk is full" in done.err
    assert done.lines[-1] == f"error: recording {bad}: failed; the other outputs are complete"
    assert decoded(good)["video"] > 5
    strict = run_here(*arguments, "--strict")
    assert strict.code == 1
    assert strict.lines[-1].startswith(f"error: {bad}: the disk is full")
    assert "go on" not in strict.err


def here(*arguments: str | Path) -> Run:
    return run_here(*arguments, *OPENVINO)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("night.mp4",), "night.mp4: expected a URL"),
        (("--target-fps", "25"), "--target-fps: is for --adaptive"),
        (("--process-size", "big"), "--process-size big: expected a number of rows"),
        (("--duration", "0"), "--duration 0: must be more than 0 s"),
        (("--segment", "ten"), "--segment ten: expected seconds"),
        (("--read-timeout", "0"), "--read-timeout 0: must be more than 0 s"),
        (("--transport", "carrier-pigeon"), "--transport carrier-pigeon: choose one of"),
        (("-o", "a.mkv"), "-o a.mkv: is given twice"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_arguments_are_checked_before_anything_is_opened(
    arguments: tuple[str, ...], expected: str
) -> None:
    url = () if "night.mp4" in arguments else ("rtsp://camera.invalid/x",)
    failed = here("rtsp", *url, *arguments, "-o", "a.mkv")
    assert (failed.code, failed.err.startswith(f"error: {expected}")) == (2, True), failed.err


def test_without_a_display_an_output_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    failed = here("rtsp", "rtsp://camera.invalid/x")
    assert failed.code == 2
    assert "-o FILE" in failed.err and "--preview" in failed.err


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_the_preview_is_what_happens_where_there_is_a_display(
    cache: Path, locked: RtspServer
) -> None:
    pytest.importorskip("pygame")
    read_end, write_end = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "640x480x24", "-nolisten", "tcp"],  # noqa: S607
        pass_fds=[write_end], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            display = {"DISPLAY": f":{pipe.readline().strip()}"}
        environ = {k: v for k, v in environment(cache).items() if k != "SDL_VIDEODRIVER"}
        url = locked.url("/cam", login=LOGIN)
        command = [sys.executable, "-m", "streamlight", "rtsp", url, *OPENVINO]
        done = subprocess.run(
            [*command, "--duration", "0.5"], env=environ | display, capture_output=True, text=True
        )
    finally:
        screen.terminate()
        screen.wait()
    assert done.returncode == 0, done.stderr
    assert re.search(r"^preview: \d+ frames", done.stderr, re.M)


def test_no_camera_is_said_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "list_cameras", list)
    listed = run_here("webcam", "--list")
    assert (listed.code, listed.out) == (0, "")
    assert listed.err.startswith("no camera was found; plug one in")


def test_cameras_are_listed_with_their_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = CameraInfo("/dev/video0", "Desk", (CameraMode("mjpeg", ("640x480", "1280x720")),))
    monkeypatch.setattr(cameras, "list_cameras", lambda: [found])
    listed = run_here("webcam", "--list")
    assert listed.out == "/dev/video0  Desk\n    mjpeg: 640x480 1280x720\n"
    assert (listed.code, listed.err) == (0, "")


def test_a_missing_camera_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(camera_devices, "list_cameras", list)
    failed = here("webcam", "--device", "/dev/video77", "-o", tmp_path / "a.mkv")
    assert failed.code == 1
    assert failed.lines == [
        "error: /dev/video77: there is no such camera (found: none); "
        "plug it in, and see: streamlight webcam --list"
    ]


@pytest.mark.parametrize(("size", "fps"), [("640", "30"), ("640x480", "fast"), ("0x0", "30")])
def test_the_modes_of_a_camera_are_checked(size: str, fps: str, tmp_path: Path) -> None:
    failed = here("webcam", "--size", size, "--fps", fps, "-o", tmp_path / "a.mkv")
    assert failed.code == 2
    assert re.match(r"error: --(size|fps) \S+: expected ", failed.err)


def test_every_option_of_rtsp_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[Any, LiveSettings]] = []
    monkeypatch.setattr(live_run, "LiveRun", recorder(taken))
    words = (
        "rtsp rtsp://cam/x --preview -o a.mkv -o udp://h:1 --virtual-camera --duration 1:30 "
        "--transport udp --max-retries 4 --wait-for-source --open-timeout 3 --read-timeout 2 "
        "--no-audio --no-low-latency -y --segment 10m --crf 30 --bitrate 2M --preset fast "
        "--model gladnet --backend torch --network-device cuda:1 --precision fp16 --memory 2GB "
        "--engine-dir plans "
        "--process-size 360 --adaptive --target-fps 15 --strength 0.5 --exposure 1 --compare side "
        "--skip-bright --smoothing 2 --estimate-every 3 --sampling area --strict --report r.json -q"
    )
    assert run_here(*words.split()).code == 0
    source, settings = taken[0]
    assert source.options == LiveOptions(
        transport="udp", open_timeout_s=3, read_timeout_s=2, low_latency=False, audio=False,
        max_retries=4, wait_for_source=True,
    )  # fmt: skip
    assert settings == LiveSettings(
        network={
            "model": "gladnet", "backend": "torch", "device": "cuda:1", "precision": "fp16",
            "engine_dir": Path("plans"),
            "memory_bytes": 2_000_000_000, "smoothing_s": 2.0, "estimate_every": 3,
            "sampling": "area", "skip_bright": True,
        },
        look=Look(0.5, 1.0, "side"),
        outputs=OutputSpec(
            targets=("a.mkv", "udp://h:1"),
            has_virtual_camera=True,
            segment_s=600,
            overwrite=True,
            encoding=LiveEncoding(crf=30, preset="fast", bitrate=2_000_000),
        ),
        has_preview=True,
        process_size=(360, 1 << 20),
        is_adaptive=True,
        target_fps=15,
        is_strict=True,
        duration_s=90,
        report_path=Path("r.json"),
        is_quiet=True,
    )  # fmt: skip


def test_a_webcam_is_recorded_in_segments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The device is a test picture; all behind it is real."""
    opened: list[tuple[str, dict[str, str]]] = []

    def open_test_picture(file: str, format_name: str, options: dict[str, str]) -> Any:
        opened.append((file, options))
        return av.open("testsrc=size=96x64:rate=25,realtime", format="lavfi")

    monkeypatch.setattr(camera_feed, "open_device", open_test_picture)
    done = here(
        "webcam", "--device", "3", "--size", "96x64", "--fps", "25", "--pixel-format", "mjpeg",
        "-o", tmp_path / "a.mkv", "--segment", "0.4", "--duration", "1.2s", "--adaptive",
        "--process-size", "32",
    )  # fmt: skip
    assert done.code == 0, done.err
    device, options = opened[0]
    assert device == "/dev/video3"
    assert (options["video_size"], options["framerate"]) == ("96x64", "25")
    assert options["input_format"] == "mjpeg"
    files = sorted(tmp_path.iterdir())
    assert len(files) >= 2
    assert all(decoded(path)["video"] > 0 for path in files)


def test_the_log_shows_no_secrets_and_repeats_nothing() -> None:
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    logging.getLogger().addHandler(handler)
    try:
        with live_log(StatusLine(is_wanted=False), debug=False):
            logging.getLogger("libav.rtsp").warning("%s lost", f"rtsp://{LOGIN}@cam/x")
            logging.getLogger("streamlight.sources.live").warning("told by the run")
        logging.getLogger("streamlight.sources.live").warning("told after the run")
    finally:
        logging.getLogger().removeHandler(handler)
    assert shown.getvalue() == "rtsp://***@cam/x lost\ntold after the run\n"


def test_lines_that_stay_are_above_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    line = StatusLine()
    line.show("25 fps")
    line.say("connected")
    line.show("24 fps")
    line.clear()
    line.clear()
    clear = "\r\x1b[K"
    assert terminal.getvalue() == (
        f"{clear}25 fps{clear}connected\n{clear}25 fps{clear}24 fps{clear}"
    )


def recorder(taken: list[tuple[Any, LiveSettings]]) -> Any:
    """Stand in for `LiveRun`: keeps what it is made of, and does nothing."""

    class Recorder:
        def __init__(self, open_source: Any, settings: LiveSettings, *, debug: bool) -> None:
            taken.append((open_source(print), settings))

        def carry_out(self) -> None:
            pass

    return Recorder
