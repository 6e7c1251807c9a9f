"""A live source in front of a real RTSP server that behaves, and of its typical refusals."""

import itertools
import subprocess
import sys
import threading
import time
import traceback
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fault_proxy import Fault, FaultProxy
from peers import RtspServer, free_port, launch, sound, video

from streamlight.errors import SourceError
from streamlight.pipeline.protocols import Interruptible
from streamlight.sources.live import LiveSource
from streamlight.sources.live_failures import Cause, LiveError
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import LivePhase, LiveState

pytest_plugins = ["live_fixtures"]

SECRET = "hunter2-secret"  # noqa: S105


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_gives_its_picture_at_its_pace(
    no_leak: None, camera: RtspServer, transport: str
) -> None:
    options = LiveOptions(transport=transport)  # type: ignore[arg-type]
    with LiveSource(camera.url("/mute"), options) as source:
        info = source.info
        assert (info.width, info.height, info.is_live) == (96, 64, True)
        assert info.rate == 25
        frames = list(itertools.islice(source, 35))
    red, blue = frames[-1].image[10, 75], frames[-1].image[10, 89]  # of the SMPTE bars
    assert red[0] > 150 > red[2] and blue[2] > 150 > blue[0]
    times = np.array([frame.pts for frame in frames])
    captured = np.array([frame.captured_at for frame in frames[-15:]])
    assert times[0] == 0 and (np.diff(times) > 0).all()
    assert np.median(np.diff(times)) == 3600  # 1/25 s
    assert captured[-1] - captured[0] > 0.35, "faster than live"
    assert time.monotonic() - captured[-1] < 1.0
    assert [frame.index for frame in frames] == list(range(35))
    assert frames[0].time_base == Fraction(1, 90_000)


def test_a_new_size_in_mid_stream_just_comes(no_leak: None) -> None:
    with RtspServer({"/cam": launch(video((96, 64)))}) as server:
        shapes = []
        with LiveSource(server.url("/cam")) as source:
            for frame in source:
                shapes.append(frame.image.shape[:2])
                if frame.index == 10:
                    server.command(resize=[128, 96])
                if shapes[-5:] == [(96, 128)] * 5:
                    break
                assert frame.index < 100
            assert source.reconnects == 0
            assert (source.info.width, source.info.height) == (96, 64)
    assert set(shapes) == {(64, 96), (96, 128)}


def test_the_sound_goes_along_on_the_same_timeline(no_leak: None, camera: RtspServer) -> None:
    with LiveSource(camera.url("/cam")) as source:
        frames = list(itertools.islice(source, 40))
        packets = list(source.side.take())
        assert [stream.type for stream in source.side.streams] == ["audio"]
    times = [float((packet.pts or 0) * packet.time_base) for packet in packets]
    assert all(a < b for a, b in itertools.pairwise(times))
    assert times[0] == pytest.approx(0, abs=0.15)
    assert times[-1] == pytest.approx(frames[-1].time_s, abs=0.3)
    steps = np.diff(times)
    assert np.median(steps) == pytest.approx(1024 / 44_100, rel=0.05)


def test_the_sound_can_be_written_when_its_connection_is_gone(
    no_leak: None, camera: RtspServer, tmp_path: Path
) -> None:
    with LiveSource(camera.url("/phone")) as source:
        list(itertools.islice(source, 25))
    path = tmp_path / "sound.mov"
    with av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.side.streams[0])
        for packet in source.side.take():
            packet.stream = copy
            target.mux(packet)
    with av.open(str(path)) as written:
        stream = written.streams.audio[0]
        decoded = [frame for frame in written.decode(audio=0)]
    assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("pcm_mulaw", 8000)
    assert sum(frame.samples for frame in decoded) > 4000
    assert any(np.abs(frame.to_ndarray()).max() > 1000 for frame in decoded)


def test_without_audio_no_sound_is_kept(camera: RtspServer) -> None:
    with LiveSource(camera.url("/cam"), LiveOptions(audio=False)) as source:
        list(itertools.islice(source, 5))
        assert not source.side.streams and not list(source.side.take())


def test_what_nobody_takes_is_dropped_and_counted(no_leak: None, camera: RtspServer) -> None:
    with LiveSource(camera.url("/mute")) as source:
        frames = iter(source)
        next(frames)
        time.sleep(0.8)
        before = source.frames_overtaken
        assert before >= 15
        assert time.monotonic() - (next(frames).captured_at or 0) < 0.25


