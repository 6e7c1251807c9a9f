"""The enhancer: a backend, the view that it looks at, and the look of the result."""

from types import TracebackType
from typing import Self

import numpy as np

from streamlight.backends import Backend, BackendInfo, Prior, choose
from streamlight.errors import UsageError
from streamlight.frame import IMAGE_DTYPES, Image
from streamlight.look import Look
from streamlight.models.spec import ModelSpec
from streamlight.smoothing import DEFAULT_TIME_CONSTANT_S, Change, PriorSmoother
from streamlight.view import PHASES, SAMPLING, Sampling, View, sample, sample_nearest


class Enhancer:
    """Brightens pictures, one after the other or several at once.

        with Enhancer.open() as enhancer:
            bright = enhancer(dark)  # RGB (H, W, 3), uint8, uint16 or float32 in [0, 1]

    For several at once, call `estimate` in the order of the frames, and `reconstruct` from up
    to `parallel` threads.

    Attributes:
        model: specification of the network that runs.
        info: the backend that runs it.
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
        sampling: Sampling = "nearest",
        reason: str = "",
    ) -> None:
        """Wrap an open backend; `Enhancer.open` is the usual way, and explains the arguments."""
        if estimate_every < 1:
            raise UsageError(f"--estimate-every {estimate_every}: must be at least 1")
        if smoothing_s < 0:
            raise UsageError(f"--smoothing {smoothing_s:g}: must not be negative")
        if sampling not in SAMPLING:
            raise UsageError(f"--sampling {sampling}: choose one of {', '.join(SAMPLING)}")
        self._backend = backend
        self._smoother = PriorSmoother(smoothing_s)
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
        look: Look | None = None,
        parallel: int | None = 1,
        smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
        estimate_every: int = 1,
        sampling: Sampling = "nearest",
    ) -> Self:
        """Open a backend and a model.

        Args:
            model: a key of `streamlight.models.MODELS`; "auto" is `gladnet` on a GPU and
                `gladnet-fast` on a CPU.
            backend: "openvino", "torch", or "auto" for the best that opens.
            device: of the backend, such as "CPU", "GPU", "cuda:1"; None for the best.
            precision: "fp32", "bf16" or "fp16"; None for the fastest that is good.
            look: strength, exposure and comparison.
            parallel: how many pictures at once: 1 gives each picture all cores, for the least
                time a picture; None makes the most of the device, for the most pictures in all.
            smoothing_s: time constant in seconds of the illumination in steady light, for
                pictures of a video; 0 takes every frame by itself. See `streamlight.smoothing`.
            estimate_every: estimate the illumination of a video anew every so many frames, and at
                once when the light changes.
            sampling: how the 96x96 view is taken: "nearest" (the paper) or "area".

        Raises:
            BackendUnavailableError: the backend cannot run here.
            UsageError: a name is unknown.
        """
        choice = choose(model, backend, device, precision, parallel)
        return cls(
            choice.backend,
            choice.model,
            look,
            smoothing_s=smoothing_s,
            estimate_every=estimate_every,
            sampling=sampling,
            reason=choice.reason,
        )

    @property
    def info(self) -> BackendInfo:
        """What runs the network."""
        return self._backend.info

    @property
    def parallel(self) -> int:
        """How many calls of `reconstruct` may usefully run at once."""
        return self._backend.parallel

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

    def estimate(self, image: Image, time_s: float | None = None) -> Prior:
        """Estimate the illumination (1, C, 96, 96) of a picture; call it in the frames' order.

        With a `time_s`, it is that of the video so far: see `smoothing_s` of `open`. A picture
        of another size than the one before, or an earlier time, begins another video.
        """
        check_image(image)
        view = sample(image, self._sampling)
        if time_s is None:
            return self._backend.estimate(view)
        if image.shape != self._size or time_s < self._time_s:
            self._smoother.reset()
        self._size, self._time_s = image.shape, time_s
        change = self._smoother.compare(view)
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
        return self._smoother(view, self._estimate_next(image, view, change), time_s, change)

    def _estimate_next(self, image: Image, view: View, change: Change | None) -> Prior:
        """Estimate for a picture of a video.

        The smoother averages over time, so in steady light each frame may look at other pixels of
        its cells. Where there is no past to average with, several such views of one frame serve.
        """
        if self._sampling == "area" or not self._smoother.is_active:
            return self._backend.estimate(view)
        if change is None or change.is_abrupt:
            phases = PHASES
        elif change.is_of_light:
            phases = PHASES[:2]
        else:
            self._turn = (self._turn + 1) % len(PHASES)
            phases = PHASES[self._turn : self._turn + 1]
        priors = [self._backend.estimate(sample_nearest(image, phase)) for phase in phases]
        return priors[0] if len(priors) == 1 else np.mean(priors, axis=0, dtype=np.float32)

    def reset(self) -> None:
        """Forget the video so far: after a seek or a reconnection."""
        self._smoother.reset()

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """Enhance a picture with its illumination; thread-safe."""
        check_image(image)
        height, width = image.shape[:2]
        step = self.model.unshuffle
        bottom, right = -height % step, -width % step
        # writable too, because runtimes refuse memory that is not (what Pillow gives)
        padded = np.require(image, requirements=["C", "W"])
        if bottom or right:
            padded = np.pad(padded, ((0, bottom), (0, right), (0, 0)), mode="edge")
        result = self._backend.reconstruct(padded, prior)
        return self.look.apply(image, result[:height, :width])


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
