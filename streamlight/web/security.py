"""Who may see and change things: hosts, origins, the token, and what a browser is told.

The page is on a computer that its user also surfs the web with, so a foreign page must be able to
do nothing here. Against DNS rebinding, only known host names are answered. Requests of other
origins are refused, by `Origin` and by `Sec-Fetch-Site`, so that neither a form, a script nor an
image elsewhere reaches anything. On an address that other computers reach, a token is needed.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamlight.web.settings import WebSettings

COOKIE = "streamlight"
"""With the port behind it: cookies of a computer are shared by all its ports."""

MOST_BODY = 256 * 1024
"""Bytes of a request; an SDP has a few thousand."""

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob: mediastream:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Of every response."""


class Guard:
    """ASGI middleware that refuses what the module's text says."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        """Guard an app."""
        self._app = app
        self._settings = settings
        self._secret = settings.secret
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._names = {name.casefold() for name in (*_LOCAL_NAMES, host, *settings.allowed_hosts)}
        if not settings.is_local:
            computer = socket.gethostname().casefold()
            self._names |= {computer, f"{computer}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer with why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, _bounded(receive), send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not _has_whole_brackets(headers):
            return _refused(400, "the address is broken")
        if not self._is_known(host):
            return _refused(421, "this page is not served under that name; see --allowed-host")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
            return _refused(403, "requests of other origins are refused")
        site = headers.get("sec-fetch-site", "none")
        is_visit = (
            scope["path"] == "/"
            and scope["method"] == "GET"
            and headers.get("sec-fetch-dest", "document") == "document"
        )
        if site not in ("same-origin", "none") and not is_visit:
            return _refused(403, "requests of other sites are refused")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY:
            return _refused(413, f"the request is too large; at most {MOST_BODY} bytes")
        return None if self._secret is None else self._unauthorised(scope, headers, self._secret)

    def _is_known(self, host: str) -> bool:
        """Whether a Host header names this computer.

        Other computers may call it by its address: a page that rebinds its name to this address
        cannot have the address as its own name.
        """
        name = urlsplit(f"//{host}").hostname or ""
        bracketed = f"[{name}]" if ":" in name else name
        if bracketed.casefold() in self._names:
            return True
        if self._settings.is_local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _unauthorised(self, scope: Scope, headers: Headers, secret: str) -> Response | None:
        if scope["path"] == "/healthz":
            return None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and _is_same(bearer.strip(), secret):
            return None
        if _is_same(_cookie(headers, self._cookie_name(scope)), _proof_of(secret)):
            return None
        query = QueryParams(scope["query_string"].decode("latin-1"))
        given = query.get("token", "")
        if scope["method"] in _SAFE and _is_same(given, secret):
            return self._signed_in(scope, query, secret)
        refusal = _refused(401, "a token is needed: open the address with ?token=... at its end")
        refusal.headers["www-authenticate"] = "Bearer"
        return refusal

    def _signed_in(self, scope: Scope, query: QueryParams, secret: str) -> Response:
        """Put the token into a cookie, and take it out of the address bar."""
        rest = urlencode([pair for pair in query.multi_items() if pair[0] != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # "//host" would lead away
        response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        response.set_cookie(
            self._cookie_name(scope),
            _proof_of(secret),
            max_age=30 * 24 * 3600,
            httponly=True,
            samesite="lax",  # the address may be opened from a mail; all else is refused above
            secure=scope["scheme"] == "https",
        )
        return response

    @staticmethod
    def _cookie_name(scope: Scope) -> str:
        server = scope.get("server")
        return f"{COOKIE}_{server[1]}" if server else COOKIE


class BodyTooLarge(Exception):
    """A request went on after `MOST_BODY` bytes."""


def _bounded(receive: Receive) -> Receive:
    """Count the bytes of a body that did not say how long it is."""
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BODY:
            raise BodyTooLarge
        return message

    return receive_bounded


def _cookie(headers: Headers, wanted: str) -> str:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return ""


def _proof_of(secret: str) -> str:
    """What the cookie holds: it shows that the token was known, and does not tell it."""
    return hmac.new(secret.encode(), b"streamlight cookie", "sha256").hexdigest()


def _has_whole_brackets(headers: Headers) -> bool:
    try:
        urlsplit(headers.get("origin", ""))
        urlsplit(f"//{headers.get('host', '')}")
    except ValueError:
        return False
    return True


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)
