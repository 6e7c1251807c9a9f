"""The size to process: chosen by hand, and by a controller against a simulated computer."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from clips import dim
from ffprobe import psnr_db

from streamlight.adaptive import (
    FACTORS,
    AdaptiveEnhancer,
    AdaptiveSize,
    Cost,
    ScaledEnhancer,
    factor_for,
)
from streamlight.enhance import Enhancer
from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.look import Compare, Look
from streamlight.pipeline import Prior


class Doubler:
    """Doubles each picture, and notes which sizes it saw."""

    def __init__(self, look: Look | None = None) -> None:
        self.parallel = 1
        self.look = look or Look()
        self.sizes: list[tuple[int, int]] = []
        self.resets = 0

    def estimate(self, image: Image, time_s: float) -> Prior:
        return np.zeros((1, 1, 96, 96), np.float32)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        self.sizes.append((image.shape[1], image.shape[0]))
        result = np.minimum(image.astype(np.uint16) * 2, 255).astype(image.dtype)
        return self.look.apply(image, result)

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


def enhance(enhancer: ScaledEnhancer, image: Image) -> Image:
    return enhancer.reconstruct(image, enhancer.estimate(image, 0.0))


@pytest.mark.parametrize(
    ("size", "most", "factor"),
    [
        ((1920, 1080), (1920, 1080), 1),
        ((1280, 720), (1920, 1080), 1),
        ((1920, 1080), (640, 360), 3),
        ((1280, 720), (640, 360), 2),
        ((1280, 960), (640, 360), 3),
        ((1080, 1920), (640, 360), 3),
        ((1921, 1080), (640, 360), 4),
        ((9, 9), (1, 1), 9),
    ],
)
def test_the_factor_is_the_least_that_fits(
    size: tuple[int, int], most: tuple[int, int], factor: int
) -> None:
    assert factor_for(size, most) == factor


def test_the_network_sees_the_small_picture_and_the_result_has_the_full_size(
    doubler: Doubler,
) -> None:
    enhancer = ScaledEnhancer(doubler, (32, 24))
    image = dim(0, 96, 72)
    result = enhance(enhancer, image)
    assert doubler.sizes == [(32, 24)]
    assert enhancer.factor == 3
    assert result.shape == image.shape
    doubled = np.minimum(image.astype(int) * 2, 255).astype(np.uint8)
    assert psnr_db(result[None], doubled[None]) > 40


def test_without_a_size_nothing_is_scaled(doubler: Doubler) -> None:
    image = dim(0, 96, 72)
    result = enhance(ScaledEnhancer(doubler), image)
    assert doubler.sizes == [(96, 72)]
    assert np.array_equal(result, image * 2)


def test_the_size_may_change_from_picture_to_picture(doubler: Doubler) -> None:
    enhancer = ScaledEnhancer(doubler, (32, 24))
    for width, height in ((64, 48), (97, 53), (20, 10)):
        assert enhance(enhancer, dim(0, width, height)).shape == (height, width, 3)
    assert doubler.sizes[0] == (32, 24)


@pytest.mark.parametrize("compare", ["split", "side"])
def test_before_and_after_are_compared_at_the_full_size(compare: Compare) -> None:
    enhancer = ScaledEnhancer(Doubler(Look(compare=compare)), (32, 24))
    image = dim(0, 64, 48)
    result = enhance(enhancer, image)
    assert result.shape == (48, 128 if compare == "side" else 64, 3)
    assert np.array_equal(result[:, :30], image[:, :30]), "the left is not the input"


def test_the_strength_may_be_changed_between_pictures(doubler: Doubler) -> None:
    enhancer = ScaledEnhancer(doubler, (32, 24))
    image = dim(0, 64, 48)
    assert enhance(enhancer, image).mean() > 1.8 * image.mean()
    enhancer.look = Look(strength=0)
    assert enhancer.look.strength == 0
    assert np.abs(enhance(enhancer, image).astype(int) - image).max() <= 1


def test_a_size_of_nothing_is_refused(doubler: Doubler) -> None:
    with pytest.raises(UsageError, match="--process-size 0x360: both must be at least 1"):
        ScaledEnhancer(doubler, (0, 360))


def test_detail_is_kept_that_upscaling_would_lose() -> None:
    """With the real network: closer to the full work than the small result blown up."""
    image = dim(3, 192, 144)
    grain = np.random.default_rng(0).integers(0, 6, image.shape, np.uint8)
    image = image + grain
    with Enhancer.open("gladnet-fast", "openvino", precision="fp32") as enhancer:
        prior = enhancer.estimate(image)
        full = enhancer.reconstruct(image, prior)
        small = enhancer.reconstruct(np.ascontiguousarray(image[1::3, 1::3]), prior)
        blown_up = small.repeat(3, axis=0).repeat(3, axis=1)
        scaled = ScaledEnhancer(enhancer, (64, 48)).reconstruct(image, prior)
    assert psnr_db(scaled[None], full[None]) > psnr_db(blown_up[None], full[None]) + 2


# The controller


class Computer:
    """Needs `network_s` for the network at the full size, and `resize_s` to scale."""

    def __init__(self, network_s: float, resize_s: float = 0.0, target_fps: float = 25) -> None:
        self.network_s, self.resize_s = network_s, resize_s
        self.size = AdaptiveSize(target_fps)
        self.now_s = 0.0
        self.factors: list[int] = []

    def run(self, seconds: float, fps: float = 25, jitter: Callable[[int], float] | None = None):  # type: ignore[no-untyped-def]
        end_s = self.now_s + seconds
        index = 0
        while self.now_s < end_s:
            factor = self.size.factor
            scale = jitter(index) if jitter else 1.0
            cost = Cost(
                scale * self.network_s / factor**2, self.resize_s if factor > 1 else 0, 0.001
            )
            self.now_s += max(1 / fps, cost.total_s)
            self.size.update(self.now_s, cost)
            self.factors.append(self.size.factor)
            index += 1
        return self

    @property
    def changes(self) -> int:
        return sum(a != b for a, b in pairwise(self.factors))


def test_a_fast_computer_keeps_the_full_size() -> None:
    assert Computer(0.030).run(60).changes == 0


def test_a_slow_computer_gets_what_fits_at_once() -> None:
    computer = Computer(0.200).run(3)
    assert computer.size.factor == 3, "200 ms / 9 is the first below 40 ms"
    assert computer.run(300).changes == 1, "it must not try the size that was too slow"


def test_when_scaling_itself_costs_more_than_thought_it_goes_on() -> None:
    computer = Computer(0.200, resize_s=0.025).run(20)
    assert computer.size.factor == 4


def test_it_goes_back_up_when_there_is_room_again() -> None:
    computer = Computer(0.200).run(5)
    computer.network_s = 0.020
    computer.run(4)
    assert computer.size.factor == 3, "a moment of room is no reason"
    computer.run(20)
    assert computer.size.factor == 1


def test_it_does_not_swing_at_the_limit() -> None:
    """Other work comes and goes with every size: each attempt to grow fails."""
    computer = Computer(0.030)
    for _ in range(60):
        computer.network_s = 0.045 if computer.size.factor == 1 else 0.030
        for _ in range(10):
            computer.run(1)
            computer.network_s = 0.045 if computer.size.factor == 1 else 0.030
    assert computer.now_s > 600
    assert computer.changes <= 18, "every failed attempt doubles the patience"
    assert computer.size.patience_s > 60


def test_a_hiccup_changes_nothing() -> None:
    def hiccup(index: int) -> float:
        return 12.0 if index % 50 == 40 else 1.0

    assert Computer(0.025).run(60, jitter=hiccup).changes == 0


def test_the_first_pictures_of_a_size_do_not_count() -> None:
    """A runtime compiles for a new size, which may take a second."""

    def compile_first(index: int) -> float:
        return 40.0 if index < 2 else 1.0

    assert Computer(0.030).run(30, jitter=compile_first).changes == 0


def test_a_slow_camera_is_no_reason_to_shrink() -> None:
    assert Computer(0.030).run(60, fps=5).changes == 0


def test_nothing_is_smaller_than_the_smallest() -> None:
    computer = Computer(60.0).run(3000)
    assert computer.size.factor == FACTORS[-1]


def test_a_limit_keeps_the_pictures_small_and_need_not_be_a_usual_factor() -> None:
    computer = Computer(0.010)
    computer.size.limit(5)
    computer.run(60)
    assert computer.size.factor == 5
    computer.network_s = 2.0
    computer.run(10)
    assert computer.size.factor == 8
    computer.size.limit(1)
    computer.network_s = 0.010
    computer.run(60)
    assert computer.size.factor == 1


@pytest.mark.parametrize("target_fps", [0, -1, float("nan")])
def test_a_target_of_nothing_is_refused(target_fps: float) -> None:
    with pytest.raises(UsageError, match=r"--target-fps .*: must be more than 0"):
        AdaptiveSize(target_fps)


# Both together


@pytest.fixture
def ticking() -> Iterator[Callable[[], float]]:
    """A clock that goes forward by 0.1 s whenever it is read."""
    now = iter(range(10_000))
    yield lambda: next(now) / 10


def test_the_enhancer_follows_its_controller(
    doubler: Doubler, ticking: Callable[[], float]
) -> None:
    told: list[int] = []
    enhancer = AdaptiveEnhancer(doubler, 25, on_change=told.append, clock=ticking)
    cost = Cost(0.2)
    enhancer._process = lambda image, prior, factor: (  # type: ignore[method-assign]
        ScaledEnhancer._process(enhancer, image, prior, factor)[0],
        Cost(cost.network_s / factor**2),
    )
    image = dim(0, 96, 72)
    for _ in range(40):
        assert enhance(enhancer, image).shape == image.shape
    assert told == [3]
    assert enhancer.factor == 3
    assert doubler.sizes[-1] == (32, 24)
    cost = Cost(0.02)
    for _ in range(300):
        enhance(enhancer, image)
    assert told == [3, 2, 1]
    assert doubler.sizes[-1] == (96, 72)


def test_the_enhancer_never_passes_the_size_given_by_hand(doubler: Doubler) -> None:
    enhancer = AdaptiveEnhancer(doubler, 25, (48, 36))
    enhance(enhancer, dim(0, 96, 72))
    assert doubler.sizes == [(48, 36)]
    enhance(enhancer, dim(0, 480, 360))
    assert doubler.sizes[-1] == (48, 36)
    enhance(enhancer, dim(0, 40, 30))
    assert doubler.sizes[-1] == (40, 30)
