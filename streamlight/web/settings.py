"""How the live page is served."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from functools import cached_property

from streamlight.errors import UsageError

TOKEN_VARIABLE = "STREAMLIGHT_TOKEN"  # noqa: S105
"""Of the environment; a command line can be read by other users."""

LEAST_TOKEN = 16
"""Characters; a shorter one could be guessed."""


@dataclass(frozen=True)
class WebSettings:
    """How the live page is served.

    Attributes:
        port: TCP port; 0 for any that is free.
        host: address to listen at; other than this computer's own need a token.
        token: that a browser must know; None to make one where it is needed.
        allowed_hosts: further names by which the page is reached, as behind a proxy.
        max_viewers: pictures that are sent at once, in all.
        view_rows: most rows of a picture that is sent.
    """

    port: int = 8080
    host: str = "127.0.0.1"
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_viewers: int = 16
    view_rows: int = 720

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one is out of its range.
        """
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port}: must be between 0 and 65535")
        if not self.host:
            raise UsageError("--host: is empty; expected an address such as 127.0.0.1 or 0.0.0.0")
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise UsageError(f"--token: is too short; at least {LEAST_TOKEN} characters")
        if self.token is not None and not self.token.isascii():
            raise UsageError("--token: must be plain ASCII")
        if self.max_viewers < 1:
            raise UsageError(f"--max-viewers {self.max_viewers}: must be at least 1")
        if self.view_rows < 16:
            raise UsageError(f"--view-size {self.view_rows}: must be at least 16 rows")

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the page."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @cached_property
    def secret(self) -> str | None:
        """The token that a browser must know; None where only this computer can ask.

        A name in `allowed_hosts` is one by which others come, through a proxy.
        """
        if self.token is not None:
            return self.token
        is_private = self.is_local and not self.allowed_hosts
        return None if is_private else secrets.token_urlsafe(24)
