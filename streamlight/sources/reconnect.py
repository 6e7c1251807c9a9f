"""When to try again, and what to tell people meanwhile."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streamlight.errors import UsageError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits between attempts: `first_s`, then `factor` times as long, at most `cap_s`.

    The defaults bring a camera back within 2 s of its return: `cap_s` at most until the next
    attempt, and the rest for connecting.

    Attributes:
        first_s: the first wait, in seconds.
        factor: by which each wait is longer than the one before.
        cap_s: the longest wait, in seconds.
        jitter: the part of each wait that is left to chance, 0 to 1, so that many viewers of one
            server do not all come back at once. A wait is never longer than without it.
        stable_s: a connection that lasted this long, in seconds, starts the waits anew. One that
            breaks sooner goes on with them: else a server that accepts and closes at once would
            be called several times a second for ever.
    """

    first_s: float = 0.25
    factor: float = 2.0
    cap_s: float = 1.5
    jitter: float = 0.3
    stable_s: float = 2.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: they make no growing row of waits.
        """
        if not (0 < self.first_s <= self.cap_s and self.factor >= 1 and 0 <= self.jitter <= 1):
            raise UsageError(
                f"{self}: expected 0 < first_s <= cap_s, factor >= 1 and jitter from 0 to 1"
            )

    def waits(self) -> Iterator[float]:
        """Yield the waits in seconds, without end."""
        chance = random.SystemRandom()  # not the generator that a user may have seeded
        wait = self.first_s
        while True:
            yield wait * (1 - self.jitter * chance.random())
            wait = min(wait * self.factor, self.cap_s)


class LivePhase(StrEnum):
    """What a live source is doing."""

    IDLE = "idle"
    """Not opened yet."""

    CONNECTING = "connecting"
    """For the first time."""

    CONNECTED = "connected"
    """Frames come."""

    RECONNECTING = "reconnecting"
    """The connection was lost; trying again."""

    ENDED = "ended"
    """The stream has ended by itself."""

    FAILED = "failed"
    """Given up."""

    CLOSED = "closed"
    """Interrupted or closed by this program."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """A phase, why it began, and when.

    Attributes:
        phase: what the source is doing.
        reason: one phrase for people, without secrets; "" where there is nothing to say.
        since: when the phase began, in seconds as of `time.time()`.
    """

    phase: LivePhase = LivePhase.IDLE
    reason: str = ""
    since: float = field(default_factory=time.time)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain data for JSON."""
        return {"phase": self.phase.value, "reason": self.reason, "since": self.since}
