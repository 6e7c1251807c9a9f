"""What the tests of cameras share."""

import time
from collections.abc import Callable

from streamlight.cameras.camera import Camera
from streamlight.cameras.source import SourceSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import Backoff, LiveState

LIVE = LiveOptions(
    open_timeout_s=2.0,
    read_timeout_s=1.0,
    wait_for_source=True,
    backoff=Backoff(first_s=0.1, cap_s=0.5),
)
RESTART = Backoff(first_s=0.1, cap_s=0.3)


def spec(name: str, address: str, **options: object) -> CameraSpec:
    """A camera that gives up and comes back soon."""
    source = SourceSpec(address=address, live=LIVE)
    return CameraSpec(name=name, source=source, **options)  # type: ignore[arg-type]


def until(is_so: Callable[[], bool], what: str, within_s: float = 15.0) -> float:
    """Wait until something is so; return how long that took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - started


class Told:
    """What a camera tells of itself."""

    def __init__(self) -> None:
        self.states: list[LiveState] = []
        self.messages: list[str] = []

    def take_state(self, camera: Camera, state: LiveState) -> None:
        self.states.append(state)

    def take_message(self, camera: Camera, text: str) -> None:
        self.messages.append(text)

    @property
    def phases(self) -> list[str]:
        return [state.phase.value for state in self.states]
