"""The waits between attempts."""

import itertools

import pytest

from streamlight.errors import UsageError
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import Backoff, LivePhase, LiveState


def test_the_waits_grow_to_the_cap() -> None:
    backoff = Backoff(first_s=0.5, factor=2, cap_s=3, jitter=0)
    assert list(itertools.islice(backoff.waits(), 6)) == [0.5, 1, 2, 3, 3, 3]


def test_chance_only_shortens_a_wait() -> None:
    backoff = Backoff(first_s=1, cap_s=1, jitter=0.5)
    waits = list(itertools.islice(backoff.waits(), 200))
    assert 0.5 <= min(waits) < 0.7 and 0.8 < max(waits) <= 1


def test_the_defaults_bring_a_camera_back_within_two_seconds() -> None:
    assert max(itertools.islice(Backoff().waits(), 50)) <= 1.5


@pytest.mark.parametrize(
    "wrong", [{"first_s": 0}, {"first_s": 5.0}, {"factor": 0.5}, {"jitter": 2}]
)
def test_waits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Backoff(**wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"transport": "http"}, "tcp, udp"),
        ({"open_timeout_s": 0}, "open_timeout_s"),
        ({"read_timeout_s": -1}, "read_timeout_s"),
        ({"max_retries": -1}, "--max-retries"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        LiveOptions(**wrong)  # type: ignore[arg-type]


def test_a_state_is_plain_data() -> None:
    state = LiveState(LivePhase.RECONNECTING, "refused", 12.5)
    assert state.to_dict() == {"phase": "reconnecting", "reason": "refused", "since": 12.5}
