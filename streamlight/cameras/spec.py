"""What a camera is told to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streamlight.cameras.controls import Controls
from streamlight.cameras.outputs import OutputSpec
from streamlight.cameras.source import SourceSpec
from streamlight.errors import UsageError
from streamlight.look import Compare
from streamlight.view import DEFAULT_SAMPLING, Sampling

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One camera of several.

    Attributes:
        name: tells it from the others, also in URLs: letters, digits, "-" and "_".
        source: where its pictures come from.
        outputs: where they go, besides the viewers.
        controls: how they look at the start.
        compare: "split" or "side" to show before and after in the outputs' pictures.
        estimate_every: estimate the illumination anew every so many frames.
        sampling: how the network's 96x96 view is taken.
        skip_bright: pass pictures that are bright already.
        memory_bytes: what enhancing may take in all; None for a share of what is free.
        process_size: most width and height for the network; None for the picture's own.
        is_adaptive: lower the size to process when the network is too slow.
        target_fps: of `is_adaptive`; None for the source's rate.
        is_strict: begin anew when any output fails; else the others go on without it.
    """

    name: str
    source: SourceSpec
    outputs: OutputSpec = field(default_factory=OutputSpec)
    controls: Controls = field(default_factory=Controls)
    compare: Compare = "none"
    estimate_every: int = 1
    sampling: Sampling = DEFAULT_SAMPLING
    skip_bright: bool = False
    memory_bytes: int | None = None
    process_size: tuple[int, int] | None = None
    is_adaptive: bool = False
    target_fps: float | None = None
    is_strict: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: the name cannot be used, or values contradict each other.
        """
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"camera {self.name!r}: a name has 1 to 63 letters, digits, - and _, and begins "
                "with a letter or digit"
            )
        if self.target_fps is not None and not self.is_adaptive:
            raise UsageError(f"camera {self.name}: --target-fps is for --adaptive; give both")
        if self.target_fps is not None and not self.target_fps > 0:
            raise UsageError(f"--target-fps {self.target_fps:g}: must be more than 0")
        if self.estimate_every < 1:
            raise UsageError(f"--estimate-every {self.estimate_every}: must be at least 1")
