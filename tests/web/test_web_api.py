"""The API: its answers, its description, its pictures, its figures."""

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import jsonschema
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from PIL import Image as PillowImage
from prometheus_client.parser import text_string_to_metric_families
from web_parts import HEIGHT, WIDTH, FakeGroup, ask, picture, served

from streamlight.cameras.camera import Camera
from streamlight.cameras.controls import Controls
from streamlight.frame import Frame
from streamlight.sinks.view import View, jpeg
from streamlight.sources.reconnect import LivePhase
from streamlight.web import history, openapi, pictures, webrtc
from streamlight.web.server import WebServer
from streamlight.web.settings import WebSettings

YELLOW, BLUE = (200, 200, 0), (0, 0, 120)


@pytest.fixture
def group() -> FakeGroup:
    return FakeGroup()


@pytest.fixture
def server(group: FakeGroup) -> Iterator[WebServer]:
    with served(group) as server:
        yield server


def described(server: WebServer) -> dict[str, Any]:
    document = ask(server, "/api/openapi.json").json
    assert isinstance(document, dict)
    return document


def schema_of(document: dict[str, Any], path: str, method: str, code: str) -> dict[str, Any]:
    operation = document["paths"][path][method]
    schema = operation["responses"][code]["content"]["application/json"]["schema"]
    assert isinstance(schema, dict)
    return schema | {"components": document["components"]}


@pytest.mark.parametrize(
    ("path", "template", "method", "body", "code"),
    [
        ("/healthz", "/healthz", "GET", None, 200),
        ("/api/info", "/api/info", "GET", None, 200),
        ("/api/cameras", "/api/cameras", "GET", None, 200),
        ("/api/cameras/door", "/api/cameras/{name}", "GET", None, 200),
        ("/api/cameras/nobody", "/api/cameras/{name}", "GET", None, 404),
        ("/api/cameras/door/history", "/api/cameras/{name}/history", "GET", None, 200),
        ("/api/cameras/door/controls", "/api/cameras/{name}/controls", "PATCH", {}, 200),
        ("/api/cameras/door/controls", "/api/cameras/{name}/controls", "PATCH", {"x": 1}, 422),
        ("/api/cameras/door/offer", "/api/cameras/{name}/offer", "POST", {"sdp": "x"}, 422),
        ("/api/viewers/nobody", "/api/viewers/{viewer}", "PATCH", {}, 404),
    ],
)
def test_the_answers_are_as_described(
    server: WebServer, path: str, template: str, method: str, body: Any, code: int
) -> None:
    document = described(server)
    answer = ask(server, path, method, body)
    assert answer.code == code, answer.body
    schema = schema_of(document, template, method.lower(), str(code))
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def test_every_route_is_described(server: WebServer) -> None:
    from streamlight.web.api import Api

    routes = {route.path for route in Api(FakeGroup(), WebSettings()).routes()}  # type: ignore[arg-type]
    assert set(described(server)["paths"]) == routes - {"/api/openapi.json"}


def test_refusals_are_described() -> None:
    with served(FakeGroup(), WebSettings(port=0, token="t0ken" * 4)) as server:
        document = openapi.document()
        for path, headers, code in (
            ("/api/cameras", {}, 401),
            ("/api/cameras", {"Origin": "https://evil.example"}, 403),
            ("/api/cameras", {"Host": "evil.example"}, 421),
        ):
            answer = ask(server, path, headers=headers)
            assert answer.code == code
            schema = schema_of(document, path, "get", str(code))
            jsonschema.Draft202012Validator(schema).validate(answer.json)
        assert "401" not in document["paths"]["/healthz"]["get"]["responses"]
        assert ask(server, "/healthz").code == 200


def test_controls_change_what_is_named_and_no_more(server: WebServer, group: FakeGroup) -> None:
    answer = ask(server, "/api/cameras/door/controls", "PATCH", {"strength": 0.25})
    assert answer.json == {"strength": 0.25, "exposure_ev": 0.0, "smoothing_s": 12.0}
    ask(server, "/api/cameras/door/controls", "PATCH", {"exposure_ev": -1})
    assert group.cameras["door"].controls == Controls(0.25, -1.0)
    assert group.cameras["yard"].controls == Controls()


