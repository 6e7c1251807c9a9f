"""The programs on the other side of a live connection: GStreamer's RTSP server, Debian's ffmpeg."""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")

REQUIRED = "STREAMLIGHT_REQUIRE_PEERS"
"""With this variable set to 1, a missing peer fails a test instead of skipping it."""


def video(
    size: tuple[int, int] = (96, 64),
    *,
    pattern: str = "smpte",
    encoder: str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! h264parse",
    payloader: str = "rtph264pay config-interval=-1",
) -> str:
    """Describe a live test picture, 25 frames a second, in the words of gst-launch."""
    caps = f"video/x-raw,width={size[0]},height={size[1]}"
    return (
        f"videotestsrc is-live=true pattern={pattern} ! capsfilter name=size caps={caps} "
        f"! video/x-raw,framerate=25/1 ! {encoder} ! {payloader} name=pay0 pt=96"
    )


def sound(encoder: str = "avenc_aac", payloader: str = "rtpmp4gpay") -> str:
    """Describe a live tone, in the words of gst-launch."""
    return f"audiotestsrc is-live=true ! {encoder} ! {payloader} name=pay1 pt=97"


def launch(*parts: str) -> str:
    """Make a pipeline for a mount of the server."""
    return f"( {' '.join(parts)} )"


@functools.cache
def _missing_gstreamer() -> str:
    program = (
        "import gi; gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "assert all(map(Gst.ElementFactory.find, ['x264enc', 'avenc_aac', 'rtph264pay']))"
    )
    try:
        done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True)
    except OSError as error:
        return str(error)
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return said[-1] if done.returncode else ""


def _require(problem: str) -> None:
    if problem:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(problem)
        pytest.skip(problem)


def require_gstreamer() -> None:
    """Skip the test, or fail it, where GStreamer's RTSP server is missing."""
    missing = _missing_gstreamer()
    _require(f"GStreamer's RTSP server is not installed: {missing}" if missing else "")


def require_ffmpeg() -> None:
    """Skip the test, or fail it, where the program ffmpeg is missing."""
    _require("" if shutil.which("ffmpeg") else "the program ffmpeg is not installed")


class RtspServer:
    """GStreamer's RTSP server in a process of its own.

    Attributes:
        port: where it listens; `restart` keeps it.
    """

    def __init__(
        self,
        mounts: Mapping[str, str | Mapping[str, Any]],
        *,
        user: str | None = None,
        password: str | None = None,
        port: int = 0,
    ) -> None:
        """Start it.

        Args:
            mounts: by path; a pipeline, or {"launch": pipeline, "record": True} to take a stream.
            user: required of clients, with `password`; None to let everybody in.
            password: see `user`.
            port: to listen at; 0 for any.
        """
        require_gstreamer()
        self._config: dict[str, Any] = {
            "mounts": {
                path: {"launch": mount} if isinstance(mount, str) else dict(mount)
                for path, mount in mounts.items()
            }
        }
        if password is not None:
            self._config |= {"user": user, "password": password}
        self.port = port
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def url(self, path: str, *, port: int | None = None, login: str = "") -> str:
        """Return the URL of a mount; `port` of a proxy in between, `login` as "user:password"."""
        at = f"{login}@" if login else ""
        return f"rtsp://{at}127.0.0.1:{port or self.port}{path}"

    def start(self) -> None:
        """Start it, again after `stop`, at the same port."""
        self._process = subprocess.Popen(
            [PYTHON, str(SERVER), json.dumps(self._config | {"port": self.port})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"]

    def stop(self) -> None:
        """Kill it, as a power cut does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def command(self, **command: Any) -> None:
        """Send a command; see `rtsp_server.py`."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_ffmpeg(*arguments: str) -> subprocess.Popen[bytes]:
    """Start Debian's ffmpeg; end it with `end`."""
    require_ffmpeg()
    program = shutil.which("ffmpeg") or "ffmpeg"
    return subprocess.Popen(
        [program, "-hide_banner", "-nostdin", "-loglevel", "error", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def end(process: subprocess.Popen[bytes]) -> str:
    """Kill a process and return what it said."""
    process.kill()
    _, said = process.communicate()
    return said.decode(errors="replace") if said else ""
