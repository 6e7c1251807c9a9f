"""Live pictures by WebRTC: one peer connection for each viewer."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import aiortc
from aiortc.codecs import h264, vpx
from aiortc.mediastreams import MediaStreamError

from streamlight.cameras.camera import Camera
from streamlight.sinks.view import View, video_frame
from streamlight.web.pictures import FrameStream, watching

logger = logging.getLogger(__name__)

CONNECT_S = 15.0
"""A viewer who is not connected after so long is gone."""

TIME_BASE = Fraction(1, 90_000)

_BITRATES = {"DEFAULT_BITRATE": 2_500_000, "MAX_BITRATE": 8_000_000}
"""aiortc begins with half a megabit and ends at 1.5, meant for faces in calls over the internet;
the viewers here are mostly on the same computer or in the same house. It has no other way to say
so than these constants. The receiver's estimate still lowers the rate (REMB)."""


class ViewTrack(aiortc.MediaStreamTrack):
    """The pictures of a camera, as fast as the viewer takes them.

    Attributes:
        view: what the viewer wants; may be replaced at any time.
    """

    kind = "video"

    def __init__(
        self, camera: Camera, stream: FrameStream, view: View, workers: ThreadPoolExecutor
    ) -> None:
        """Take frames of a stream, and let `workers` scale them."""
        super().__init__()
        self.view = view
        self._camera = camera
        self._stream = stream
        self._workers = workers
        self._began_s: float | None = None
        self._last_pts = -1

    async def recv(self) -> Any:
        """Return the next picture.

        Raises:
            MediaStreamError: there will be none.
        """
        frame = await self._stream.next() if self.readyState == "live" else None
        if frame is None:
            self.stop()
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        picture = await loop.run_in_executor(
            self._workers, video_frame, frame, self.view, self._camera.rotation
        )
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = now_s
        pts = max(self._last_pts + 1, round((now_s - self._began_s) / TIME_BASE))
        self._last_pts = picture.pts = pts
        picture.time_base = TIME_BASE
        return picture


@dataclass(slots=True)
class _Viewer:
    track: ViewTrack
    stream: FrameStream
    task: asyncio.Task[None]


class Viewers:
    """All WebRTC viewers of a page."""

    def __init__(self) -> None:
        """Prepare; there is no viewer yet."""
        for codec in (vpx, h264):
            for name, bitrate in _BITRATES.items():
                setattr(codec, name, bitrate)
        self._viewers: dict[str, _Viewer] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="streamlight-view")

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._viewers) + len(self._opening)

    async def answer(self, camera: Camera, offer: str, view: View, name: str) -> str:
        """Let a viewer in.

        Args:
            camera: to show.
            offer: SDP of the browser, with all its candidates.
            view: what it wants.
            name: of the viewer, for `change` and `close`; hard to guess.

        Returns:
            The SDP of this side, with all its candidates.

        Raises:
            ValueError: the offer cannot be understood.
        """
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._serve(camera, offer, view, name, answered))
        self._opening.add(task)
        try:
            return await asyncio.shield(answered)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._opening.discard(task)

    def change(self, name: str, *, compare: bool | None = None, rows: int | None = None) -> bool:
        """Change what a viewer gets, from the next picture on; False where there is no such."""
        viewer = self._viewers.get(name)
        if viewer is None:
            return False
        view = viewer.track.view
        viewer.track.view = replace(
            view,
            compare=view.compare if compare is None else compare,
            rows=view.rows if rows is None else rows,
        )
        viewer.stream.subscription.wants_original = viewer.track.view.compare
        return True

    async def close(self, name: str) -> None:
        """Send a viewer away; does nothing where there is no such."""
        viewer = self._viewers.get(name)
        if viewer is not None:
            viewer.task.cancel()
            await asyncio.wait([viewer.task])

    async def close_all(self) -> None:
        """Send all away, those who are coming as well, and end the threads."""
        tasks = {viewer.task for viewer in self._viewers.values()} | self._opening
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _serve(
        self, camera: Camera, offer: str, view: View, name: str, answered: asyncio.Future[str]
    ) -> None:
        """Hold the connection of one viewer until it ends."""
        connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        ended = asyncio.Event()
        connected = asyncio.Event()

        def note_state() -> None:
            if connection.connectionState == "connected":
                connected.set()
            elif connection.connectionState in ("failed", "closed"):
                ended.set()

        connection.on("connectionstatechange", note_state)
        try:
            async with watching(camera, compare=view.compare) as stream:
                track = ViewTrack(camera, stream, view, self._workers)
                track.on("ended", ended.set)
                try:
                    async with asyncio.timeout(CONNECT_S):
                        answered.set_result(await _answer(connection, track, offer))
                except Exception as error:  # whatever a stranger's SDP does to the parser
                    answered.set_exception(ValueError(f"the offer cannot be used: {error}"))
                    return
                task = cast(asyncio.Task[None], asyncio.current_task())
                self._viewers[name] = _Viewer(track, stream, task)
                waits = [asyncio.create_task(event.wait()) for event in (connected, ended)]
                done, _ = await asyncio.wait(
                    waits, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED
                )
                for wait in waits:
                    wait.cancel()
                if not done:
                    logger.info("a viewer of %s did not connect", camera.name)
                elif connected.is_set():
                    await ended.wait()
        finally:
            self._viewers.pop(name, None)
            if not answered.done():
                answered.cancel()
            await connection.close()


async def _answer(connection: Any, track: ViewTrack, offer: str) -> str:
    await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp=offer, type="offer"))
    videos = [one for one in connection.getTransceivers() if one.kind == "video"]
    if not videos:
        raise ValueError("it asks for no video")
    connection.addTrack(track)
    await connection.setLocalDescription(await connection.createAnswer())
    return str(connection.localDescription.sdp)
