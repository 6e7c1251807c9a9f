"""One camera that runs: source, network, outputs and viewers, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing

from streamlight.backends import Backend
from streamlight.cameras.controls import Controls
from streamlight.cameras.outputs import LiveOutputs
from streamlight.cameras.run import CameraRun, Counts
from streamlight.cameras.source import LiveInput, SourceKind, open_live, side_of
from streamlight.cameras.spec import CameraSpec
from streamlight.cameras.status import CameraStatus
from streamlight.enhance import Enhancer
from streamlight.errors import (
    BackendUnavailableError,
    ModelError,
    SinkError,
    SourceError,
    StreamlightError,
    UsageError,
)
from streamlight.look import Look
from streamlight.models.spec import ModelSpec
from streamlight.pipeline import Branch, DropReason
from streamlight.sinks.broadcast import Broadcast
from streamlight.sources.live import LiveSource
from streamlight.sources.reconnect import Backoff, LivePhase, LiveState
from streamlight.urls import mask_text

logger = logging.getLogger(__name__)

DROPS = ("overtaken", *(reason.value for reason in DropReason))
"""Why frames are not shown, as `CameraStatus.drops` names it."""

RESTART = Backoff(first_s=1.0, factor=2.0, cap_s=15.0, stable_s=30.0)
"""Waits before a camera begins anew after a failure that its source does not mend itself."""

StateCallback = Callable[["Camera", LiveState], None]
MessageCallback = Callable[["Camera", str], None]


class Camera:
    """Takes the pictures of one source through the network to its outputs and viewers.

    Its life is a thread that begins anew after a failure which may pass, and ends with the
    stream, with a failure that stays, or by `stop`.

    Attributes:
        name: of the specification.
        spec: what it was told to do.
        broadcast: its enhanced frames, for viewers; the same for all its life.
    """

    def __init__(
        self,
        spec: CameraSpec,
        backend: Backend,
        model: ModelSpec,
        *,
        on_state: StateCallback | None = None,
        on_message: MessageCallback | None = None,
        restart: Backoff = RESTART,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            spec: what to do.
            backend: its share of the network, which it gives back at its end.
            model: that the backend runs.
            on_state: told every change of the camera's state, in one of its threads.
            on_message: told what people should know: an output that failed, advice, notes.
            restart: the waits after failures.
        """
        self.name = spec.name
        self.spec = spec
        self.broadcast = Broadcast()
        self._backend = backend
        self._model = model
        self._on_state = on_state
        self._on_message = on_message
        self._restart = restart
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._live, name=f"streamlight-camera-{spec.name}", daemon=True
        )
        self._state = LiveState()
        self._controls = spec.controls
        self._source: LiveInput | None = None
        self._run: CameraRun | None = None
        self._before = Counts()
        self._restarts = 0

    @property
    def state(self) -> LiveState:
        """What it is doing, why, and since when."""
        return self._state

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise that viewers must turn its pictures by; see `StreamInfo`."""
        run = self._run
        return 0 if run is None else run.rotation

    @property
    def controls(self) -> Controls:
        """How its pictures look."""
        return self._controls

    def set_controls(self, controls: Controls) -> None:
        """Change how its pictures look, from the next frame on; any thread may call it."""
        with self._lock:
            self._controls = controls
            if self._run is not None:
                self._run.apply(controls)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; returns at once, any thread may call it."""
        self._stop.set()
        with self._lock:
            source = self._source
        if source is not None:
            source.interrupt()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; say whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> CameraStatus:
        """Return the figures of this moment; any thread may call it."""
        with self._lock:
            run = self._run
            counts = self._before if run is None else self._before + run.counts()
        state = self._state
        is_running = run is not None and state.phase is LivePhase.CONNECTED
        width, height = self._shown_size()
        return CameraStatus(
            name=self.name,
            source=self.spec.source.name,
            phase=state.phase,
            reason=state.reason,
            since=state.since,
            width=width,
            height=height,
            fps=run.fps if run is not None and is_running else 0.0,
            frames_in=counts.frames_in,
            frames_out=counts.frames_out,
            drops={name: counts.drops.get(name, 0) for name in DROPS},
            reconnects=counts.reconnects,
            restarts=self._restarts,
            files=counts.files,
            viewers=self.broadcast.viewers,
            controls=self._controls,
            **(run.facts() if run is not None else {}),
        )

    def _shown_size(self) -> tuple[int, int] | tuple[None, None]:
        """Width and height of the newest picture: a camera may change its size in mid-stream."""
        frame = self.broadcast.latest
        if frame is None:
            return None, None
        height, width = frame.image.shape[:2]
        return (height, width) if self.rotation % 180 else (width, height)

    # In its own thread

    def _live(self) -> None:
        try:
            self._live_on()
        except Exception as error:  # the thread's outermost frame
            logger.exception("the camera %s has failed", self.name)
            why = mask_text(f"internal error: {type(error).__name__}: {error}")
            self._enter(LivePhase.FAILED, why)
        finally:
            self.broadcast.close()
            self._backend.close()

    def _live_on(self) -> None:
        waits = self._restart.waits()
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run_once()
            except StreamlightError as error:
                if self._stop.is_set():
                    break
                reason = self._without_name(error)
                if self._is_lasting(error):
                    self._enter(LivePhase.FAILED, reason)
                    return
                was_there = self._run is not None
                self._enter(LivePhase.RECONNECTING if was_there else LivePhase.CONNECTING, reason)
            else:
                if not self._stop.is_set():
                    self._enter(LivePhase.ENDED)
                    return
                break
            if time.monotonic() - began > self._restart.stable_s:
                waits = self._restart.waits()
            if not self._stop.wait(next(waits)):
                self._restarts += 1
        self._enter(LivePhase.CLOSED)

    def _run_once(self) -> None:
        """Connect and go on until the stream ends, the camera is stopped, or something fails."""
        if self._state.phase is LivePhase.IDLE:
            self._enter(LivePhase.CONNECTING)
        spec = self.spec
        has_outputs = bool(spec.outputs.targets)
        source = open_live(spec.source, self._take_source_state, with_sound=has_outputs)
        with self._lock:
            self._source = source
        if self._stop.is_set():  # `stop` may have looked before there was a source
            source.interrupt()
        # A service that is started again goes on beside what it recorded before.
        continues = self._restarts > 0 or not spec.outputs.overwrite
        outputs = LiveOutputs(spec.outputs, continues=continues)
        with closing(source), outputs:
            source.connect()
            outputs.open(source.info, side_of(source), self._take_output_state)
            outputs.add(Branch("viewers", self.broadcast, is_optional=True))
            enhancer = Enhancer(
                self._backend,
                self._model,
                Look(compare=spec.compare, rotation=source.info.rotation),
                estimate_every=spec.estimate_every,
                sampling=spec.sampling,
                memory_bytes=spec.memory_bytes,
                skip_bright=spec.skip_bright,
            )
            run = CameraRun(
                source,
                enhancer,
                outputs,
                process_size=spec.process_size,
                is_adaptive=spec.is_adaptive,
                target_fps=spec.target_fps,
            )
            self._begin(run)
            if not isinstance(source, LiveSource):
                self._enter(LivePhase.CONNECTED)
            run.carry_out(
                self._stop,
                strict=spec.is_strict,
                on_failure=self._lose_output,
                on_message=self._tell,
            )

    def _begin(self, run: CameraRun) -> None:
        with self._lock:
            if self._run is not None:
                self._before = self._before + self._run.counts()
            run.apply(self._controls)
            self._run = run

    # What it tells

    def _enter(self, phase: LivePhase, reason: str = "") -> None:
        since = self._state.since if phase is self._state.phase else time.time()
        self._take_state(LiveState(phase, reason, since))

    def _take_state(self, state: LiveState) -> None:
        self._state = state
        if self._on_state is not None:
            self._on_state(self, state)

    def _take_source_state(self, state: LiveState) -> None:
        # How it ends is the camera's to say: it may begin anew.
        if state.phase not in (LivePhase.ENDED, LivePhase.FAILED, LivePhase.CLOSED):
            self._take_state(state)

    def _take_output_state(self, name: str, state: LiveState) -> None:
        if state.reason:
            self._tell(f"{name}: {state.reason}; {state.phase.value}")

    def _lose_output(self, name: str, error: BaseException) -> None:
        self._tell(mask_text(f"{name}: {error}"))

    def _tell(self, text: str) -> None:
        if self._on_message is not None:
            self._on_message(self, text)

    def _without_name(self, error: StreamlightError) -> str:
        return str(error).removeprefix(f"{self.spec.source.name}: ")

    def _is_lasting(self, error: StreamlightError) -> bool:
        """Whether beginning anew would fail in the same way."""
        if isinstance(error, UsageError | ModelError | BackendUnavailableError):
            return True
        if isinstance(error, SourceError):
            # A LiveSource has tried all that makes sense; a device may be plugged in again.
            return self.spec.source.kind is not SourceKind.DEVICE
        return isinstance(error, SinkError) and self._run is None
