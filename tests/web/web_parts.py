"""What the tests of the page share: cameras of which a test says all, without a network."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import numpy as np

from streamlight.backends import BackendInfo
from streamlight.cameras.controls import Controls
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.status import CameraStatus
from streamlight.frame import Frame
from streamlight.models.spec import MODELS
from streamlight.pipeline import BranchReport, LatencyPart, LatencyReport, Quantiles
from streamlight.sinks.broadcast import Broadcast
from streamlight.sources.reconnect import LivePhase
from streamlight.web.server import WebServer
from streamlight.web.settings import WebSettings

WIDTH, HEIGHT = 160, 90
QUANTILES = Quantiles(9, 40.0, 60.0, 70.0, 80.0)


def picture(index: int) -> Frame:
    """Frame `index`: blue turned into yellow by the enhancement."""
    before = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    before[..., 2] = 120
    after = np.zeros_like(before)
    after[..., :2] = 200
    return Frame(after, index, Fraction(1, 25), index, original=before)


class FakeCamera:
    """A camera that shows what a test gives it."""

    def __init__(self, name: str, source: str = "rtsp://***@cam/x") -> None:
        self.name = name
        self.broadcast = Broadcast()
        self.rotation = 0
        self.controls = Controls()
        self.now = CameraStatus(
            name=name,
            source=source,
            phase=LivePhase.CONNECTED,
            reason="",
            since=1_700_000_000.0,
            width=WIDTH,
            height=HEIGHT,
            source_fps=25.0,
            fps=24.5,
            latency=LatencyReport(QUANTILES, QUANTILES, dict.fromkeys(LatencyPart, QUANTILES)),
            frames_in=100,
            frames_out=90,
            drops={"overtaken": 1, "network_busy": 7, "sink_busy": 2},
            reconnects=3,
            outputs=(BranchReport("recording a.mkv", 90, 0, QUANTILES, "the disk is full"),),
            notes=("a note",),
        )

    def status(self) -> CameraStatus:
        return replace(self.now, controls=self.controls, viewers=self.broadcast.viewers)

    def set_controls(self, controls: Controls) -> None:
        self.controls = controls


class FakeGroup:
    """Cameras without an engine."""

    def __init__(self, *names: str) -> None:
        self.cameras = {name: FakeCamera(name) for name in names or ("door", "yard")}
        self.model = MODELS["gladnet-fast"]
        self.info = BackendInfo("fake", "nothing", "fp32")


@contextmanager
def served(
    group: FakeGroup, settings: WebSettings | None = None, fps: float = 25
) -> Iterator[WebServer]:
    """Serve a group, whose cameras show pictures meanwhile; `fps` 0 for none."""
    is_over = threading.Event()

    def show() -> None:
        index = 0
        while not is_over.wait(1 / fps):
            for camera in group.cameras.values():
                if not camera.broadcast.is_closed:
                    camera.broadcast.write(picture(index))
            index += 1

    thread = threading.Thread(target=show, name="streamlight-test-show")
    if fps:
        thread.start()
    try:
        with WebServer(cast(CameraGroup, group), settings or WebSettings(port=0)) as server:
            yield server
    finally:
        is_over.set()
        if fps:
            thread.join()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Direct(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def ask(
    server: WebServer,
    path: str,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request as a program does; nothing is followed, and no proxy asked."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json"} if data is not None else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        data,
        sent | dict(headers or {}),
        method=method,
    )
    opener = urllib.request.build_opener(_Direct, urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            headers_of = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers_of, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            headers_of = {name.lower(): value for name, value in error.headers.items()}
            return Answer(error.code, headers_of, error.read())
