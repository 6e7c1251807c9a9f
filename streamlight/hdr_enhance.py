"""Enhancing HDR pictures as HDR: the network sees an SDR proxy, the HDR picture gets its gain.

The network knows SDR pictures. So it gets a tone-mapped proxy, and how much it brightens each
pixel of that is applied to the HDR picture, in linear light where 1 is the reference white:

    gain = (after + floor) / (before + floor)      of the light of the proxy's luma
    out  = (in + floor) * gain - floor             of R, of G and of B

The three channels get one gain, so hue stays. It lies between `before + floor` and the reciprocal
of that: a pixel at the proxy's white, and so every highlight above it, keeps its light, and a dark
one may be brightened to white at most. The floor, 1/5000 of white, gives black a gain too. A grey
below the knee of the tone curve gets exactly the light that the network gave the proxy, and where
the network changes nothing, nothing changes.

For HLG all of that is done in scene light, with the power of 2 in place of the 2.4 that codes the
proxy: a display of 1000 nits raises scene light to 1.2 (BT.2100, table 5: OOTF).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Transfer, is_hdr
from streamlight.frame import Image
from streamlight.hdr import (
    DEFAULT_PEAK_NITS,
    REFERENCE_WHITE_NITS,
    hlg_gamma,
    hlg_of_scene,
    nits_of_pq,
    pq_of_nits,
    scene_of_hlg,
)
from streamlight.look import Look

_FLOOR = np.float32(1 / 5000)

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of the proxy, in BT.709. A factor on the light of all channels is, on luma, a factor to the
power of 1/2.4: the gain is that of light, though no channel is taken to light."""

_HALF_SCALE = np.float32(1024)
"""Takes light to where floats of 16 bits hold all of it, from 5e-8 of white to 10000 nits, within
0.05 %. Their bits are the index of the table that codes light again."""

_STRIP_ROWS = 16
"""Rows that are worked on at a time, so that they stay in the processor's cache."""


class SdrEnhancer(Protocol):
    """What an `Enhancer` is here."""

    look: Look

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        ...

    def estimate(self, image: Image, time_s: float, /) -> Any:
        """Estimate the illumination of a picture."""
        ...

    def reconstruct(self, image: Image, estimate: Any, /) -> Image:
        """Enhance a picture with its illumination."""
        ...


@dataclass(frozen=True, slots=True)
class HdrEstimate:
    """What was found out about an HDR picture.

    Attributes:
        proxy: the picture as SDR.
        estimate: what the enhancer says of the proxy.
    """

    proxy: Image
    estimate: Any


class HdrEnhancer:
    """Brightens pictures of PQ or HLG; stands in the place of an `Enhancer` in a pipeline."""

    def __init__(
        self, enhancer: SdrEnhancer, color: ColorSpec, to_sdr: Callable[[Image], Image]
    ) -> None:
        """Wrap an enhancer; closing it remains its owner's task.

        Args:
            enhancer: enhances the proxy. Its comparison of before and after is taken over.
            color: of the pictures; PQ or HLG.
            to_sdr: makes the proxy, uint16 RGB of BT.709: `streamlight.sources.tonemap.ToneMapper`
                of the same colour.
        """
        if not is_hdr(color):
            raise ValueError(f"expected PQ or HLG, got transfer {color.transfer}")
        self._enhancer = enhancer
        self._to_sdr = to_sdr
        self._transfer = color.transfer
        self._compare = replace(enhancer.look, strength=1, exposure_ev=0)
        enhancer.look = replace(enhancer.look, compare="none")

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        return self._enhancer.parallel

    def estimate(self, image: Image, time_s: float) -> HdrEstimate:
        """Estimate the illumination of a picture; call it in the frames' order.

        Args:
            image: RGB uint16 (H, W, 3), as it is coded: PQ or HLG.
            time_s: when it is shown.
        """
        proxy = self._to_sdr(image)
        return HdrEstimate(proxy, self._enhancer.estimate(proxy, time_s))

    def reconstruct(self, image: Image, estimate: HdrEstimate) -> Image:
        """Return the enhanced picture in the same coding; thread-safe."""
        after = self._enhancer.reconstruct(estimate.proxy, estimate.estimate)
        return self._compare.apply(
            image, apply_light_gain(image, estimate.proxy, after, self._transfer)
        )


def apply_light_gain(image: Image, before: Image, after: Image, transfer: int) -> Image:
    """Brighten an HDR picture as much as its SDR proxy was brightened.

    Args:
        image: RGB uint16 (H, W, 3) of PQ or HLG.
        before: its proxy, RGB uint16 of the same size.
        after: the proxy, enhanced.
        transfer: PQ or HLG, code point of H.273.

    Returns:
        A new picture like `image`.
    """
    light, code = _light_table(transfer), _code_table(transfer)
    power = 2.4 if transfer == Transfer.PQ else 2.4 / hlg_gamma()
    proxy_light, most = _power_table(power), light[-1]
    result = np.empty_like(image)
    for start in range(0, len(image), _STRIP_ROWS):
        rows = slice(start, start + _STRIP_ROWS)
        below = proxy_light.take(_luma(before[rows]))
        gain = proxy_light.take(_luma(after[rows]))
        gain /= below
        np.clip(gain, below, 1 / below, out=gain)
        strip = light.take(image[rows])
        strip += _FLOOR
        strip *= gain.repeat(3, axis=1).reshape(strip.shape)
        strip -= _FLOOR
        np.clip(strip, 0, most, out=strip)
        strip *= _HALF_SCALE
        result[rows] = code.take(strip.astype(np.float16).view(np.uint16))
    return result


def _luma(image: Image) -> NDArray[np.uint16]:
    luma = image.astype(np.float32) @ _LUMA
    return np.asarray(luma + np.float32(0.5), np.uint16)


@lru_cache(maxsize=2)
def _power_table(power: float) -> NDArray[np.float32]:
    """Map luma of 16 bits to light with the floor added."""
    luma = np.arange(65536) / 65535
    return (luma**power).astype(np.float32) + _FLOOR


@lru_cache(maxsize=2)
def _light_table(transfer: int) -> NDArray[np.float32]:
    """Map codes of 16 bits to light: PQ to that of a display, HLG to that of the scene."""
    signal = np.arange(65536) / 65535
    if transfer == Transfer.PQ:
        return (nits_of_pq(signal) / REFERENCE_WHITE_NITS).astype(np.float32)
    return (scene_of_hlg(signal) / _hlg_white()).astype(np.float32)


@lru_cache(maxsize=2)
def _code_table(transfer: int) -> NDArray[np.uint16]:
    """Map the bits of 16-bit floats of light to codes: the inverse of `_light_table`."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float64)
    light = np.nan_to_num(halves, nan=0.0, posinf=0.0, neginf=0.0).clip(0) / _HALF_SCALE
    if transfer == Transfer.PQ:
        signal = pq_of_nits(light * REFERENCE_WHITE_NITS)
    else:
        signal = hlg_of_scene(light * _hlg_white())
    return np.rint(signal * 65535).astype(np.uint16)


def _hlg_white() -> float:
    """Scene light of the reference white, where a display of 1000 nits shows 203."""
    return float((REFERENCE_WHITE_NITS / DEFAULT_PEAK_NITS) ** (1 / hlg_gamma()))
