"""Who may see and change things on the page."""

import socket
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from web_parts import FakeGroup, ask, served

from streamlight.errors import SinkError, UsageError
from streamlight.web import connections
from streamlight.web.security import Guard
from streamlight.web.server import WebServer
from streamlight.web.settings import WebSettings

TOKEN = "a/token=of+the test's, 0123456789"  # noqa: S105
QUOTED = quote(TOKEN, safe="")


@pytest.fixture(scope="module")
def local() -> Iterator[WebServer]:
    with served(FakeGroup(), fps=0) as server:
        yield server


@pytest.fixture(scope="module")
def public() -> Iterator[WebServer]:
    settings = WebSettings(port=0, host="0.0.0.0", token=TOKEN, allowed_hosts=("cam.example",))  # noqa: S104
    with served(FakeGroup(), settings, fps=0) as server:
        yield server


def test_this_computer_needs_no_token(local: WebServer) -> None:
    assert ask(local, "/api/cameras").code == 200
    assert "token" not in local.url


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_another_host_name_is_refused(local: WebServer, host: str) -> None:
    """DNS rebinding: a foreign name that leads to this computer."""
    for path in ("/", "/api/cameras", "/healthz", "/static/app.js"):
        assert ask(local, path, headers={"Host": host}).code == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:80", "LOCALHOST:1"])
def test_the_names_of_this_computer_are_known(local: WebServer, host: str) -> None:
    assert ask(local, "/api/cameras", headers={"Host": host}).code == 200


@pytest.mark.parametrize(
    ("host", "asked"), [("127.0.0.2", "127.0.0.2:80"), ("0:0:0:0:0:0:0:1", "[0:0:0:0:0:0:0:1]:80")]
)
def test_the_address_that_is_listened_at_is_known(host: str, asked: str) -> None:
    settings = WebSettings(host=host)
    guard = Guard(Starlette(), settings)
    assert settings.is_local and guard._is_known(asked)
    assert not guard._is_known("127.0.0.3:80")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
def test_another_origin_is_refused(local: WebServer, origin: str) -> None:
    for method, path in (("PATCH", "/api/cameras/door/controls"), ("GET", "/api/cameras")):
        body = {"strength": 0.5} if method == "PATCH" else None
        assert ask(local, path, method, body, {"Origin": origin}).code == 403
    same = f"http://127.0.0.1:{local.port}"
    answer = ask(local, "/api/cameras/door/controls", "PATCH", {}, {"Origin": same})
    assert answer.code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_neither_embed_nor_change_anything(local: WebServer, site: str) -> None:
    image = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    assert ask(local, "/api/cameras/door/snapshot.jpg", headers=image).code == 403
    form = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(local, "/api/cameras/door/controls", "PATCH", {}, form).code == 403
    frame = form | {"Sec-Fetch-Dest": "iframe"}
    for path in ("/", "/api/cameras/door/snapshot.jpg"):
        assert ask(local, path, headers=frame).code == 403
    assert ask(local, "/api/cameras/door/snapshot.jpg", headers=form).code == 403
    assert ask(local, "/", headers=form).code == 200, "a link that leads here is no attack"


@pytest.mark.parametrize(
    "headers", [{"Host": "["}, {"Host": "[::1"}, {"Origin": "http://["}, {"Host": "a]"}]
)
def test_a_broken_address_is_refused_and_no_error(
    local: WebServer, headers: dict[str, str]
) -> None:
    assert ask(local, "/", headers=headers).code in (400, 403, 421)


def test_who_comes_through_a_proxy_needs_the_token() -> None:
    settings = WebSettings(port=0, allowed_hosts=("cam.example",))
    assert settings.is_local and settings.secret
    with served(FakeGroup(), settings, fps=0) as server:
        assert ask(server, "/api/cameras", headers={"Host": "cam.example"}).code == 401
        assert ask(server, "/api/cameras").code == 401


def test_a_form_cannot_speak_for_the_page(local: WebServer) -> None:
    answer = ask(
        local, "/api/cameras/door/controls", "PATCH", b'{"strength": 0}',
        {"Content-Type": "text/plain"},
    )  # fmt: skip
    assert answer.code == 415


