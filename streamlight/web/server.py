"""The web server in a thread of its own, beside the cameras."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streamlight.cameras.group import CameraGroup
from streamlight.errors import SinkError
from streamlight.web.settings import WebSettings

if TYPE_CHECKING:
    from streamlight.web.api import Api

START_S = 10.0
STOP_S = 2.5
"""How long open connections may take to end; then they are cut."""

_INSTALL = 'the live page needs more packages; install them with: pip install "streamlight[web]"'


class WebServer:
    """Serves the page of a group of cameras within its `with` block.

    Attributes:
        port: where it listens.
    """

    def __init__(self, group: CameraGroup, settings: WebSettings) -> None:
        """Prepare; the block begins to listen.

        Raises:
            SinkError: a package is missing.
        """
        try:
            import uvicorn

            from streamlight.web.app import make_app
            from streamlight.web.connections import ImpatientProtocol
        except ImportError as error:
            raise SinkError(f"{_INSTALL} ({error.name or error} is missing)") from error
        self.port = settings.port
        self._settings = settings
        self._socket: socket.socket | None = None
        app = make_app(group, settings)
        self._api: Api = app.state.api
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=ImpatientProtocol,
            ws="none",
            lifespan="on",
            access_log=False,  # the token would be in it
            log_config=None,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            limit_concurrency=256,
            h11_max_incomplete_event_size=16 * 1024,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="streamlight-web", daemon=True)

    def __enter__(self) -> Self:
        """Listen, and return the server itself.

        Raises:
            SinkError: the port is taken, or the address is none of this computer's.
        """
        self._socket = _listen(self._settings)
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise SinkError("the live page: the web server does not start; see the log above")
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; waits at most `STOP_S` for viewers."""
        self._api.is_closing = True  # pages that listen end by themselves, within half a second
        self._server.should_exit = True
        self._thread.join(STOP_S)
        if self._socket is not None:
            self._socket.close()

    @property
    def url(self) -> str:
        """The address to open; with the token where it was made here, and nobody knows it yet."""
        host = self._settings.host
        if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
            host = socket.gethostname()
        host = f"[{host}]" if ":" in host else host
        secret = self._settings.secret if self._settings.token is None else None
        return f"http://{host}:{self.port}/" + (f"?token={secret}" if secret else "")

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket] if self._socket else None))


def _listen(settings: WebSettings) -> socket.socket:
    """Open the socket here, so that a taken port is told before anything else begins."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} is taken by another program; choose another with --port"
        elif error.errno == errno.EACCES:
            why = f"port {port} may not be used by this user; choose one above 1023 with --port"
        else:
            why = f"{host} cannot be listened at ({error.strerror or error})"
        raise SinkError(f"the live page: {why}") from error
