"""The enhancer: a backend, the view that it looks at, and the look of the result."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from streamlight.backends import Backend, BackendInfo, Prior, choose
from streamlight.backends.hot_swap import Swap, swaps_of
from streamlight.brightness import BrightnessGate, brightness, needed_strength
from streamlight.detail import DetailStep
from streamlight.errors import UsageError
from streamlight.frame import IMAGE_DTYPES, Image
from streamlight.look import Look
from streamlight.models.spec import ModelSpec
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S, Change, PriorSmoother
from streamlight.view import (
    DEFAULT_SAMPLING,
    FEW_PHASES,
    PHASES,
    SAMPLING,
    Sampling,
    View,
    Viewable,
    sample,
    sample_light,
    sample_nearest,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What `Enhancer.estimate` found out about a frame, for `Enhancer.reconstruct`.

    Attributes:
        prior: illumination features (1, C, 96, 96); None where the frame passes as it is.
        strength: how much of the enhancement the frame needs, 0 to 1, by its brightness.
    """

    prior: Prior | None
    strength: float = 1.0


_AS_IT_IS = Estimate(prior=None, strength=0.0)


class Enhancer:
    """Brightens pictures, one after the other or several at once.

        with Enhancer.open() as enhancer:
            bright = enhancer(dark)  # RGB (H, W, 3), uint8, uint16 or float32 in [0, 1]

    For several at once, call `estimate` in the order of the frames, and `reconstruct` from up
    to `parallel` threads.

    Attributes:
        model: specification of the network that runs.
        reason: why this backend was chosen.
        look: what is done with the result; may be replaced between frames.
        parallel: how many calls of `reconstruct` may usefully run at once.
    """

    def __init__(
        self,
        backend: Backend,
        model: ModelSpec,
        look: Look | None = None,
        *,
        smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
        estimate_every: int = 1,
        sampling: Sampling = DEFAULT_SAMPLING,
        memory_bytes: int | None = None,
        skip_bright: bool = False,
        reason: str = "",
    ) -> None:
        """Wrap an open backend; `Enhancer.open` is the usual way, and explains the arguments."""
        if estimate_every < 1:
            raise UsageError(f"--estimate-every {estimate_every}: must be at least 1")
        if sampling not in SAMPLING:
            raise UsageError(f"--sampling {sampling}: choose one of {', '.join(SAMPLING)}")
        self._backend = backend
        self._detail = DetailStep(backend, model, memory_bytes)
        self._smoother = PriorSmoother()
        self.smoothing_s = smoothing_s
        self._gate = BrightnessGate() if skip_bright else None
        self._estimate_every = estimate_every
        self._sampling = sampling
        self._since_estimate = 0
        self._size: tuple[int, ...] = ()
        self._time_s = 0.0
        self._turn = 0
        self.model = model
        self.reason = reason
        self.look = look or Look()

    @classmethod
    def open(
        cls,
        model: str = "auto",
        backend: str = "auto",
        *,
        device: str | None = None,
        precision: str | None = None,
        engine_dir: Path | None = None,
        look: Look | None = None,
        parallel: int | None = 1,
        smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
        estimate_every: int = 1,
        sampling: Sampling = DEFAULT_SAMPLING,
        memory_bytes: int | None = None,
        skip_bright: bool = False,
    ) -> Self:
        """Open a backend and a model.

        Args:
            model: a key of `streamlight.models.MODELS`, or the path of a user's own weights (or
                their name, in the models folder); "auto" is `gladnet` on a GPU and
                `gladnet-fast` on a CPU.
            backend: "openvino", "torch", or "auto" for the best that opens.
            device: of the backend, such as "CPU", "GPU", "cuda:1"; None for the best.
            precision: "fp32", "bf16", "fp16" or "int8"; None for the fastest that is good.
            engine_dir: where TensorRT's engines are kept; None for
                `streamlight.engines.default_folder`.
            look: strength, exposure and comparison.
            parallel: how many pictures at once: 1 gives each picture all cores, for the least
                time a picture; None makes the most of the device, for the most pictures in all.
            smoothing_s: time constant in seconds of the illumination in steady light, for
                pictures of a video; 0 takes every frame by itself, from a few views of it. See
                `streamlight.smoothing`.
            estimate_every: estimate the illumination of a video anew every so many frames, and at
                once when the light changes.
            sampling: how the 96x96 view is taken: "many" averages over several by nearest
                neighbour, "nearest" takes one (the paper), "area" averages pixels.
            memory_bytes: what enhancing may take in all, with the libraries, the pictures under
                way and their results; large pictures then run in tiles, with the same result.
                None uses tiles only where half of the free memory is too little.
            skip_bright: pass pictures that are bright already, see `streamlight.brightness`; in
                a video the strength fades between the two.

        Raises:
            BackendUnavailableError: the backend cannot run here.
            UsageError: a name is unknown, or `memory_bytes` is too little for any picture.
        """
        choice = choose(
            model, backend, device, precision, parallel, engine_dir=engine_dir, hot_swap=True
        )
        try:
            return cls(
                choice.backend,
                choice.model,
                look,
                smoothing_s=smoothing_s,
                estimate_every=estimate_every,
                sampling=sampling,
                memory_bytes=memory_bytes,
                skip_bright=skip_bright,
                reason=choice.reason,
            )
        except UsageError:
            choice.backend.close()
            raise

    @property
    def backend(self) -> Backend:
        """What runs the network; it remains the enhancer's."""
        return self._backend

    @property
    def sampling(self) -> Sampling:
        """How the 96x96 view is taken."""
        return self._sampling

    @property
    def skips_bright(self) -> bool:
        """Whether pictures pass that are bright already."""
        return self._gate is not None

    @property
    def info(self) -> BackendInfo:
        """What runs the network."""
        return self._backend.info

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        return self._backend.parallel

    @property
    def smoothing_s(self) -> float:
        """Time constant of the illumination in steady light; may be changed between frames.

        Raises:
            UsageError: it is set to less than 0.
        """
        return self._smoother.time_constant_s

    @smoothing_s.setter
    def smoothing_s(self, smoothing_s: float) -> None:
        if not smoothing_s >= 0:
            raise UsageError(f"--smoothing {smoothing_s:g}: must not be negative")
        self._smoother.time_constant_s = smoothing_s

    @property
    def tiles(self) -> str | None:
        """How the latest size of picture is cut: "2x3 tiles of 1920x1080"; None if it is not."""
        grid = self._detail.grid
        return None if grid is None or grid.is_whole else str(grid)

    @property
    def notes(self) -> list[str]:
        """What the user should know of how it was done, such as a device that ran out of memory."""
        return [*self._detail.notes, *map(str, self.swaps)]

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """What became of a better backend that was to take over; `info` is the one in use."""
        return swaps_of(self._backend)

    def prepare(self, width: int, height: int, dtype: Any = np.uint8) -> None:
        """Choose the tiles for pictures of a size, so that `tiles` tells them before the first.

        Raises:
            UsageError: `memory_bytes` is too little even for the smallest tiles.
        """
        self._detail.prepare(width, height, dtype)

    def __enter__(self) -> Self:
        """Return the enhancer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the backend."""
        self.close()

    def close(self) -> None:
        """Free the device."""
        self._backend.close()

    def __call__(self, image: Image, time_s: float | None = None) -> Image:
        """Enhance one picture.

        Args:
            image: RGB (H, W, 3); uint8, uint16, or float32 in [0, 1]; any size from 1x1.
            time_s: when it is shown, for a picture of a video; None for a single picture.

        Returns:
            A new picture of the same dtype, and of the same shape unless the look compares side
            by side.

        Raises:
            ValueError: the array is not such a picture.
            BackendError: the device failed.
        """
        return self.reconstruct(image, self.estimate(image, time_s))

    def estimate(self, image: Image | Viewable, time_s: float | None = None) -> Estimate:
        """Estimate the illumination of a picture; call it in the frames' order.

        A picture may lie on a device: only the pixels of its views are fetched.

        With a `time_s`, it is that of the video so far: see `smoothing_s` of `open`. A picture
        of another size than the one before, or an earlier time, begins another video.
        """
        if isinstance(image, np.ndarray):
            check_image(image)
        view = sample(image, self._sampling)
        if time_s is None:
            strength = needed_strength(brightness(view)) if self._gate else 1.0
            if not strength:
                return _AS_IT_IS
            return Estimate(self._estimate_views(image, view, PHASES), strength)
        if image.shape != self._size or time_s < self._time_s:
            self.reset()
        self._size, self._time_s = image.shape, time_s
        strength = self._gate(view, time_s) if self._gate else 1.0
        if not strength:
            self._smoother.reset()  # it will not have seen what lies between
            return _AS_IT_IS
        return Estimate(self._estimate_in_video(image, view, time_s), strength)

    def _estimate_in_video(self, image: Image | Viewable, view: View, time_s: float) -> Prior:
        if not self._smoother.is_active and self._estimate_every == 1:
            return self._estimate_views(image, view, FEW_PHASES)
        light = sample_light(image)
        change = self._smoother.compare(light)
        held = self._smoother.held
        self._since_estimate += 1
        if (
            held is not None
            and change is not None
            and change.is_steady
            and self._since_estimate < self._estimate_every
        ):
            return held
        self._since_estimate = 0
        return self._smoother(light, self._estimate_next(image, view, change), time_s, change)

    def _estimate_next(self, image: Image | Viewable, view: View, change: Change | None) -> Prior:
        """Estimate for a picture of a video.

        The smoother averages over time, so in steady light each frame may look at other pixels of
        its cells. Where there is no past to average with, several such views of one frame serve.
        """
        if not self._smoother.is_active:
            phases = FEW_PHASES
        elif change is None or change.is_abrupt:
            phases = PHASES
        elif change.is_of_light:
            phases = PHASES[:2]
        else:
            self._turn = (self._turn + 1) % len(PHASES)
            phases = PHASES[self._turn : self._turn + 1]
        return self._estimate_views(image, view, phases)

    def _estimate_views(
        self, image: Image | Viewable, view: View, phases: Sequence[tuple[int, int]]
    ) -> Prior:
        """Return the mean of the priors of several views; of `view` alone but for "many"."""
        if self._sampling != "many":
            return self._backend.estimate(view)
        prior = self._backend.estimate(sample_nearest(image, phases[0]))
        if len(phases) == 1:
            return prior
        # Added up one by one: sixteen at once, and their stack, would take 36 MB at every cut.
        total = prior.astype(np.float32)
        for phase in phases[1:]:
            total += self._backend.estimate(sample_nearest(image, phase))
        total /= len(phases)
        return total

    def reset(self) -> None:
        """Forget the video so far: after a seek or a reconnection."""
        self._smoother.reset()
        if self._gate:
            self._gate.reset()

    def reconstruct(self, image: Image, estimate: Estimate) -> Image:
        """Enhance a picture with its illumination; thread-safe."""
        check_image(image)
        look = self.look
        if estimate.prior is None:
            look = replace(look, strength=1, exposure_ev=0)
            return look.apply(image, image.copy())
        if estimate.strength != 1:
            look = replace(look, strength=look.strength * estimate.strength)
        return look.apply(image, self._detail.run(image, estimate.prior))


def check_image(image: Image) -> None:
    """Check that an array is a picture as the enhancer takes it.

    Raises:
        ValueError: it is not; the message says what was expected and what came.
    """
    if (
        image.ndim != 3
        or image.shape[2] != 3
        or 0 in image.shape
        or image.dtype not in IMAGE_DTYPES
    ):
        raise ValueError(
            "expected an RGB picture (H, W, 3) of uint8, uint16 or float32, "
            f"got {image.dtype} of shape {image.shape}"
        )
