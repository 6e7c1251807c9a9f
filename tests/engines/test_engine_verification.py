import ctypes
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.engines.gpu import Gpu, find_gpu
from streamlight.engines.verification import NamedFrame, compare, sample_pictures
from streamlight.errors import EngineError
from streamlight.view import sample

FRAMES = [NamedFrame(name, image, sample(image)) for name, image in sample_pictures(97, 131)]


class Doubler:
    """Doubles a picture; and does it wrong where told."""

    def __init__(self, wrong: slice | None = None, by: int = 0, prior: float = 1.0) -> None:
        self.wrong, self.by, self.prior = wrong, by, prior

    def estimate(self, view: NDArray[np.float32]) -> NDArray[np.float32]:
        return view * np.float32(self.prior)

    def reconstruct(self, image: Any, prior: NDArray[np.float32]) -> Any:
        result = (image.astype(int) * 2).clip(0, 255)
        if self.wrong is not None:
            result[self.wrong, 40:50] = (result[self.wrong, 40:50] + self.by).clip(0, 255)
        return result.astype(np.uint8)


def test_pictures_are_of_every_kind() -> None:
    means = {frame.name: frame.image.mean() for frame in FRAMES}
    assert means["black"] == 0
    assert means["dark"] < 20 < 150 < means["bright"]
    assert all(frame.image.shape == (131, 97, 3) for frame in FRAMES)


def test_equal_results_are_verified() -> None:
    done = compare(Doubler(), Doubler(), FRAMES, "RTX 4090")
    assert done.is_done
    assert str(done) == f"verified on RTX 4090: exact at worst, {len(FRAMES)} frames"


def test_small_differences_are_measured() -> None:
    done = compare(Doubler(slice(100, 110), by=1), Doubler(), FRAMES, "RTX 4090")
    assert done.least_psnr_db is not None
    assert 50 < done.least_psnr_db < 80


def test_a_wrong_engine_is_refused_and_the_place_named() -> None:
    with pytest.raises(EngineError) as caught:
        compare(Doubler(slice(100, 110), by=60), Doubler(), FRAMES, "RTX 4090")
    message = str(caught.value)
    assert "on a dark frame of 97x131, expected 50" in message
    assert "most at x=32, y=96" in message
    assert "100 pixels by more than 1: rows 100 to 109, columns 40 to 49" in message


def test_a_prior_that_is_not_finite_is_refused() -> None:
    with pytest.raises(EngineError, match="its prior of a dark frame is infinite"):
        compare(Doubler(prior=np.nan), Doubler(), FRAMES, "RTX 4090")


class FakeCuda:
    """The driver's library with one GPU; `fails` names the call that reports an error."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            if name == self.fails:
                return 100
            if name == "cuDeviceGetName":
                arguments[0].value = b"NVIDIA GeForce RTX 4090"
            elif name == "cuDeviceGetAttribute":
                ctypes.cast(arguments[0], ctypes.POINTER(ctypes.c_int))[0] = {75: 8, 76: 9}[
                    arguments[1]
                ]
            elif name == "cuDriverGetVersion":
                ctypes.cast(arguments[0], ctypes.POINTER(ctypes.c_int))[0] = 13020
            return 0

        return call


def test_the_driver_tells_the_gpu() -> None:
    assert find_gpu(0, FakeCuda()) == Gpu("NVIDIA GeForce RTX 4090", "8.9", "13.2")


@pytest.mark.parametrize(
    "call",
    ["cuInit", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute", "cuDriverGetVersion"],
)
def test_a_driver_that_fails_has_no_gpu(call: str) -> None:
    assert find_gpu(0, FakeCuda(call)) is None
