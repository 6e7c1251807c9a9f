"""What TensorRT says: to streamlight's log, and its errors kept as the reason of a failure."""

import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_calls = 0


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep Python's cyclic garbage collector from running while TensorRT may log.

    TensorRT holds a lock of the whole process while it calls the logger, and its objects take the
    same lock when they are freed. A collection within the logger that frees one waits for ever.
    """
    global _calls
    with _lock:
        _calls += 1
        if _calls == 1:
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _calls -= 1
            if not _calls:
                gc.enable()


class TrtLog:
    """Owns a logger of the bindings, which TensorRT calls from any thread.

    Attributes:
        native: the object to give to the builder, the parser and the runtime.
        errors: what was said as an error, oldest first.
    """

    def __init__(self, bindings: Any) -> None:
        """Make a logger of a flavour."""
        levels = {
            bindings.ILogger.INTERNAL_ERROR: logging.ERROR,
            bindings.ILogger.ERROR: logging.ERROR,
            bindings.ILogger.WARNING: logging.INFO,
            bindings.ILogger.INFO: logging.DEBUG,
        }
        errors: list[str] = []

        class NativeLog(bindings.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                bindings.ILogger.__init__(self)  # pybind11 wants the very class, not super()

            def log(self, severity: Any, message: str) -> None:
                level = levels.get(severity)
                if level is None:
                    return
                if level == logging.ERROR:
                    errors.append(message.strip())
                logger.log(min(level, logging.INFO), "%s", message.strip())

        self.errors = errors
        self.native = NativeLog()

    @property
    def reason(self) -> str:
        """The last errors in one line; for the message of an exception."""
        seen = list(dict.fromkeys(self.errors))
        return "; ".join(seen[-2:]) or "it gave no reason"
