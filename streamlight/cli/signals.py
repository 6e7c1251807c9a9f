"""Ctrl-C and its kin: the first asks to finish cleanly, the next one interrupts.

What does not even hear the interruption, such as a codec that never returns, is left soon after.
"""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_GRACE_S = 3.0
"""How long an interruption may take to clean up."""


class StopSignals:
    """While in its `with` block, the first signal sets `stop`; later ones raise KeyboardInterrupt.

    If that does not end the block in 3 s, the process ends, without its hidden partial files.

    A signal that the parent process has set to be ignored (nohup, background jobs) stays ignored.

    Attributes:
        stop: set by the first signal.
        received: the first signal; None before.
    """

    def __init__(self, stop: threading.Event, *, notice: str = "") -> None:
        """Prepare.

        Args:
            stop: what to set.
            notice: line to print to stderr at the first signal; nothing when empty.
        """
        self.stop = stop
        self.received: signal.Signals | None = None
        self._notice = notice
        self._replaced: dict[signal.Signals, Any] = {}
        self._is_left = threading.Event()

    @property
    def exit_code(self) -> int:
        """What the shell expects of a process that a signal ended: 128 + its number."""
        return 128 + (self.received or signal.SIGINT)

    def __enter__(self) -> Self:
        """Start to listen; in the main thread only."""
        for name in _NAMES:
            number: signal.Signals | None = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._replaced[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore what was there before."""
        self._is_left.set()
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            threading.Thread(target=self._end_process, daemon=True).start()
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        self.stop.set()
        if self._notice:
            # not print: the signal may have come in the middle of one, which cannot be re-entered
            after_bar = "\n" if os.isatty(2) else ""
            with suppress(OSError):
                os.write(2, f"{after_bar}{self._notice}\n".encode())

    def _end_process(self) -> None:
        if not self._is_left.wait(_GRACE_S):
            from streamlight.sinks.partial import discard_hidden  # imports av

            discard_hidden()
            os._exit(self.exit_code)
