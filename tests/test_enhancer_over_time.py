"""The enhancer on a video: how often it estimates, from which views, and what it remembers."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fake_backend import FakeBackend
from numpy.typing import NDArray

from streamlight.backends import Prior
from streamlight.enhance import Enhancer
from streamlight.frame import Image
from streamlight.models import get_spec
from streamlight.view import FEW_PHASES, PHASES, sample_area, sample_nearest

SIZE = (192, 288)


class CountingBackend(FakeBackend):
    """A prior is the mean of its view."""

    def estimate(self, view: NDArray[np.float32]) -> Prior:
        super().estimate(view)
        return np.full((1, 4, 96, 96), view.mean(), np.float32)


def scene(seed: int, gain: float = 1.0) -> Image:
    """Blocks of grey with fine grain, so that each phase sees other pixels."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.uniform(20, 120, (8, 12)), np.ones((24, 24)))
    grain = np.random.default_rng(99).uniform(-8, 8, SIZE)
    image = np.clip((coarse + grain) * gain, 0, 255).astype(np.uint8)
    return np.repeat(image[..., None], 3, axis=2)


def enhancer(backend: CountingBackend, **settings: float | str) -> Enhancer:
    return Enhancer(backend, get_spec("gladnet"), **settings)  # type: ignore[arg-type]


def counts(frames: list[Image], **settings: float | str) -> list[int]:
    """How many estimates each frame cost."""
    backend = CountingBackend()
    subject = enhancer(backend, **settings)
    result = []
    for i, frame in enumerate(frames):
        before = len(backend.views)
        subject.estimate(frame, i / 25)
        result.append(len(backend.views) - before)
    return result


def assert_seen(views: list[NDArray[np.float32]], image: Image, phases: Sequence[Any]) -> None:
    expected = [sample_nearest(image, phase).tobytes() for phase in phases]
    assert len(set(expected)) > 1
    assert [view.tobytes() for view in views] == expected


def test_a_single_picture_is_seen_from_every_phase() -> None:
    backend = CountingBackend()
    estimate = enhancer(backend).estimate(scene(1))

    assert_seen(backend.views, scene(1), PHASES)
    assert estimate.prior is not None
    mean = np.mean([view.mean() for view in backend.views])
    np.testing.assert_allclose(estimate.prior, mean, rtol=1e-6)


def test_without_smoothing_each_frame_is_seen_from_the_same_few_phases() -> None:
    backend = CountingBackend()
    subject = enhancer(backend, smoothing_s=0.0)

    for i in range(3):
        subject.estimate(scene(i), i / 25)

    few = len(FEW_PHASES)
    for i in range(3):
        assert_seen(backend.views[i * few : (i + 1) * few], scene(i), FEW_PHASES)


@pytest.mark.parametrize("smoothing_s", [0.0, 12.0])
@pytest.mark.parametrize("sampling", ["nearest", "area"])
def test_the_papers_view_and_the_area_are_seen_once_a_frame(
    sampling: str, smoothing_s: float
) -> None:
    backend = CountingBackend()
    subject = enhancer(backend, sampling=sampling, smoothing_s=smoothing_s)

    for i in range(3):
        subject.estimate(scene(i), i / 25)
    subject.estimate(scene(3))

    assert len(backend.views) == 4
    take = {"nearest": sample_nearest, "area": sample_area}[sampling]
    for i in range(4):
        np.testing.assert_array_equal(backend.views[i], take(scene(i)))


def test_the_first_frame_and_the_first_after_a_cut_are_seen_from_every_phase() -> None:
    assert counts([scene(1), scene(1), scene(2), scene(2)]) == [len(PHASES), 1, len(PHASES), 1]


def test_the_mean_over_all_phases_takes_the_memory_of_a_few_priors() -> None:
    backend = CountingBackend()
    subject = enhancer(backend)
    subject.estimate(scene(1), 0.0)
    tracemalloc.start()
    try:
        prior = subject.estimate(scene(2), 1.0).prior
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert prior is not None
    views = backend.views[-len(PHASES) :]
    np.testing.assert_allclose(prior, np.mean([view.mean() for view in views]), rtol=1e-6)
    assert peak_bytes < 6 * prior.nbytes + sum(view.nbytes for view in backend.views)


def test_in_steady_light_the_view_goes_through_the_phases() -> None:
    backend = CountingBackend()
    subject = enhancer(backend)

    for i in range(17):
        subject.estimate(scene(1), i / 25)

    seen = {view.tobytes() for view in backend.views[len(PHASES) :]}
    assert seen == {sample_nearest(scene(1), phase).tobytes() for phase in PHASES}


def test_changing_light_is_seen_from_two_phases_and_a_switch_from_all() -> None:
    steady, dimmer, much_brighter = scene(1), scene(1, 0.95), scene(1, 1.9)

    assert counts([steady, dimmer])[1] == 2
    assert counts([steady, much_brighter])[1] == len(PHASES)


def test_estimate_every_reuses_the_prior_while_the_light_is_steady() -> None:
    steady, switched = scene(1), scene(1, 1.9)

    done = counts([steady] * 7 + [switched], estimate_every=3)

    assert [count > 0 for count in done] == [True, False, False, True, False, False, True, True]


@pytest.mark.parametrize("how", ["reset", "another size", "an earlier time"])
def test_another_video_begins_from_every_phase(how: str) -> None:
    backend = CountingBackend()
    subject = enhancer(backend)
    subject.estimate(scene(1), 5.0)
    frame, time_s = scene(1), 5.04
    if how == "reset":
        subject.reset()
    elif how == "another size":
        frame = frame[:-2]
    else:
        time_s = 0.0
    before = len(backend.views)

    subject.estimate(frame, time_s)

    assert len(backend.views) - before == len(PHASES)
