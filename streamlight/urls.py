"""URLs as people may see them: without the secrets that are in them."""

import logging
import re

MASK = "***"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_SCHEME = r"(?P<scheme>[a-z][a-z0-9+.-]*://)"
_USER = re.compile(_SCHEME + r"[^/\s?#]*@(?:\S*@)?", re.IGNORECASE)
"""Up to the last @: a password that holds one may hold a / as well."""
_BROKEN_USER = re.compile(_SCHEME + r"[^/\s?#@:\[]+:(?!\d*(?:[/?]|$))\S*@", re.IGNORECASE)
"""A password in which / ? or # is not percent-encoded. What follows the colon is no port."""

_PRIVATE = (
    r"(?:[\w.-]*(?:pas|pwd|token|secret|key|auth|sig|credential)[\w.-]*"
    r"|p|pw|psk|u|usr|user|username|login\w*|streamid)="
)
_PARAMETER = re.compile(rf"(?P<name>[?&;]{_PRIVATE})[^&;\s]*", re.IGNORECASE)
_PATH_PARAMETER = re.compile(
    rf"(?P<name>(?<=[^/])[/&;_]{_PRIVATE})[^/?&;\s]*?(?=_[a-z]+=|[/?&;\s]|$)", re.IGNORECASE
)
"""As recorders of XMeye's kind have them: /user=admin_password=abc_channel=1.sdp"""
_RTSP_KEY = re.compile(
    r"(?P<path>^rtsps?://[^/\s]+/)"
    r"(?=[^/?]*[a-z])(?=[^/?]*[A-Z])(?=[^/?]*\d)[A-Za-z0-9]{16,}(?=[?\s]|$)"
)
"""A path of one part with letters of both cases and digits, as UniFi's cameras have it."""
_RTMP_KEY = re.compile(r"(?P<path>^rtmp\w*://[^/\s]+/(?:[^/?#\s]+/)+)[^/?#\s]{12,}", re.IGNORECASE)
_HEADER = re.compile(r"(?P<name>authorization: *)[^\r\n]+", re.IGNORECASE)


def mask_url(url: str) -> str:
    """Return a URL with its secrets as `***`.

    Secrets are the user name and the password, the values of parameters that are named like a
    secret (password, token, key, signature, user, SRT's passphrase and streamid), in the query or
    in the path, the last part of an RTMP path where it has 12 or more characters, as stream keys
    have, a key in the place of an RTSP path, and what `hide` was told. What is no URL, such as the
    path of a file, comes back as it is.
    """
    masked = _USER.sub(rf"\g<scheme>{MASK}@", _without_hidden(url))
    masked = _BROKEN_USER.sub(rf"\g<scheme>{MASK}@", masked)
    if "://" in masked:
        masked = _PARAMETER.sub(rf"\g<name>{MASK}", masked)
        masked = _PATH_PARAMETER.sub(rf"\g<name>{MASK}", masked)
        masked = _RTSP_KEY.sub(rf"\g<path>{MASK}", masked)
    return _RTMP_KEY.sub(rf"\g<path>{MASK}", masked)


def hide(value: str) -> None:
    """Let no masked text of this process show a value, wherever in a URL it stands.

    Values of less than 4 characters are not taken: they would be found in other words. Neither
    are whole URLs, whose secrets are found as always.
    """
    if len(value) >= _SHORTEST and "://" not in value:
        _hidden.add(value)


_SHORTEST = 4
_hidden: set[str] = set()


def _without_hidden(text: str) -> str:
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def mask_text(text: str) -> str:
    """Return a text with the secrets of every URL in it, and of HTTP's Authorization, as `***`."""
    masked = _URL.sub(lambda url: mask_url(url[0]), _without_hidden(text))
    return _HEADER.sub(rf"\g<name>{MASK}", masked)


class MaskingFilter(logging.Filter):
    """Masks the URLs in log records; add it to a handler.

    streamlight's own messages are masked where they are made. This one is for the loggers below
    `libav`, which get the messages of FFmpeg once `av.logging.set_level` asks for them. A filter
    of a handler sees them all; one of the logger `libav` would not see its children's.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place, its exception too, and let it pass."""
        record.msg, record.args = mask_text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = mask_text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
