"""A TCP proxy that breaks connections in the ways in which networks do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from enum import Enum
from types import TracebackType
from typing import Self


class Fault(Enum):
    NONE = "pass everything on"
    STALL = "accept, hold connections open, pass nothing on"
    GARBAGE = "send noise in place of what the server sends"
    SLOW = "pass on `bytes_per_s` from the server"


class FaultProxy:
    """Passes connections on to a server of this computer; the fault may change at any time.

    Attributes:
        port: to connect to.
        accepted: connections so far.
        bytes_passed: bytes from the server so far.
        fault: what is done to all connections.
        bytes_per_s: of `Fault.SLOW`.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.accepted = 0
        self.bytes_passed = 0
        self.fault = Fault.NONE
        self.bytes_per_s = 20_000
        self._is_closed = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closed = True
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def listen(self) -> None:
        """Accept connections, again after `refuse`, at the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._accept, listener)

    def refuse(self) -> None:
        """Listen no more: further connections are refused; the open ones stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def cut(self) -> None:
        """Reset all connections."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)

    def _start(self, target: object, *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args, name="fault-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            self._start(self._pump, client, server, False)
            self._start(self._pump, server, client, True)

    def _pump(self, giver: socket.socket, taker: socket.socket, is_from_server: bool) -> None:
        with contextlib.suppress(OSError):
            while data := giver.recv(16_384):
                while self.fault is Fault.STALL and not self._is_closed and giver.fileno() >= 0:
                    if self._is_gone(taker):
                        return self._close(giver, taker)
                    time.sleep(0.02)
                self.bytes_passed += len(data) if is_from_server else 0
                if is_from_server and self.fault is Fault.GARBAGE:
                    data = bytes(i * 37 % 251 for i in range(len(data)))
                while is_from_server and self.fault is Fault.SLOW and data:
                    time.sleep(min(len(data), 256) / self.bytes_per_s)
                    taker.sendall(data[:256])
                    data = data[256:]
                taker.sendall(data)
        return self._close(giver, taker)

    @staticmethod
    def _is_gone(end: socket.socket) -> bool:
        try:
            return end.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _close(self, *ends: socket.socket) -> None:
        with self._lock:
            for end in ends:
                self._open.discard(end)
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
