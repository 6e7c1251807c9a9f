"""HDR pictures brightened as HDR: what the network does to the proxy is done to their light."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.frame import Image
from streamlight.hdr import (
    hlg_of_scene,
    light_of_signal,
    luminance_weights,
    nits_of_pq,
    nits_of_scene,
    pq_of_nits,
    scene_of_hlg,
    scene_of_nits,
    sdr_of_hdr,
)
from streamlight.hdr_enhance import HdrEnhancer
from streamlight.look import Look

PQ, HLG = 16, 18
CODE = 64
"""One code value of 10 bits, in 16."""

Light = NDArray[np.float64]


def spec(transfer: int) -> ColorSpec:
    return ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, 9, transfer)


def coded(nits: Light, transfer: int) -> Image:
    signal = pq_of_nits(nits) if transfer == PQ else hlg_of_scene(scene_of_nits(nits))
    return np.rint(signal * 65535).astype(np.uint16)


def shown(image: Image, transfer: int) -> Light:
    if transfer == PQ:
        return nits_of_pq(image / 65535)
    return nits_of_scene(scene_of_hlg(image / 65535))


def greys(low: float, high: float) -> Light:
    return np.geomspace(low, high, 64 * 16).reshape(16, 64, 1).repeat(3, axis=2)


@dataclass
class Brightener:
    """Stands for the network: any function of the proxy in [0, 1]."""

    change: Callable[[Light], Light] = lambda proxy: proxy
    look: Look = field(default_factory=Look)
    parallel: int = 3
    times_s: list[float] = field(default_factory=list)

    def estimate(self, image: Image, time_s: float) -> float:
        assert image.dtype == np.uint16
        self.times_s.append(time_s)
        return time_s

    def reconstruct(self, image: Image, estimate: float) -> Image:
        after = np.rint(self.change(image / 65535).clip(0, 1) * 65535).astype(np.uint16)
        return self.look.apply(image, after)


def enhance(image: Image, transfer: int, network: Brightener) -> Image:
    def to_sdr(picture: Image) -> Image:
        return np.rint(sdr_of_hdr(picture / 65535, transfer, 9, 1000) * 65535).astype(np.uint16)

    enhancer = HdrEnhancer(network, spec(transfer), to_sdr)
    return enhancer.reconstruct(image, enhancer.estimate(image, 0.0))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_network_that_changes_nothing_changes_no_code_value(transfer: int) -> None:
    """Within a seventh of a code value of 10 bits, over all of them and over colours."""
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    colors = np.random.default_rng(1).integers(0, 65536, (64, 256, 3), dtype=np.uint16)
    for image in (ramp, colors):
        error = enhance(image, transfer, Brightener()).astype(np.int32) - image
        assert np.abs(error).max() < CODE / 7


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_dark_grey_gets_the_light_that_the_network_gave_the_proxy(transfer: int) -> None:
    light = greys(0.01, 40)
    after = enhance(coded(light, transfer), transfer, Brightener(np.sqrt))
    meant = 203 * light_of_signal(np.sqrt((light / 203) ** (1 / 2.4)))
    np.testing.assert_allclose(shown(after, transfer), meant, rtol=0.01)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_twice_the_light_is_twice_the_light_of_colours_too(transfer: int) -> None:
    rng = np.random.default_rng(2)
    light = rng.uniform(2, 30, (16, 32, 1)) * rng.uniform(0.6, 1, (16, 32, 3))
    double = Brightener(lambda proxy: proxy * 2 ** (1 / 2.4))
    after = shown(enhance(coded(light, transfer), transfer, double), transfer)
    np.testing.assert_allclose(after / light, 2, rtol=0.02)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_keep_their_light_and_order(transfer: int) -> None:
    """Even where the network makes all of the proxy white, or black."""
    light = greys(100, 990)
    for network in (Brightener(lambda p: p**0.2), Brightener(lambda p: p * 0)):
        after = shown(enhance(coded(light, transfer), transfer, network), transfer)[..., 0].ravel()
        assert after[-1] == pytest.approx(990, rel=0.02)
    brightest = shown(
        enhance(coded(light, transfer), transfer, Brightener(lambda p: p**0.5)), transfer
    )
    assert (np.diff(brightest[..., 0].ravel()) > -1).all(), "a brighter light is not darker"


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_bright_picture_changes_little(transfer: int) -> None:
    light = greys(203, 990)
    after = shown(enhance(coded(light, transfer), transfer, Brightener(lambda p: p**0.8)), transfer)
    assert (after / light).max() < 1.06
    assert (after / light).min() > 0.99


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hue_stays(transfer: int) -> None:
    """The shares of R, G and B in their sum, of colours well above black."""
    rng = np.random.default_rng(4)
    light = rng.uniform(5, 60, (16, 32, 1)) * rng.uniform(0.2, 1, (16, 32, 3))
    network = Brightener(lambda proxy: proxy**0.7 * np.array([1.0, 0.9, 0.8]))
    after = shown(enhance(coded(light, transfer), transfer, network), transfer)
    shares = [picture / picture.sum(axis=-1, keepdims=True) for picture in (light, after)]
    np.testing.assert_allclose(shares[1], shares[0], atol=0.004)
    assert (after @ luminance_weights(9) > light @ luminance_weights(9)).all()


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_black_can_be_lifted(transfer: int) -> None:
    black = np.zeros((4, 4, 3), np.uint16)
    after = shown(enhance(black, transfer, Brightener(lambda proxy: proxy + 0.2)), transfer)
    np.testing.assert_allclose(after, 203 * 0.2**2.4, rtol=0.01)


def test_the_comparison_of_the_look_is_made_in_hdr() -> None:
    network = Brightener(np.sqrt, Look(compare="side", strength=0.5))
    image = coded(greys(1, 300), PQ)
    after = enhance(image, PQ, network)
    assert after.shape == (16, 128, 3)
    np.testing.assert_array_equal(after[:, :64], image)
    assert (after[:, 64:100] > image[:, :36]).all()
    assert network.look == Look(strength=0.5), "the enhancer is left to do all but the comparison"


def test_it_stands_in_for_an_enhancer() -> None:
    network = Brightener()
    enhancer = HdrEnhancer(network, spec(HLG), lambda image: image)
    assert enhancer.parallel == 3
    enhancer.estimate(np.zeros((2, 2, 3), np.uint16), 1.5)
    assert network.times_s == [1.5]
    with pytest.raises(ValueError, match="expected PQ or HLG, got transfer 1"):
        HdrEnhancer(network, spec(1), lambda image: image)
