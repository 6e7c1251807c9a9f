"""Why a live connection failed: libav's errors as causes, in words, and whether to try again."""

from __future__ import annotations

import errno
import socket
from enum import StrEnum
from urllib.parse import urlsplit

import av.error

from streamlight.errors import SourceError
from streamlight.urls import mask_text, mask_url


class Cause(StrEnum):
    """What went wrong; the key under which losses are counted."""

    REFUSED = "refused"
    UNKNOWN_HOST = "unknown host"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no answer"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    SERVER_ERROR = "server error"
    NO_PICTURE = "no picture"
    STALLED = "stalled"
    CLOSED = "closed"
    RESET = "reset"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    BROKEN_OFF = "broken off"


PERMANENT = frozenset({Cause.UNAUTHORIZED, Cause.FORBIDDEN, Cause.UNSUPPORTED, Cause.BROKEN_OFF})
"""Trying again does not help, and may lock the account."""


class LiveError(SourceError):
    """A live connection could not be made, or was lost.

    Attributes:
        cause: what went wrong.
        reason: the message without the URL.
    """

    def __init__(self, name: str, cause: Cause, reason: str) -> None:
        """Describe a failure.

        Args:
            name: the URL, masked, or the device.
            cause: what went wrong.
            reason: what happened and what mends it.
        """
        super().__init__(f"{name}: {reason}")
        self.cause = cause
        self.reason = reason


_BY_TYPE: list[tuple[type[Exception], Cause, str]] = [
    (
        av.error.HTTPUnauthorizedError,
        Cause.UNAUTHORIZED,
        "the server does not accept the user name and password (401); give the right ones as "
        "//USER:PASSWORD@HOST, with / ? # @ : % in them percent-encoded",
    ),
    (av.error.HTTPForbiddenError, Cause.FORBIDDEN, "the server does not allow this (403)"),
    (
        av.error.HTTPNotFoundError,
        Cause.NOT_FOUND,
        "the server has no such stream (404); check the path of the URL",
    ),
    (av.error.HTTPServerError, Cause.SERVER_ERROR, "the server reports a failure of its own (5xx)"),
    (av.error.HTTPError, Cause.SERVER_ERROR, "the server refuses the request (4xx)"),
    (av.error.HTTPClientError, Cause.SERVER_ERROR, "the server refuses the request (4xx)"),
    (
        av.error.ConnectionRefusedError,
        Cause.REFUSED,
        "nothing listens there (connection refused); check address and port, and that the camera "
        "is on",
    ),
    (av.error.ConnectionResetError, Cause.RESET, "the server cut the connection"),
    (av.error.BrokenPipeError, Cause.RESET, "the server cut the connection"),
    (av.error.ConnectionAbortedError, Cause.RESET, "the connection was aborted"),
    (
        av.error.ProtocolNotFoundError,
        Cause.UNSUPPORTED,
        "this kind of URL is not supported; expected rtsp, rtmp, srt, udp, http or https",
    ),
    (
        av.error.DemuxerNotFoundError,
        Cause.UNSUPPORTED,
        "the stream has a format that is not supported",
    ),
    (av.error.InvalidDataError, Cause.UNREADABLE, "the server sends no video that can be read"),
]
"""The first match counts: the special ones come first."""

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def failure(error: av.error.FFmpegError, url: str, timeout_s: float) -> LiveError:
    """Translate libav's error at opening or reading `url`, which was given `timeout_s`.

    May look up the host's name, to tell an unknown one from other failures of input and output:
    libav reports both as EIO.
    """
    mask_error(error)
    name = mask_url(url)
    for kind, cause, reason in _BY_TYPE:
        if isinstance(error, kind):
            return LiveError(name, cause, reason)
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return LiveError(name, Cause.NO_ANSWER, f"no answer within {timeout_s:g} s")
    if error.errno in _UNREACHABLE:
        return LiveError(name, Cause.UNREACHABLE, "the host cannot be reached; check the network")
    if error.errno == errno.EIO:
        host = urlsplit(url).hostname
        if host and not _is_known(host):
            reason = f"the host {host} is not known; check its name"
            return LiveError(name, Cause.UNKNOWN_HOST, reason)
        return LiveError(name, Cause.RESET, "the connection broke (input/output error)")
    return LiveError(name, Cause.UNREADABLE, f"reading failed ({error.strerror})")


def mask_error(error: av.error.FFmpegError) -> None:
    """Mask the URLs inside libav's exception: a traceback prints it as the cause of ours."""
    error.args = tuple(_masked(arg) for arg in error.args)


def _masked(arg: object) -> object:
    """Mask the text of an exception's argument; the log message is in a tuple."""
    if isinstance(arg, tuple):
        return tuple(_masked(part) for part in arg)
    return mask_text(arg) if isinstance(arg, str) else arg


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True
