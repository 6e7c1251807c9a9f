"""What an enhancer sees again before it goes on in the middle of a video."""

import threading

import numpy as np
from fake_backend import FakeBackend
from fakes import FakeEnhancer, make_frame

from streamlight.enhance import Enhancer
from streamlight.models import get_spec
from streamlight.resume import warm_up


def test_only_the_frames_that_were_done_are_seen_again() -> None:
    enhancer = FakeEnhancer()
    frames = iter([make_frame(index) for index in range(3, 9)])
    assert warm_up(enhancer, frames, until_pts=make_frame(6).pts) == 4
    assert [index for index, _ in enhancer.estimated] == [3, 4, 5, 6]
    assert enhancer.reconstructed == []


def test_it_can_be_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert warm_up(FakeEnhancer(), [make_frame(0)], until_pts=100, stop=stop) == 0


def test_the_light_goes_on_where_it_was() -> None:
    """Noise is smoothed as if there had been no interruption."""
    random = np.random.default_rng(3)
    pictures = [random.integers(0, 60, (192, 192, 3), np.uint8) for _ in range(81)]

    def prior_of_the_last(first: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        enhancer = Enhancer(
            FakeBackend(), get_spec("gladnet-fast"), smoothing_s=1.0, sampling="area"
        )
        for index in range(first, len(pictures)):
            estimate = enhancer.estimate(pictures[index], index / 10)
        assert estimate.prior is not None
        return np.asarray(estimate.prior)

    whole = prior_of_the_last(0)
    fresh = np.abs(prior_of_the_last(80) - whole).mean()
    warmed = np.abs(prior_of_the_last(30) - whole).mean()
    assert warmed < fresh / 10