def test_an_interrupt_ends_a_waiting_iteration_at_once(no_leak: None, camera: RtspServer) -> None:
    with LiveSource(camera.url("/mute")) as source:
        assert isinstance(source, Interruptible)
        frames = iter(source)
        next(frames)
        threading.Timer(0.3, source.interrupt).start()
        started = time.monotonic()
        assert all(frame.index < 100 for frame in frames)
        assert time.monotonic() - started < 2.5
        assert source.state.phase is LivePhase.CLOSED


def test_a_wrong_password_fails_at_once_and_is_never_shown(
    no_leak: None, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[LiveState] = []
    options = LiveOptions(wait_for_source=True)
    with (
        RtspServer({"/cam": launch(video())}, user="viewer", password="right") as server,  # noqa: S106
        FaultProxy(server.port) as proxy,
    ):
        url = server.url("/cam", port=proxy.port, login=f"viewer:{SECRET}")
        source = LiveSource(url, options, on_state=states.append)
        started = time.monotonic()
        with pytest.raises(LiveError, match="user name and password") as raised:
            source.connect()
        assert time.monotonic() - started < 3
        time.sleep(1.0)  # a storm of retries would be seen
        assert proxy.accepted == 1
    assert raised.value.cause is Cause.UNAUTHORIZED
    assert states[-1].phase is LivePhase.FAILED
    printed = "".join(traceback.format_exception(raised.value))
    assert "av.error.HTTPUnauthorizedError" in printed
    for text in (printed, caplog.text, repr(states), repr(source)):
        assert SECRET not in text and "viewer" not in text


def test_the_right_password_opens(no_leak: None) -> None:
    mounts = {"/cam": launch(video())}
    with RtspServer(mounts, user="viewer", password="r:ght@/") as server:  # noqa: S106
        url = server.url("/cam", login="viewer:r%3Aght%40%2F")
        with LiveSource(url) as source:
            assert next(iter(source)).image.shape == (64, 96, 3)
            assert "r%3Aght" not in repr(source) + source.name


@pytest.mark.parametrize(
    ("url", "cause", "said"),
    [
        ("rtsp://127.0.0.1:{free}/cam", Cause.REFUSED, "nothing listens there"),
        ("rtsp://no-such-host.invalid/cam", Cause.UNKNOWN_HOST, "no-such-host.invalid"),
        ("rtsp://127.0.0.1:{camera}/other", Cause.NOT_FOUND, "404"),
        ("nonsense://127.0.0.1/cam", Cause.UNSUPPORTED, "rtsp, rtmp, srt"),
    ],
)
def test_a_typing_error_fails_at_once(
    no_leak: None, camera: RtspServer, url: str, cause: Cause, said: str
) -> None:
    states: list[LiveState] = []
    address = url.format(free=free_port(), camera=camera.port)
    started = time.monotonic()
    with (
        pytest.raises(LiveError, match=said) as raised,
        LiveSource(address, on_state=states.append),
    ):
        pass
    assert time.monotonic() - started < 3
    assert raised.value.cause is cause
    assert address in str(raised.value)
    assert [state.phase for state in states] == [LivePhase.CONNECTING, LivePhase.FAILED]
    assert states[-1].reason in str(raised.value)


def test_before_it_is_connected_a_source_says_so() -> None:
    source = LiveSource("rtsp://127.0.0.1/cam")
    assert source.state.phase is LivePhase.IDLE
    with pytest.raises(SourceError, match="not connected"):
        _ = source.info


def test_a_program_with_a_stuck_connection_can_end(no_leak: None, camera: RtspServer) -> None:
    program = """
import sys, time
from streamlight.sources.live import LiveSource
source = LiveSource(sys.argv[1])
source.connect()
print("connected", flush=True)
sys.stdin.readline()
started = time.monotonic()
source.close()
print("closed" if time.monotonic() - started < 3 else "late", flush=True)
"""
    with FaultProxy(camera.port) as proxy:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, camera.url("/cam", port=proxy.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        proxy.fault = Fault.STALL
        time.sleep(0.2)
        started = time.monotonic()
        said, complained = process.communicate("\n", timeout=10)
        assert time.monotonic() - started < 5, "libav's own timeout, 5 s, was waited for"
    assert (said, complained, process.returncode) == ("closed\n", "", 0)


def test_pcmu_sound_is_recognised(camera: RtspServer) -> None:
    with LiveSource(camera.url("/phone")) as source:
        assert source.side.streams[0].codec_context.name == "pcm_mulaw"


@pytest.mark.slow
def test_h265_too(no_leak: None) -> None:
    encoder = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! h265parse"
    pipeline = launch(video(encoder=encoder, payloader="rtph265pay config-interval=-1"), sound())
    with RtspServer({"/cam": pipeline}) as server, LiveSource(server.url("/cam")) as source:
        frames = list(itertools.islice(source, 10))
    assert frames[-1].image.shape == (64, 96, 3)
