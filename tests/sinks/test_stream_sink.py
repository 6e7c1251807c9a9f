"""Sending to real peers: ffmpeg as the listener, plain sockets that misbehave, files for HLS."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import number_of
from ffprobe import Probe, needs_ffmpeg
from live_frames import RATE, ClipSound, live_frame, live_info

from streamlight.errors import SinkError, UsageError
from streamlight.sinks.live_encoder import LiveEncoding
from streamlight.sinks.side_copies import SideTee
from streamlight.sinks.stream import StreamSink
from streamlight.sinks.stream_connection import Limits, StreamConnection
from streamlight.sinks.stream_target import StreamTarget, is_stream_target
from streamlight.sources.reconnect import Backoff, LivePhase, LiveState

pytestmark = [needs_ffmpeg, pytest.mark.usefixtures("no_child_left")]

FAST = LiveEncoding(preset="ultrafast", gop_s=0.4, crf=10)
SOON = Backoff(first_s=0.05, cap_s=0.2)


def children() -> set[int]:
    """Return the processes that this one has started, of all of its threads."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the thread has ended meanwhile
            found |= {int(child) for child in (thread / "children").read_text().split()}
    return found


@pytest.fixture
def no_child_left(no_thread_left: None) -> Iterator[None]:
    before = children()
    yield
    for sink in SINKS:
        sink.abort()
    SINKS.clear()
    left = children() - before
    assert not left, f"processes left behind: {left}"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


SINKS: list[StreamSink] = []
"""To abort after a test that failed."""


def make_sink(url: str, *arguments: Any, **options: Any) -> StreamSink:
    chosen: dict[str, Any] = {"encoding": FAST, "backoff": SOON, **options}
    sink = StreamSink(url, live_info(), *arguments, **chosen)
    SINKS.append(sink)
    return sink


def connected(sink: StreamSink) -> StreamSink:
    """Write frame 0 until the sink has connected; the last of them may be sent."""
    deadline = time.monotonic() + 10
    while sink.state.phase is not LivePhase.CONNECTED:
        assert time.monotonic() < deadline, sink.state
        sink.write(live_frame(0))
        time.sleep(0.01)
    return sink


def stream(sink: StreamSink, count: int, first: int = 0, *, pause_s: float = 0.004) -> None:
    for index in range(first, first + count):
        sink.write(live_frame(index))
        time.sleep(pause_s)


def publisher_of(sink: StreamSink) -> int:
    connection = sink._connection
    assert connection is not None
    return connection._process.pid