def test_every_answer_tells_the_browser_what_it_may_not_do(local: WebServer) -> None:
    for path in ("/", "/api/cameras", "/static/app.js", "/nowhere"):
        headers = ask(local, path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_a_body_that_is_too_large_is_refused(local: WebServer) -> None:
    big = b" " * 300_000
    assert ask(local, "/api/cameras/door/controls", "PATCH", big).code == 413
    with socket.create_connection(("127.0.0.1", local.port), timeout=5) as client:
        client.sendall(
            b"PATCH /api/cameras/door/controls HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(40):
            client.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
        assert client.recv(64).startswith(b"HTTP/1.1 413")


def test_files_outside_the_page_are_out_of_reach(local: WebServer) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert ask(local, path).code == 404


def test_other_computers_need_the_token(public: WebServer) -> None:
    assert TOKEN not in public.url, "who gave it knows it; logs need not"
    for path in ("/", "/api/cameras", "/metrics", "/static/app.js", "/?token=wrong", "/?token="):
        refused = ask(public, path)
        assert refused.code == 401 and refused.headers["www-authenticate"] == "Bearer", path
    for given in ("Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        assert ask(public, "/api/cameras", headers={"Authorization": given}).code == 401
    assert ask(public, "/api/cameras", headers={"Authorization": f"Bearer {TOKEN}"}).code == 200
    assert ask(public, "/healthz").code == 200, "for those who watch over the service"


def test_the_token_of_the_address_becomes_a_cookie(public: WebServer) -> None:
    answer = ask(public, f"/?token={QUOTED}&video=mjpeg")
    assert (answer.code, answer.headers["location"]) == (303, "/?video=mjpeg")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
    assert TOKEN not in cookie and QUOTED not in cookie and str(public.port) in cookie
    pair = cookie.split(";")[0]
    assert ask(public, "/api/cameras", headers={"Cookie": pair}).code == 200
    assert ask(public, "/api/cameras", headers={"Cookie": f"{pair}x"}).code == 401
    away = ask(public, f"//evil.example/?token={QUOTED}").headers.get("location", "")
    assert not away.startswith("//")


@pytest.mark.parametrize("host", ["cam.example", "192.168.1.5:8080", "[fe80::1]:80"])
def test_a_public_page_may_be_called_by_address_or_by_an_allowed_name(
    public: WebServer, host: str
) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
    assert ask(public, "/api/cameras", headers=headers).code == 200
    assert ask(public, "/", headers=headers | {"Host": "evil.example"}).code == 421


def test_a_token_is_made_where_none_is_given() -> None:
    one, other = (WebSettings(host="0.0.0.0").secret for _ in range(2))  # noqa: S104
    assert one and other and len(one) >= 32 and one != other
    assert WebSettings(host="127.0.0.1").secret is None
    assert WebSettings(host="::1").secret is None and WebSettings(host="localhost").secret is None
    assert WebSettings(host="192.168.1.5").secret and WebSettings(host="nas.local").secret


def test_a_port_that_is_taken_is_one_clear_line(local: WebServer) -> None:
    with (
        pytest.raises(SinkError, match=f"port {local.port} is taken by another program"),
        served(FakeGroup(), WebSettings(port=local.port), fps=0),
    ):
        pass
    with (
        pytest.raises(SinkError, match=r"192\.0\.2\.1 cannot be listened at"),
        served(FakeGroup(), WebSettings(port=0, host="192.0.2.1"), fps=0),
    ):
        pass


@pytest.mark.parametrize(
    "options",
    [{"port": 70000}, {"host": ""}, {"token": "short"}, {"token": "ä" * 20}, {"max_viewers": 0}],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        WebSettings(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_who_asks_for_nothing_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, local: WebServer, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    with socket.create_connection(("127.0.0.1", local.port), timeout=5) as client:
        client.sendall(sent)
        assert client.recv(64) == b""


def test_who_asks_once_and_begins_again_is_sent_away_too(
    monkeypatch: pytest.MonkeyPatch, local: WebServer
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", local.port), timeout=5) as client:
        client.sendall(request)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        client.sendall(request[:20])
        while data := client.recv(65536):
            assert b"HTTP/1.1" not in data  # the rest of the first answer at most


def test_who_watches_is_not_sent_away(monkeypatch: pytest.MonkeyPatch, local: WebServer) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    with socket.create_connection(("127.0.0.1", local.port), timeout=5) as client:
        client.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert client.recv(65536) != b""


def test_who_sends_a_request_slowly_holds_up_nobody(local: WebServer) -> None:
    slow = [socket.create_connection(("127.0.0.1", local.port), timeout=5) for _ in range(20)]
    try:
        for client in slow:
            client.sendall(b"GET / HTTP/1.1\r\nHost: local")
        started = time.monotonic()
        assert ask(local, "/api/cameras").code == 200
        assert time.monotonic() - started < 2
    finally:
        for client in slow:
            client.close()
