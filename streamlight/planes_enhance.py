"""Enhancing pictures that stay on a GPU between decoder and encoder."""

from typing import Any

from streamlight.backends.base import PlanesNetwork
from streamlight.enhance import Enhancer, Estimate


class PlanesEnhancer:
    """Brightens pictures on a device; stands in the place of an `Enhancer` in a pipeline.

    The light is estimated and smoothed by the `Enhancer`, which fetches some pixels of each
    picture; the whole picture is never on the host before it is enhanced.
    """

    def __init__(self, enhancer: Enhancer, network: PlanesNetwork) -> None:
        """Wrap an enhancer; closing it remains its owner's task.

        Args:
            enhancer: estimates; of its look, only the strength is taken.
            network: of the enhancer's backend.
        """
        self._enhancer = enhancer
        self._network = network

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        return self._enhancer.parallel

    def estimate(self, picture: Any, time_s: float) -> Estimate:
        """Estimate the illumination of a picture; call it in the frames' order.

        Args:
            picture: what `PlanesNetwork.take` gave.
            time_s: when it is shown.
        """
        return self._enhancer.estimate(picture, time_s)

    def reconstruct(self, picture: Any, estimate: Estimate) -> Any:
        """Enhance a picture with its illumination; thread-safe.

        Returns:
            `streamlight.frame.Planes`, on the host or on the device.

        Raises:
            BackendError: the device failed.
        """
        if estimate.prior is None:
            raise ValueError("a picture that passes as it is has no illumination to enhance by")
        strength = self._enhancer.look.strength
        return self._network.reconstruct(picture, estimate.prior, strength)

    def reset(self) -> None:
        """Forget the video so far."""
        self._enhancer.reset()
