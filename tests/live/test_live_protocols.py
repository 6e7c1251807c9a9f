"""A live source and the other protocols, each with a real peer: ffmpeg, or Python's HTTP server."""

import base64
import itertools
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import grey, grey_picture, make_clip, number_of
from peers import end, free_port, require_ffmpeg, run_ffmpeg

from streamlight.sources.live import LiveSource
from streamlight.sources.live_failures import Cause, LiveError
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import Backoff, LivePhase
from streamlight.urls import MaskingFilter

pytest_plugins = ["live_fixtures"]

LIVE_CLIP = (
    *("-re", "-f", "lavfi", "-i", "testsrc=size=96x64:rate=25", "-f", "lavfi", "-i", "sine"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12"),
    *("-pix_fmt", "yuv420p", "-c:a", "aac", "-flush_packets", "1"),
)
JPEG_RATE = 10
PASSPHRASE = "a-secret-phrase"  # noqa: S105


@contextmanager
def http_server(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve HTTP on a port, until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def jpegs() -> list[bytes]:
    """Return eight JPEG pictures of 64x48, grey as in the clips."""
    found = []
    for index in range(8):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        picture = av.VideoFrame.from_ndarray(grey_picture(index, 64, 48), format="rgb24")
        packets = encoder.encode(picture.reformat(format="yuvj420p")) + encoder.encode(None)
        found.append(bytes(packets[0]))
    return found


class MjpegCamera(Quiet):
    """Sends 10 pictures a second, and closes after `pictures_a_visit` of them."""

    pictures = jpegs()
    pictures_a_visit = 1000

    def do_GET(self) -> None:
        login = base64.b64encode(b"viewer:right").decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for index in range(self.pictures_a_visit):
                jpeg = self.pictures[index % len(self.pictures)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                time.sleep(1 / JPEG_RATE)
        except OSError:
            return


class ShortMjpegCamera(MjpegCamera):
    pictures_a_visit = 6


def test_mjpeg_over_http_has_the_times_of_its_arrival(no_leak: None) -> None:
    with http_server(MjpegCamera) as port:
        url = f"http://viewer:right@127.0.0.1:{port}/video"
        with LiveSource(url) as source:
            frames = list(itertools.islice(source, 12))
            assert "right" not in source.name
    steps = np.diff([frame.time_s for frame in frames][2:])
    assert np.median(steps) == pytest.approx(1 / JPEG_RATE, rel=0.3)  # libav says 25 a second
    seen = {number_of(frame.image) for frame in frames}
    assert seen <= set(range(8)) and len(seen) >= 6
    assert abs(int(frames[-1].image.mean()) - grey(number_of(frames[-1].image))) < 6


def test_mjpeg_that_ends_is_a_lost_connection(no_leak: None) -> None:
    with http_server(ShortMjpegCamera) as port:
        url = f"http://viewer:right@127.0.0.1:{port}/video"
        with LiveSource(url, LiveOptions(backoff=Backoff(first_s=0.05))) as source:
            frames = list(itertools.islice(source, 12))
            assert source.reconnects >= 1
            assert set(source.losses) <= {Cause.CLOSED, Cause.RESET}
    times = [frame.pts for frame in frames]
    assert all(a < b for a, b in itertools.pairwise(times))


def test_http_with_a_wrong_password(no_leak: None) -> None:
    with http_server(MjpegCamera) as port, pytest.raises(LiveError) as raised:
        LiveSource(f"http://viewer:{PASSPHRASE}@127.0.0.1:{port}/video").connect()
    assert raised.value.cause is Cause.UNAUTHORIZED
    assert PASSPHRASE not in str(raised.value)


def make_hls(folder: Path) -> None:
    require_ffmpeg()
    clip = make_clip(folder / "clip.mp4", frames=40, options={"g": "10"})
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-c", "copy", "-f", "hls"]
    command += ["-hls_time", "0.4", "-hls_list_size", "0", str(folder / "list.m3u8")]
    subprocess.run(command, check=True)


def test_a_recording_over_hls_is_played_at_its_pace_and_ends(no_leak: None, tmp_path: Path) -> None:
    make_hls(tmp_path)
    with http_server(partial(QuietFiles, directory=str(tmp_path))) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/list.m3u8")
        started = time.monotonic()
        with source:
            frames = list(source)
        assert 1.0 < time.monotonic() - started < 4.0
        assert source.state.phase is LivePhase.ENDED and not source.losses
    assert len(frames) >= 36  # all, but for a hurried start
    assert number_of(frames[-1].image) == 39 % 32
    steps = np.diff([frame.pts for frame in frames])
    assert np.median(steps) == 3600


def test_a_recording_that_breaks_off_is_no_end(no_leak: None, tmp_path: Path) -> None:
    make_hls(tmp_path)
    clip = make_clip(tmp_path / "long.mkv", frames=100, options={"g": "10"})
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    with http_server(partial(QuietFiles, directory=str(tmp_path))) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/long.mkv")
        with source, pytest.raises(LiveError, match=r"broke off at \d of 4 s") as raised:
            list(source)
    assert raised.value.cause is Cause.BROKEN_OFF


def test_live_hls_is_paced_and_its_messages_are_masked(
    no_leak: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    playlist = tmp_path / "list.m3u8"
    hls = ("-hls_time", "0.48", "-hls_list_size", "4", "-hls_flags", "delete_segments")
    writer = run_ffmpeg(*LIVE_CLIP, "-f", "hls", *hls, str(playlist))
    raw: list[str] = []
    shown: list[str] = []
    libav, keeper, masker = logging.getLogger("libav"), Keeper(raw), Keeper(shown)
    masker.addFilter(MaskingFilter())
    libav.addHandler(keeper)
    libav.addHandler(masker)
    libav.setLevel(logging.INFO)
    av.logging.set_level(av.logging.INFO)
    try:
        while not playlist.exists() or playlist.read_text().count("#EXTINF") < 3:
            assert writer.poll() is None, end(writer)
            time.sleep(0.05)
        with http_server(partial(QuietFiles, directory=str(tmp_path))) as port:
            url = f"http://viewer:{PASSPHRASE}@127.0.0.1:{port}/list.m3u8"
            with LiveSource(url) as source:
                frames = list(itertools.islice(source, 40))
    finally:
        av.logging.set_level(None)
        libav.removeHandler(keeper)
        libav.removeHandler(masker)
        end(writer)
    captured = np.array([frame.captured_at for frame in frames])
    assert np.diff(captured).max() < 0.4, "frames come in bursts, a segment at a time"
    assert PASSPHRASE in "".join(raw), "libav is expected to log the URL: else this proves nothing"
    assert shown and PASSPHRASE not in "".join(shown)


class Keeper(logging.Handler):
    """Keeps what a handler would print. One handler is given its own copy of each record."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self.kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(self.format(record))


def take_from(url: str, *, wait_s: float = 5.0) -> tuple[LiveSource, list[Any], list[Any]]:
    """Take 25 frames and the sound from a peer that may still be starting."""
    options = LiveOptions(
        wait_for_source=True, open_timeout_s=wait_s, backoff=Backoff(first_s=0.2, cap_s=0.2)
    )
    with LiveSource(url, options) as source:
        frames = list(itertools.islice(source, 25))
        packets = list(source.side.take())
    return source, frames, packets


def assert_live(frames: list[Any], packets: list[Any]) -> None:
    assert frames[-1].image.shape == (64, 96, 3)
    steps = np.diff([frame.pts for frame in frames])
    assert (steps > 0).all() and np.median(steps) == pytest.approx(3600, abs=90)
    times = np.array([float(packet.pts * packet.time_base) for packet in packets])
    assert len(times) and (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(frames[-1].time_s, abs=0.5)


def test_rtmp(no_leak: None) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/cam"
    server = run_ffmpeg(*LIVE_CLIP, "-f", "flv", "-listen", "1", url)
    try:
        _, frames, packets = take_from(url)
    finally:
        end(server)
    assert_live(frames, packets)


@pytest.mark.slow
def test_mpeg_ts_over_udp(no_leak: None) -> None:
    url = f"udp://127.0.0.1:{free_port()}"
    sender = run_ffmpeg(*LIVE_CLIP, "-f", "mpegts", f"{url}?pkt_size=1316")
    try:
        _, frames, packets = take_from(url)
    finally:
        end(sender)
    assert_live(frames, packets)


def test_srt_through_the_program_ffmpeg(no_leak: None) -> None:
    url = f"srt://127.0.0.1:{free_port()}"
    sender = run_ffmpeg(*LIVE_CLIP, "-f", "mpegts", f"{url}?mode=listener&passphrase={PASSPHRASE}")
    try:
        source, frames, packets = take_from(f"{url}?passphrase={PASSPHRASE}")
    finally:
        end(sender)
    assert_live(frames, packets)
    assert PASSPHRASE not in source.name


def test_srt_without_a_peer_says_what_ffmpeg_said(no_leak: None) -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?connect_timeout=300"
    require_ffmpeg()
    with pytest.raises(LiveError, match="nothing over SRT") as raised:
        LiveSource(url).connect()
    assert raised.value.cause is Cause.NO_ANSWER


def test_srt_without_ffmpeg_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LiveError, match="install the program ffmpeg"):
        LiveSource("srt://127.0.0.1:1").connect()


@pytest.mark.slow
def test_a_stalled_srt_sender_does_not_hold_up_the_end(no_leak: None) -> None:
    url = f"srt://127.0.0.1:{free_port()}"
    sender = run_ffmpeg(*LIVE_CLIP, "-f", "mpegts", f"{url}?mode=listener")
    try:
        options = LiveOptions(wait_for_source=True, read_timeout_s=30)
        with LiveSource(url, options) as source:
            next(iter(source))
            sender.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            started = time.monotonic()
        assert time.monotonic() - started < 3
    finally:
        end(sender)