@pytest.mark.parametrize(
    ("body", "code", "fault"),
    [
        ({"strength": 2}, 422, "strength 2: must be between 0 and 1"),
        ({"strength": "1"}, 422, "strength: expected a number"),
        ({"strength": True}, 422, "strength: expected a number"),
        ({"source": "rtsp://evil"}, 422, "source: is unknown"),
        ([1], 422, "expected a JSON object"),
        (b"{", 400, "no JSON"),
        (b"NaN", 422, "expected a JSON object"),
        (b'{"strength": NaN}', 422, "between 0 and 1"),
        (b'{"strength": 1' + b"0" * 400 + b"}", 422, "too large"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"\xff", 400, "no JSON"),
    ],
)
def test_a_wrong_body_is_answered_with_why(
    server: WebServer, group: FakeGroup, body: Any, code: int, fault: str
) -> None:
    answer = ask(server, "/api/cameras/door/controls", "PATCH", body)
    assert (answer.code, fault in answer.json["error"]) == (code, True), answer.body
    assert group.cameras["door"].controls == Controls()


def opened(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def assert_color(part: np.ndarray[Any, Any], color: tuple[int, int, int]) -> None:
    assert np.abs(part.reshape(-1, 3).mean(axis=0) - color).max() < 12


def test_a_snapshot_is_the_newest_picture_and_compares_if_asked(server: WebServer) -> None:
    plain = opened(ask(server, "/api/cameras/door/snapshot.jpg").body)
    assert plain.shape == (HEIGHT, WIDTH, 3)
    assert_color(plain, YELLOW)
    both = opened(ask(server, "/api/cameras/door/snapshot.jpg?compare=1&rows=45").body)
    assert both.shape == (90, 80, 3)
    assert_color(both[:43], BLUE)
    assert_color(both[47:], YELLOW)
    assert ask(server, "/api/cameras/door/snapshot.jpg?rows=many").code == 422
    assert ask(server, "/api/cameras/door/snapshot.jpg?rows=1").code == 422
    assert ask(server, f"/api/cameras/door/snapshot.jpg?rows={'9' * 5000}").code == 422


def test_mjpeg_sends_pictures_as_long_as_somebody_watches(
    server: WebServer, group: FakeGroup
) -> None:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{server.port}/api/cameras/door/mjpeg?rows=45"
    with opener.open(url, timeout=10) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        pictures = 0
        while pictures < 3:
            assert answer.readline() == b"--frame\r\n"
            assert answer.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(answer.readline().split()[1])
            assert answer.readline() == b"\r\n"
            assert opened(answer.read(length)).shape == (45, 80, 3)
            assert answer.readline() == b"\r\n"
            pictures += 1
        assert group.cameras["door"].broadcast.viewers == 1
    deadline = time.monotonic() + 5
    while group.cameras["door"].broadcast.viewers:
        assert time.monotonic() < deadline, "it goes on watching for nobody"
        time.sleep(0.02)


def test_too_many_viewers_are_told_so() -> None:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with served(FakeGroup(), WebSettings(port=0, max_viewers=1)) as server:
        url = f"http://127.0.0.1:{server.port}/api/cameras/door/mjpeg"
        with opener.open(url, timeout=10) as answer:
            answer.readline()
            refused = ask(server, "/api/cameras/yard/mjpeg")
            assert refused.code == 503 and "--max-viewers" in refused.json["error"]
        deadline = time.monotonic() + 5
        while ask(server, "/api/cameras/door/offer", "POST", {"sdp": ""}).code == 503:
            assert time.monotonic() < deadline, "the place of who went is free again"
            time.sleep(0.05)


def test_many_who_come_at_once_are_counted_before_they_get_anything() -> None:
    """No picture comes yet, so no answer has begun to flow."""
    with served(FakeGroup(), WebSettings(port=0, max_viewers=2), fps=0) as server:
        request = b"GET /api/cameras/door/mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n"
        clients = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(8)]
        for client in clients:
            client.sendall(request)
        statuses = []
        for client in clients:
            statuses.append(int(client.recv(64).split()[1]))
        for client in clients:
            client.close()
    assert statuses.count(200) == 2 and statuses.count(503) == 6


def test_events_tell_the_state_again_and_again(server: WebServer, group: FakeGroup) -> None:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{server.port}/api/events", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")

        def told() -> Any:
            line = answer.readline()
            assert answer.readline() == b"\n"
            return json.loads(line.removeprefix(b"data: "))["cameras"]

        assert [camera["phase"] for camera in told()] == ["connected", "connected"]
        door = group.cameras["door"]
        door.now = replace(door.now, phase=LivePhase.RECONNECTING, reason="no picture for 5 s")
        second = told()[0]
        assert (second["phase"], second["reason"]) == ("reconnecting", "no picture for 5 s")


