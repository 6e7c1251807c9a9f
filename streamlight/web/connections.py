"""Connections that ask for nothing are closed, so that they do not take the room of viewers."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""How long the lines and headers of a request may take to come."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with an end to the wait for a request.

    uvicorn closes what stays silent between two requests (`timeout_keep_alive`), and neither what
    never sends one nor what sends one for ever.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; begin to wait for the rest of its head."""
        super().data_received(data)
        if self._is_idle and self._patience is None:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _await_request(self) -> None:
        self._patience = self.loop.call_later(REQUEST_S, self._end_if_idle)

    def _end_if_idle(self) -> None:
        self._patience = None
        if self._is_idle:
            self.transport.close()