def command_lines_below(pid: int) -> str:
    """Command lines of a process and of those that it started."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_text()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return ""
    return text + "".join(command_lines_below(int(child)) for child in below)


class TcpPeer:
    """Accepts connections one after the other; reads all, or nothing."""

    def __init__(self, port: int = 0, *, reads: bool = True) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        if not reads:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._server.getsockname()[1]
        self._reads = reads
        self.received: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name="test-peer", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            data = bytearray()
            self.received.append(data)
            while self._reads:
                try:
                    piece = connection.recv(65536)
                except OSError:
                    break
                if not piece:
                    break
                data += piece

    def cut(self) -> None:
        """Reset the present connection."""
        for connection in self._open:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)


@pytest.fixture
def peer() -> Iterator[TcpPeer]:
    peer = TcpPeer()
    yield peer
    peer.close()


def test_every_frame_arrives_at_a_peer_that_reads(tmp_path: Path, peer: TcpPeer) -> None:
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    lost_before = sink.drops["not_connected"]
    stream(sink, 40)
    sink.finish()
    extra = sink.frames_sent - 40  # the last of those that looked for the connection
    assert extra in (0, 1)
    assert sink.drops == {"not_connected": lost_before, "network_slow": 0}
    path = tmp_path / "out.ts"
    path.write_bytes(peer.received[0])
    probe = Probe(path)
    assert [number_of(picture) for picture in probe.decode()][:5]
    times_s = probe.frame_times_s
    assert len(times_s) == 40 + extra
    assert times_s[-1] - times_s[0] == pytest.approx(39 / RATE, abs=0.002)
    assert sink.state.phase is LivePhase.CLOSED


def test_pictures_are_not_held_back(peer: TcpPeer) -> None:
    """A frame is on the network before the next one comes."""
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    for index in range(8):
        before = len(peer.received[0])
        sink.write(live_frame(index))
        deadline = time.monotonic() + 2
        while len(peer.received[0]) == before:
            assert time.monotonic() < deadline, "the picture waits for the next one"
            time.sleep(0.001)
    sink.abort()


def test_a_viewer_that_comes_late_finds_key_frames_with_parameters(
    tmp_path: Path, peer: TcpPeer
) -> None:
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    stream(sink, 50)
    sink.finish()
    path = tmp_path / "late.ts"
    data = bytes(peer.received[0])
    path.write_bytes(data[len(data) // 2 // 188 * 188 :])
    assert len(Probe(path).decode()) >= 10


LISTENERS = {
    "rtmp": ("rtmp://127.0.0.1:{port}/live/key", ["-listen", "1"], ""),
    "rtsp": ("rtsp://127.0.0.1:{port}/live", ["-rtsp_flags", "listen"], ""),
    "srt": ("srt://127.0.0.1:{port}?passphrase=secretsecret", [], "&mode=listener"),
    "udp": ("udp://127.0.0.1:{port}", [], ""),
}


@pytest.mark.parametrize(
    "scheme", ["rtsp", "srt", *(pytest.param(s, marks=pytest.mark.slow) for s in ("rtmp", "udp"))]
)
def test_ffmpeg_receives_picture_and_sound(tmp_path: Path, scheme: str) -> None:
    url, options, query = LISTENERS[scheme]
    port = free_port(socket.SOCK_DGRAM if scheme in ("udp", "srt") else socket.SOCK_STREAM)
    url = url.format(port=port)
    path = tmp_path / "received.mkv"
    command = [str(shutil.which("ffmpeg")), "-v", "error", *options, "-i", url + query]
    command += ["-map", "0", "-c", "copy", "-t", "1.5", str(path)]
    listener = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        sound = ClipSound(tmp_path, 20.0)
        sink = make_sink(url, SideTee(sound).branch())
        started = time.monotonic()
        index = 0
        while listener.poll() is None and time.monotonic() - started < 15:
            frame = live_frame(index)
            sound.until_s = frame.time_s
            sink.write(frame)
            connection = sink._connection
            if connection is not None:
                assert "secretsecret" not in command_lines_below(connection._process.pid)
                index += 1
            time.sleep(0.02)
        sink.abort()
        assert listener.poll() == 0
    finally:
        listener.kill()
        listener.wait()
    probe = Probe(path)
    kinds = {item["codec_type"]: item["codec_name"] for item in probe.streams}
    assert kinds["video"] == "h264"
    assert len(probe.decode()) > 15
    if scheme != "udp":  # whose beginning is lost, and with it what ffmpeg knows of the sound
        assert kinds["audio"] == "aac"


def test_hls_is_a_folder_that_ffprobe_reads(tmp_path: Path) -> None:
    playlist = tmp_path / "live" / "index.m3u8"
    sound = ClipSound(tmp_path, 4.0)
    sound.until_s = 0
    sink = make_sink(str(playlist), sound, encoding=LiveEncoding(preset="ultrafast"))
    connected(sink)
    sound.until_s = 1e9
    stream(sink, 75, pause_s=0.002)
    sink.finish()
    probe = Probe(playlist)
    assert len(probe.frame_times_s) == sink.frames_sent >= 75
    text = playlist.read_text()
    assert text.count("#EXTINF:2.0") == 1
    assert "#EXT-X-ENDLIST" in text
    assert all(re.fullmatch(r"index-\d+", part.stem) for part in playlist.parent.glob("*.ts"))
    assert "index-0.ts" in text


# A network that fails


def test_a_peer_that_never_reads_hangs_nobody() -> None:
    peer = TcpPeer(reads=False)
    states: list[LiveState] = []
    sink = make_sink(
        f"tcp://127.0.0.1:{peer.port}",
        stall_timeout_s=0.6,
        most_waiting_s=0.5,
        on_state=states.append,
    )
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    slowest_s = 0.0
    deadline = time.monotonic() + 12
    index = 0
    while sink.reconnects < 1:
        assert time.monotonic() < deadline, (states, sink.drops, sink.frames_sent)
        frame = replace(live_frame(index), image=np.roll(noise, index, axis=0))
        began = time.monotonic()
        sink.write(frame)
        slowest_s = max(slowest_s, time.monotonic() - began)
        index += 1
        time.sleep(0.01)
    began = time.monotonic()
    sink.finish()
    assert time.monotonic() - began < 3.2
    assert slowest_s < 0.5
    assert sink.drops["network_slow"] > 0
    assert "no answer for 0.6 s" in {state.reason for state in states}
    peer.close()


def test_what_follows_a_drop_begins_with_a_key_frame(peer: TcpPeer) -> None:
    """A picture that refers to one that was dropped would be a smear until the next key frame."""
    target = StreamTarget.parse(f"tcp://127.0.0.1:{peer.port}")
    limits = Limits(connect_s=5, stall_s=5, waiting_s=0.3)
    rare_keys = LiveEncoding(preset="ultrafast", gop_s=100, is_immediate=True)
    connection = StreamConnection(
        target, target.options, live_info(), (64, 48), rare_keys, None, limits
    )
    connection.open()
    begun = set()
    for index in range(60):  # nobody calls `send`: the network takes nothing
        connection.encode(live_frame(index))
        if connection._waiting:
            assert connection._waiting[0].is_keyframe
            begun.add(connection._waiting[0].pts)
    assert len(begun) >= 4
    assert connection.frames_dropped + len(connection._waiting) == 60
    connection.kill()
    connection.close(1)


def test_a_connection_that_is_cut_is_made_again(tmp_path: Path, peer: TcpPeer) -> None:
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    stream(sink, 10)
    wait_until(lambda: sink.frames_sent >= 10)
    peer.cut()
    deadline = time.monotonic() + 10
    index = 10
    while sink.reconnects == 0:
        assert time.monotonic() < deadline, sink.state
        stream(sink, 1, index)
        index += 1
    stream(sink, 20, index)
    sink.finish()
    path = tmp_path / "again.ts"
    path.write_bytes(peer.received[-1])
    times_s = Probe(path).frame_times_s
    assert len(times_s) >= 20
    assert times_s == sorted(set(times_s))


def test_a_peer_that_comes_late_is_found(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    states: list[LiveState] = []
    sink = make_sink(f"tcp://127.0.0.1:{port}", on_state=states.append)
    with caplog.at_level(logging.INFO, "streamlight"):
        while len(states) < 4:
            stream(sink, 1)
    assert {state.reason for state in states[1:]} == {"Connection refused"}
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1, "the others are for --verbose"
    late = TcpPeer(port)
    connected(sink)
    sink.finish()
    late.close()


def test_after_so_many_attempts_it_fails() -> None:
    sink = make_sink(f"tcp://127.0.0.1:{free_port()}", max_retries=2)
    with pytest.raises(SinkError, match=r"^tcp://127\.0\.0\.1:\d+: Connection refused$"):
        stream(sink, 1000, pause_s=0.01)
    assert sink.state.phase is LivePhase.FAILED
    sink.finish()


def test_a_port_that_looks_like_a_reason_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    sink = make_sink("rtmp://127.0.0.1:14010/live/x", max_retries=1)  # nobody listens there
    with pytest.raises(SinkError, match="Connection refused"):
        stream(sink, 1000, pause_s=0.01)
    assert "trying again" in caplog.text
    sink.finish()


def test_a_picture_of_another_size_makes_another_connection(tmp_path: Path, peer: TcpPeer) -> None:
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    stream(sink, 10)
    deadline = time.monotonic() + 10
    index = 10
    while len(peer.received) < 2 or sink.frames_sent < 20:
        assert time.monotonic() < deadline, sink.state
        sink.write(live_frame(index, 96, 64))
        index += 1
        time.sleep(0.01)
    sink.finish()
    assert sink.reconnects == 0
    widths = []
    for data in peer.received:
        path = tmp_path / "part.ts"
        path.write_bytes(data)
        widths.append(Probe(path).video["width"])
    assert widths == [64, 96]


@pytest.mark.parametrize("ending", ["finish", "abort"])
@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_a_peer_that_accepts_and_says_nothing_does_not_hold_up_the_end(
    ending: str, scheme: str
) -> None:
    peer = TcpPeer(reads=False)
    sink = make_sink(f"{scheme}://127.0.0.1:{peer.port}/live/key")
    stream(sink, 1)
    time.sleep(0.6)
    began = time.monotonic()
    getattr(sink, ending)()
    assert time.monotonic() - began < 1
    assert sink.state.phase is not LivePhase.CONNECTED
    peer.close()


def test_a_peer_that_says_nothing_is_given_up_after_the_timeout() -> None:
    peer = TcpPeer(reads=False)
    sink = make_sink(f"rtsp://127.0.0.1:{peer.port}/live", connect_timeout_s=0.4, max_retries=0)
    with pytest.raises(SinkError, match=r"no answer for 0\.4 s"):
        stream(sink, 1000, pause_s=0.01)
    peer.close()


def test_nothing_can_be_written_after_the_end(peer: TcpPeer) -> None:
    sink = make_sink(f"tcp://127.0.0.1:{peer.port}")
    sink.finish()
    sink.abort()
    with pytest.raises(SinkError, match="the stream is over"):
        stream(sink, 1)


# The publisher


def test_the_password_is_not_on_the_command_line(peer: TcpPeer) -> None:
    sink = connected(make_sink(f"tcp://user:secret@127.0.0.1:{peer.port}"))
    proc = Path(f"/proc/{publisher_of(sink)}")
    assert b"secret" not in (proc / "cmdline").read_bytes()
    assert b"secret" not in (proc / "environ").read_bytes()
    assert "secret" not in sink.target.name
    sink.abort()


def test_a_publisher_that_is_killed_is_replaced(peer: TcpPeer) -> None:
    sink = connected(make_sink(f"tcp://127.0.0.1:{peer.port}"))
    os.kill(publisher_of(sink), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while sink.reconnects == 0:
        assert time.monotonic() < deadline, sink.state
        stream(sink, 1)
    sink.finish()


def test_a_publisher_ends_with_the_process_that_started_it() -> None:
    """Also when its peer never reads, and nobody is left to kill it."""
    peer = TcpPeer(reads=False)
    tests = Path(__file__).parents[1]
    program = f"""