def test_health_is_lost_when_no_camera_can_come_back(server: WebServer, group: FakeGroup) -> None:
    door, yard = group.cameras.values()
    door.now = replace(door.now, phase=LivePhase.FAILED)
    assert ask(server, "/healthz").code == 200
    yard.now = replace(yard.now, phase=LivePhase.RECONNECTING)
    assert ask(server, "/healthz").code == 200, "it may come back"
    yard.now = replace(yard.now, phase=LivePhase.FAILED)
    answer = ask(server, "/healthz")
    assert answer.code == 503
    assert answer.json == {"status": "failed", "cameras": {"failed": 2}}


def test_prometheus_can_read_the_metrics(server: WebServer) -> None:
    answer = ask(server, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    odd = {"Accept": "application/openmetrics-text; version=x"}
    assert ask(server, "/metrics", headers=odd).code == 200
    families = {one.name: one for one in text_string_to_metric_families(answer.body.decode())}

    def value(name: str, **labels: str) -> float:
        (found,) = [
            sample.value
            for family in families.values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return float(found)

    assert value("streamlight_frames_enhanced_total", camera="door") == 90
    assert value("streamlight_frames_dropped_total", camera="door", reason="network_busy") == 7
    assert value("streamlight_reconnects_total", camera="yard") == 3
    assert value("streamlight_latency_seconds", camera="door", quantile="0.95") == 0.06
    assert value("streamlight_camera_phase", camera="door", phase="connected") == 1
    assert value("streamlight_camera_phase", camera="door", phase="failed") == 0
    assert value("streamlight_output_failed", camera="door", output="recording a.mkv") == 1
    assert value("streamlight_info", model="gladnet-fast") == 1


def test_the_history_counts_drops_since_the_sample_before() -> None:
    group = FakeGroup("door")
    door = group.cameras["door"]
    subject = history.History(group.cameras)  # type: ignore[arg-type]
    subject.sample()
    door.now = replace(door.now, drops={"network_busy": 17, "overtaken": 1, "sink_busy": 2})
    subject.sample()
    assert [sample["drops"] for sample in subject.of("door")] == [0, 10]
    for _ in range(history.LENGTH + 5):
        subject.sample()
    assert len(subject.of("door")) == history.LENGTH


class Peer:
    """A WebRTC viewer: aiortc as a browser."""

    def __init__(self, server: WebServer) -> None:
        self.server = server
        self.connection = RTCPeerConnection()
        self.track: Any = None
        self.viewer = ""

    async def connect(self, camera: str, **wishes: Any) -> None:
        self.connection.addTransceiver("video", direction="recvonly")
        arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.connection.on("track", lambda track: arrived.set_result(track))
        await self.connection.setLocalDescription(await self.connection.createOffer())
        body = {"sdp": self.connection.localDescription.sdp, **wishes}
        answer = await asyncio.to_thread(
            ask, self.server, f"/api/cameras/{camera}/offer", "POST", body
        )
        assert answer.code == 200, answer.body
        self.viewer = answer.json["viewer"]
        await self.connection.setRemoteDescription(
            RTCSessionDescription(answer.json["sdp"], answer.json["type"])
        )
        self.track = await asyncio.wait_for(arrived, 10)

    async def picture(self) -> np.ndarray[Any, Any]:
        frame = await asyncio.wait_for(self.track.recv(), 10)
        return np.asarray(frame.to_ndarray(format="rgb24"))


def test_a_webrtc_viewer_sees_the_pictures_and_may_compare(
    server: WebServer, group: FakeGroup
) -> None:
    async def watch() -> None:
        peer = Peer(server)
        try:
            await peer.connect("door")
            plain = await peer.picture()
            assert plain.shape == (HEIGHT, WIDTH, 3)
            assert_color(plain, YELLOW)
            change = await asyncio.to_thread(
                ask, server, f"/api/viewers/{peer.viewer}", "PATCH", {"compare": True}
            )
            assert change.code == 204
            for _ in range(100):
                both = await peer.picture()
                if both.shape[0] == 2 * HEIGHT:
                    break
            assert both.shape == (2 * HEIGHT, WIDTH, 3)
            assert_color(both[: HEIGHT - 4], BLUE)
            assert_color(both[HEIGHT + 4 :], YELLOW)
            gone = await asyncio.to_thread(ask, server, f"/api/viewers/{peer.viewer}", "DELETE")
            assert gone.code == 204
        finally:
            await peer.connection.close()

    asyncio.run(watch())
    assert group.cameras["door"].broadcast.viewers == 0


def test_a_viewer_who_takes_nothing_holds_up_nobody(server: WebServer, group: FakeGroup) -> None:
    async def watch() -> None:
        dead, alive = Peer(server), Peer(server)
        try:
            await dead.connect("door")  # and never takes a picture
            await alive.connect("door", rows=45)
            started = time.monotonic()
            for _ in range(25):
                assert (await alive.picture()).shape[0] in (44, 45)
            assert time.monotonic() - started < 5
        finally:
            await dead.connection.close()
            await alive.connection.close()

    asyncio.run(watch())
    deadline = time.monotonic() + 10
    while group.cameras["door"].broadcast.viewers:
        assert time.monotonic() < deadline, "who hung up is forgotten"
        time.sleep(0.05)


def test_a_camera_that_ends_ends_its_viewers(server: WebServer, group: FakeGroup) -> None:
    async def watch() -> None:
        peer = Peer(server)
        try:
            await peer.connect("door")
            await peer.picture()
            group.cameras["door"].broadcast.close()
            deadline = time.monotonic() + 10
            while group.cameras["door"].broadcast.viewers:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        finally:
            await peer.connection.close()

    asyncio.run(watch())


@pytest.mark.parametrize(
    "sdp",
    ["", "v=0", "v=0\r\nm=video 9 X 1\r\n", "\x00" * 100, "a=candidate:1\r\n" * 40, "x" * 20_000],
)
def test_an_offer_that_is_none_is_refused_and_leaves_nothing(
    server: WebServer, group: FakeGroup, sdp: str
) -> None:
    answer = ask(server, "/api/cameras/door/offer", "POST", {"sdp": sdp})
    assert answer.code == 422, answer.body
    assert group.cameras["door"].broadcast.viewers == 0


@pytest.mark.usefixtures("no_thread_left")
def test_the_server_stops_with_viewers_still_there() -> None:
    group = FakeGroup()

    async def hold(server: WebServer) -> None:
        peer = Peer(server)
        await peer.connect("door")
        await peer.picture()
        started = time.monotonic()
        await asyncio.to_thread(server.__exit__, None, None, None)
        assert time.monotonic() - started < 3
        await peer.connection.close()

    with served(group) as server:
        asyncio.run(hold(server))
    assert group.cameras["door"].broadcast.viewers == 0


@pytest.mark.usefixtures("no_thread_left")
def test_the_server_stops_while_a_viewer_is_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    coming = threading.Event()

    async def answer(*arguments: object) -> str:
        coming.set()
        await asyncio.sleep(30)
        return ""

    monkeypatch.setattr(webrtc, "_answer", answer)
    group = FakeGroup()
    with served(group) as server:
        body = json.dumps({"sdp": "v=0"}).encode()
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            head = "POST /api/cameras/door/offer HTTP/1.1\r\nHost: localhost\r\n"
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall((head + kind).encode() + body)
            assert coming.wait(5)
            started = time.monotonic()
            server.__exit__(None, None, None)
            assert time.monotonic() - started < 2.4  # it was not given up on
    assert group.cameras["door"].broadcast.viewers == 0


def test_stills_are_made_once_for_all_and_kept_for_the_newest_frame_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[View] = []

    def note(frame: Frame, view: View, rotation: int) -> bytes:
        made.append(view)
        return jpeg(frame, view, rotation)

    monkeypatch.setattr(pictures, "jpeg", note)
    camera = cast(Camera, FakeGroup("door").cameras["door"])
    stills = pictures.Stills()

    async def ask_for_many() -> None:
        first, second = picture(1), picture(2)
        same = await asyncio.gather(*(stills.jpeg(camera, first, View(45)) for _ in range(9)))
        assert len(made) == 1 and len(set(same)) == 1
        for rows in range(16, 90):
            await stills.jpeg(camera, first, View(rows))
        await stills.jpeg(camera, second, View(45))
        (kept,) = stills._latest.values()
        assert kept[0] is second and list(kept[1]) == [View(45)]

    try:
        asyncio.run(ask_for_many())
    finally:
        stills.close()


def test_a_page_that_listens_ends_with_the_server_and_leaves_no_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with served(FakeGroup()) as server:
        client = socket.create_connection(("127.0.0.1", server.port), 5)
        client.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(64).startswith(b"HTTP/1.1 200")
    client.close()
    assert capfd.readouterr().err == ""


def test_a_viewer_that_has_gone_can_be_sent_away(server: WebServer) -> None:
    assert ask(server, "/api/viewers/nobody", "DELETE").code == 204
