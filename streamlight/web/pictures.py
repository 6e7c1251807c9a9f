"""Pictures of a camera for its viewers: made once for all who want them alike, not in the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from streamlight.cameras.camera import Camera
from streamlight.frame import Frame
from streamlight.sinks.broadcast import Subscription
from streamlight.sinks.view import View, jpeg

WORKERS = 2
"""Threads that scale and encode stills: more would take time from the network."""


class FrameStream:
    """The frames of one camera for one viewer, awaited in an event loop."""

    def __init__(self, subscription: Subscription, changed: asyncio.Event) -> None:
        """Wrap a subscription whose `on_frame` sets `changed` in the loop."""
        self.subscription = subscription
        self._changed = changed

    async def next(self) -> Frame | None:
        """Wait for a frame that was not taken yet; None when none will come any more."""
        while True:
            self._changed.clear()
            frame = self.subscription.get()
            if frame is not None:
                return frame
            if self.subscription.is_ended:
                return None
            await self._changed.wait()


@asynccontextmanager
async def watching(camera: Camera, *, compare: bool) -> AsyncIterator[FrameStream]:
    """Watch a camera within the block."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(changed.set)

    with camera.broadcast.subscribe(wants_original=compare, on_frame=tell) as subscription:
        yield FrameStream(subscription, changed)


class Stills:
    """JPEGs of the cameras; viewers who want the same picture get the same bytes."""

    def __init__(self) -> None:
        """Start the threads that encode."""
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="streamlight-stills")
        self._latest: dict[str, tuple[Frame, dict[View, asyncio.Future[bytes]]]] = {}

    async def jpeg(self, camera: Camera, frame: Frame, view: View) -> bytes:
        """Return a frame as JPEG."""
        newest, made = self._latest.get(camera.name, (None, {}))
        if newest is not frame:  # what was made of the frame before is of no use any more
            made = {}
            self._latest[camera.name] = (frame, made)
        if view not in made:
            loop = asyncio.get_running_loop()
            made[view] = loop.run_in_executor(self._workers, jpeg, frame, view, camera.rotation)
        return await asyncio.shield(made[view])

    def close(self) -> None:
        """End the threads."""
        self._latest.clear()
        self._workers.shutdown(cancel_futures=True)