import sys, time
sys.path[:0] = [{str(tests)!r}, {str(tests / "sinks")!r}]
from live_frames import live_frame, live_info
from streamlight.sinks.stream import StreamSink
sink = StreamSink("rtsp://127.0.0.1:{peer.port}/live", live_info(), connect_timeout_s=1)
sink.write(live_frame(0))
while sink._opening is None:
    time.sleep(0.01)
print(sink._opening._process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        publisher = int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.communicate()
    wait_until(lambda: not is_running(publisher), 4)
    peer.close()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


# A real RTSP server

GSTREAMER = Path("/usr/bin/python3")
SERVER = Path(__file__).parents[1] / "live" / "rtsp_server.py"
needs_gstreamer = pytest.mark.skipif(
    subprocess.run(
        [str(GSTREAMER), "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"],
        check=False,
        capture_output=True,
    ).returncode
    != 0
    if GSTREAMER.exists()
    else True,
    reason="needs GStreamer's RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi",
)


@pytest.fixture
def record_server(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start a server that records what it gets at /in into `in.ts`; return its port."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(**config: Any) -> int:
        launch = (
            "( rtph264depay name=depay0 ! h264parse ! mpegtsmux ! "
            f"filesink location={tmp_path / 'in.ts'} )"
        )
        config |= {"mounts": {"/in": {"launch": launch, "record": True}}}
        server = subprocess.Popen(
            [str(GSTREAMER), str(SERVER), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        servers.append(server)
        assert server.stdout is not None
        return int(json.loads(server.stdout.readline())["port"])

    yield start
    for server in servers:
        server.communicate()


@needs_gstreamer
def test_a_gstreamer_server_records_what_is_sent(
    tmp_path: Path, record_server: Callable[..., int]
) -> None:
    sink = connected(make_sink(f"rtsp://127.0.0.1:{record_server()}/in"))
    stream(sink, 60, pause_s=0.02)
    sink.finish()
    wait_until(lambda: (tmp_path / "in.ts").stat().st_size > 20_000)
    assert len(Probe(tmp_path / "in.ts").decode()) > 30


@needs_gstreamer
def test_a_wrong_password_is_not_tried_again_and_again(record_server: Callable[..., int]) -> None:
    port = record_server(user="cam", password="right")  # noqa: S106
    sink = make_sink(f"rtsp://cam:wrong@127.0.0.1:{port}/in")
    with pytest.raises(SinkError) as caught:
        stream(sink, 2000, pause_s=0.005)
    assert "401" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert sink._connections == 0
    sink.finish()
    right = connected(make_sink(f"rtsp://cam:right@127.0.0.1:{port}/in"))
    stream(right, 3)
    right.finish()


# Targets


@pytest.mark.parametrize(
    ("text", "muxer", "url"),
    [
        ("rtsp://cam/x", "rtsp", "rtsp://cam/x"),
        ("RTMP://cam/a/b", "flv", "RTMP://cam/a/b"),
        ("udp://1.2.3.4:5", "mpegts", "udp://1.2.3.4:5?pkt_size=1316"),
        ("udp://1.2.3.4:5?ttl=2", "mpegts", "udp://1.2.3.4:5?ttl=2&pkt_size=1316"),
        ("udp://1.2.3.4:5?pkt_size=188", "mpegts", "udp://1.2.3.4:5?pkt_size=188"),
        ("srt://cam:1?passphrase=secretsecret", "mpegts", "srt://cam:1?passphrase=secretsecret"),
        ("live/index.m3u8", "hls", "live/index.m3u8"),
    ],
)
def test_targets(text: str, muxer: str, url: str) -> None:
    target = StreamTarget.parse(text)
    assert (target.muxer, target.url) == (muxer, url)
    assert "secret" not in target.name
    assert is_stream_target(text)


def test_the_transport_of_rtsp_can_be_chosen() -> None:
    assert StreamTarget.parse("rtsp://cam/x").options["rtsp_transport"] == "tcp"
    assert StreamTarget.parse("rtsp://cam/x", "udp").options["rtsp_transport"] == "udp"
    with pytest.raises(UsageError, match="--transport pigeon: choose one of tcp, udp"):
        StreamTarget.parse("rtsp://cam/x", "pigeon")


def test_what_is_no_target() -> None:
    assert not is_stream_target("out.mp4")
    with pytest.raises(SinkError, match=r"ftp://\*\*\*@x/y: cannot send .* expected rtsp://"):
        StreamTarget.parse("ftp://me:secret@x/y")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot be made"):
        make_sink(str(tmp_path / "file" / "live" / "index.m3u8"))
