"""The web application: the page's files, the API, and the guard before both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from streamlight.cameras.group import CameraGroup
from streamlight.web.api import Api
from streamlight.web.history import INTERVAL_S, History
from streamlight.web.security import Guard
from streamlight.web.settings import WebSettings

PAGE = Path(__file__).with_name("static")


def make_app(group: CameraGroup, settings: WebSettings) -> Starlette:
    """Make the application that shows a group of cameras."""
    api = Api(group, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sampling = asyncio.create_task(_sample(api.history))
        try:
            yield
        finally:
            sampling.cancel()
            with suppress(asyncio.CancelledError):
                await sampling
            await api.viewers.close_all()
            api.stills.close()

    app = Starlette(
        routes=[
            Route("/", _page),
            *api.routes(),
            Mount("/static", StaticFiles(directory=PAGE)),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={HTTPException: _say_why},
        lifespan=lifespan,
    )
    app.state.api = api
    return app


async def _page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


async def _say_why(request: Request, error: Exception) -> Response:
    fault = cast(HTTPException, error)
    return JSONResponse({"error": fault.detail}, fault.status_code, fault.headers)


async def _sample(history: History) -> None:
    while True:
        history.sample()
        await asyncio.sleep(INTERVAL_S)
