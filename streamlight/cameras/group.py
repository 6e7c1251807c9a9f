"""Many cameras in one process, with one engine between them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from streamlight.backends import BackendInfo, choose
from streamlight.backends.hot_swap import Swap, swaps_of
from streamlight.backends.shared import SharedBackend
from streamlight.cameras.camera import Camera, MessageCallback, StateCallback
from streamlight.cameras.outputs import place_of
from streamlight.cameras.spec import CameraSpec
from streamlight.errors import UsageError
from streamlight.models.spec import ModelSpec
from streamlight.urls import mask_url

logger = logging.getLogger(__name__)

STOP_S = 12.0
"""How long `stop` waits at most: recordings on a slow disk have 10 s to be completed."""


def check_together(specs: Sequence[CameraSpec]) -> None:
    """Check that cameras do not get in each other's way.

    Raises:
        UsageError: there is none, or two have the same name or the same output.
    """
    if not specs:
        raise UsageError("there is no camera; give at least one source")
    names: set[str] = set()
    outputs: dict[str, str] = {}
    for spec in specs:
        if spec.name.casefold() in names:
            raise UsageError(f"camera {spec.name}: the name is taken twice; choose another")
        names.add(spec.name.casefold())
        targets = [place_of(target) for target in spec.outputs.targets]
        if spec.outputs.has_virtual_camera:
            targets.append("the virtual camera")
        for target in targets:
            other = outputs.setdefault(target, spec.name)
            if other != spec.name:
                raise UsageError(
                    f"camera {spec.name}: {mask_url(target)} is an output of {other} already"
                )


class CameraGroup:
    """Opens the network once, and runs cameras on it.

        with CameraGroup([CameraSpec(name="door", source=...), ...]) as group:
            group.start()
            group.wait()

    A camera more costs its frames; the weights are there once. When there is not time for all
    frames, every camera gets the same share of the network's time.

    Attributes:
        cameras: by name, in the order of the specifications.
        model: that runs.
        reason: why this backend was chosen.
    """

    def __init__(
        self,
        specs: Sequence[CameraSpec],
        *,
        model: str = "auto",
        backend: str = "auto",
        device: str | None = None,
        precision: str | None = None,
        engine_dir: Path | None = None,
        on_state: StateCallback | None = None,
        on_message: MessageCallback | None = None,
    ) -> None:
        """Open the network; no camera begins yet.

        Args:
            specs: of the cameras, at least one, each with a name of its own.
            model: see `Enhancer.open`.
            backend: likewise.
            device: likewise.
            precision: likewise.
            engine_dir: likewise.
            on_state: see `Camera`.
            on_message: see `Camera`.

        Raises:
            BackendUnavailableError: the backend cannot run here.
            UsageError: a name is unknown or taken twice, or there is no camera.
        """
        check_together(specs)
        # One camera wants each picture soon; several want the most pictures in all.
        choice = choose(
            model,
            backend,
            device,
            precision,
            1 if len(specs) == 1 else None,
            engine_dir=engine_dir,
            hot_swap=True,
        )
        self.model: ModelSpec = choice.model
        self.reason = choice.reason
        self._backend = choice.backend
        self._shared = SharedBackend(choice.backend)
        self._cameras = {
            spec.name: Camera(
                spec,
                self._shared.lease(spec.name),
                choice.model,
                on_state=on_state,
                on_message=on_message,
            )
            for spec in specs
        }
        self._is_started = False

    def __enter__(self) -> Self:
        """Return the group itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop all cameras and free the device."""
        self.stop()

    @property
    def info(self) -> BackendInfo:
        """What runs the network."""
        return self._shared.info

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """What became of a better backend that was to take over."""
        return swaps_of(self._backend)

    @property
    def cameras(self) -> Mapping[str, Camera]:
        """The cameras by name."""
        return self._cameras

    def start(self) -> None:
        """Begin; returns at once, the cameras connect by themselves."""
        self._is_started = True
        for camera in self._cameras.values():
            camera.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until every camera has ended by itself, or the time is over; say which."""
        deadline = time.monotonic() + timeout_s
        cameras = self._cameras.values()
        return all(camera.join(max(0.0, deadline - time.monotonic())) for camera in cameras)

    def stop(self) -> None:
        """Stop all cameras, complete their recordings, and free the device.

        Sources and viewers that do not answer hold it up by less than 3 s; recordings that are
        being completed by at most `STOP_S`.
        """
        for camera in self._cameras.values():
            camera.stop()
        if self._is_started and not self.wait(STOP_S):
            late = [name for name, camera in self._cameras.items() if not camera.join(0)]
            logger.warning("did not end within %g s: %s", STOP_S, ", ".join(late))
        self._shared.close()
