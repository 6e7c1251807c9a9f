"""The JSON API, the pictures, and the figures, under /api, /metrics and /healthz."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from streamlight import __version__
from streamlight.cameras.camera import Camera
from streamlight.cameras.controls import Controls
from streamlight.cameras.group import CameraGroup
from streamlight.errors import UsageError
from streamlight.sinks.view import View
from streamlight.sources.reconnect import LivePhase
from streamlight.web.history import History
from streamlight.web.metrics import exposition
from streamlight.web.openapi import document
from streamlight.web.pictures import Stills, watching
from streamlight.web.security import BodyTooLarge
from streamlight.web.settings import WebSettings
from streamlight.web.webrtc import Viewers

EVENTS_S = 0.5
"""Between two events of /api/events."""

MOST_LISTENERS = 64
"""Connections to /api/events at once."""

MOST_SDP, MOST_CANDIDATES = 16_384, 32
"""Of an offer: characters, and addresses that are tried. A browser sends far fewer."""

_BOUNDARY = "frame"


class CountedResponse(StreamingResponse):
    """A response without an end, counted from before its beginning until it is over."""

    def __init__(
        self, content: AsyncIterator[bytes], among: set[CountedResponse], *, media_type: str
    ) -> None:
        """Count it `among` the others."""
        super().__init__(content, media_type=media_type)
        self._among = among
        among.add(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._among.discard(self)


class Api:
    """The handlers of all routes but the page's files."""

    def __init__(self, group: CameraGroup, settings: WebSettings) -> None:
        """Belong to a group of cameras."""
        self.group = group
        self.settings = settings
        self.stills = Stills()
        self.viewers = Viewers()
        self.history = History(group.cameras)
        self.is_closing = False
        self._streams: set[CountedResponse] = set()
        self._listeners: set[CountedResponse] = set()

    def routes(self) -> list[Route]:
        """Return the routes."""
        camera = "/api/cameras/{name}"
        return [
            Route("/healthz", self.health),
            Route("/metrics", self.metrics),
            Route("/api/openapi.json", self.openapi),
            Route("/api/info", self.info),
            Route("/api/cameras", self.cameras),
            Route("/api/events", self.events),
            Route(camera, self.camera),
            Route(f"{camera}/history", self.camera_history),
            Route(f"{camera}/controls", self.controls, methods=["PATCH"]),
            Route(f"{camera}/snapshot.jpg", self.snapshot),
            Route(f"{camera}/mjpeg", self.mjpeg),
            Route(f"{camera}/offer", self.offer, methods=["POST"]),
            Route("/api/viewers/{viewer}", self.change_viewer, methods=["PATCH"]),
            Route("/api/viewers/{viewer}", self.close_viewer, methods=["DELETE"]),
        ]

    async def health(self, request: Request) -> Response:
        """Say whether pictures come: 200 while any camera is connected, or may still come.

        It needs no token, so it tells no names.
        """
        statuses = [camera.status() for camera in self.group.cameras.values()]
        ended = (LivePhase.FAILED, LivePhase.CLOSED, LivePhase.ENDED)
        is_healthy = any(status.phase not in ended for status in statuses)
        return JSONResponse(
            {
                "status": "ok" if is_healthy else "failed",
                "cameras": Counter(status.phase.value for status in statuses),
            },
            200 if is_healthy else 503,
        )

    async def metrics(self, request: Request) -> Response:
        """Answer Prometheus."""
        body, content_type = exposition(self.group, request.headers.get("accept", ""))
        return Response(body, media_type=None, headers={"content-type": content_type})

    async def openapi(self, request: Request) -> Response:
        """Describe this API."""
        return JSONResponse(document())

    async def info(self, request: Request) -> Response:
        """Say what runs."""
        info = self.group.info
        return JSONResponse(
            {
                "version": __version__,
                "model": self.group.model.name,
                "backend": info.backend,
                "device": info.device,
                "precision": info.precision,
            }
        )

    async def cameras(self, request: Request) -> Response:
        """List the cameras."""
        return JSONResponse({"cameras": self._statuses()})

    async def camera(self, request: Request) -> Response:
        """Return one camera."""
        return JSONResponse(self._camera(request).status().to_dict())

    async def camera_history(self, request: Request) -> Response:
        """Return the last minutes of a camera's figures."""
        return JSONResponse({"samples": self.history.of(self._camera(request).name)})

    async def controls(self, request: Request) -> Response:
        """Change how a camera's pictures look; what is not named stays."""
        camera = self._camera(request)
        wanted = await _body(request)
        known = camera.controls.to_dict()
        for name, value in wanted.items():
            if name not in known:
                raise HTTPException(422, f"{name}: is unknown; there are {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise HTTPException(422, f"{name}: expected a number")
        try:
            controls = Controls(**(known | {name: float(v) for name, v in wanted.items()}))
        except UsageError as error:
            raise HTTPException(422, str(error).removeprefix("--")) from error
        except OverflowError as error:
            raise HTTPException(422, "a number is too large") from error
        camera.set_controls(controls)
        return JSONResponse(controls.to_dict())

    async def events(self, request: Request) -> Response:
        """Tell the state of all cameras twice a second, as server-sent events."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise HTTPException(503, "too many pages are open")

        async def tell() -> AsyncIterator[bytes]:
            while not self.is_closing:
                data = json.dumps({"cameras": self._statuses()})
                yield f"data: {data}\n\n".encode()
                await asyncio.sleep(EVENTS_S)

        return CountedResponse(tell(), self._listeners, media_type="text/event-stream")

    async def snapshot(self, request: Request) -> Response:
        """Return the newest picture."""
        camera, view = self._camera(request), self._view(request)
        status = camera.status()
        if status.phase is not LivePhase.CONNECTED:
            raise HTTPException(503, f"{camera.name}: {status.reason or status.phase.value}")
        frame = camera.broadcast.latest
        if frame is None or (view.compare and frame.original is None):
            async with watching(camera, compare=view.compare) as stream:
                try:
                    async with asyncio.timeout(5):
                        frame = await stream.next()
                        while frame is not None and view.compare and frame.original is None:
                            frame = await stream.next()
                except TimeoutError:
                    frame = None
        if frame is None:
            raise HTTPException(503, f"{camera.name}: there is no picture yet")
        data = await self.stills.jpeg(camera, frame, view)
        return Response(data, media_type="image/jpeg")

    async def mjpeg(self, request: Request) -> Response:
        """Show a camera as a series of JPEGs, where WebRTC does not work."""
        camera, view = self._camera(request), self._view(request)
        self._check_room()

        async def show() -> AsyncIterator[bytes]:
            async with watching(camera, compare=view.compare) as stream:
                while not self.is_closing and (frame := await stream.next()) is not None:
                    data = await self.stills.jpeg(camera, frame, view)
                    head = (
                        f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                        f"Content-Length: {len(data)}\r\n\r\n"
                    )
                    yield head.encode() + data + b"\r\n"

        series = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        return CountedResponse(show(), self._streams, media_type=series)

    async def offer(self, request: Request) -> Response:
        """Answer a WebRTC offer."""
        camera = self._camera(request)
        body = await _body(request)
        sdp, compare, rows = body.get("sdp"), body.get("compare", False), body.get("rows")
        if not isinstance(sdp, str) or not isinstance(compare, bool):
            raise HTTPException(422, "expected sdp (text) and compare (true or false)")
        if len(sdp) > MOST_SDP or sdp.count("a=candidate:") > MOST_CANDIDATES:
            raise HTTPException(422, "the offer is too long")
        self._check_room()
        name = secrets.token_urlsafe(16)
        try:
            answer = await self.viewers.answer(camera, sdp, View(self._rows(rows), compare), name)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"viewer": name, "type": "answer", "sdp": answer})

    async def change_viewer(self, request: Request) -> Response:
        """Change what a WebRTC viewer gets."""
        body = await _body(request)
        compare, rows = body.get("compare"), body.get("rows")
        if not (compare is None or isinstance(compare, bool)):
            raise HTTPException(422, "compare: expected true or false")
        rows = None if rows is None else self._rows(rows)
        if not self.viewers.change(request.path_params["viewer"], compare=compare, rows=rows):
            raise HTTPException(404, "there is no such viewer")
        return Response(status_code=204)

    async def close_viewer(self, request: Request) -> Response:
        """Send a WebRTC viewer away, if it has not gone by itself."""
        await self.viewers.close(request.path_params["viewer"])
        return Response(status_code=204)

    def _check_room(self) -> None:
        if len(self._streams) + len(self.viewers) >= self.settings.max_viewers:
            raise HTTPException(503, "there are too many viewers; see --max-viewers")

    def _statuses(self) -> list[dict[str, Any]]:
        return [camera.status().to_dict() for camera in self.group.cameras.values()]

    def _camera(self, request: Request) -> Camera:
        camera = self.group.cameras.get(request.path_params["name"])
        if camera is None:
            raise HTTPException(404, "there is no such camera")
        return camera

    def _view(self, request: Request) -> View:
        rows = request.query_params.get("rows")
        is_number = rows is not None and rows.isdecimal() and len(rows) < 9
        number = int(rows) if rows is not None and is_number else rows
        return View(self._rows(number), request.query_params.get("compare") in ("1", "true"))

    def _rows(self, rows: Any) -> int:
        """Check a wish for so many rows; no more than the settings allow are sent."""
        if rows is None:
            return self.settings.view_rows
        if type(rows) is not int or not 16 <= rows <= 1 << 16:
            raise HTTPException(422, "rows: expected a whole number from 16")
        return min(rows, self.settings.view_rows)


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "expected application/json")
    try:
        body = json.loads(await request.body())
    except BodyTooLarge:
        raise HTTPException(413, "the request is too large") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(422, "expected a JSON object")
    return body
