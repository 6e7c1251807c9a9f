"""Opening a file of any format, with libav's errors in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.stream
from av.codec.hwaccel import HWAccel
from av.video.stream import VideoStream

from streamlight.errors import SourceError


def open_input(path: Path, hwaccel: HWAccel | None = None) -> av.container.InputContainer:
    """Open a file to read; what is in it is not looked at.

    Args:
        path: of the file.
        hwaccel: of the decoders; None for software.

    Raises:
        SourceError: it is missing, a folder, empty, unreadable, or of no format that libav knows.
    """
    try:
        if not path.exists():
            raise SourceError(f"{path}: no such file")
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; a video file was expected")
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        # "Movie: part 1.mp4" would be a file of the protocol "Movie"
        return av.open(os.path.abspath(path), metadata_errors="replace", hwaccel=hwaccel)
    except av.error.PermissionError as error:
        raise SourceError(f"{path}: no permission to read it") from error
    except av.error.FFmpegError as error:
        raise SourceError(
            f"{path}: not a video, or damaged beyond reading ({error.strerror})"
        ) from error


@contextmanager
def opened_input(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a file for a block, and close it by `close_input`.

    Raises:
        SourceError: as of `open_input`.
    """
    container = open_input(path)
    try:
        yield container
    finally:
        close_input(container)


def close_input(container: av.container.InputContainer) -> None:
    """Close a container after the threads of its decoders have come to rest.

    PyAV (18.1) frees a decoder with Python's lock held, and waits for its threads; one that has
    something to log just then waits for the lock, and both for ever (`libav_log`).
    """
    for video in container.streams.video:
        if video.codec_context is not None:
            video.codec_context.flush_buffers()  # waits without the lock
    container.close()


def choose_video(container: av.container.InputContainer) -> VideoStream | None:
    """Choose the video stream: the default one if marked, never a cover picture; None if none."""
    attached = av.stream.Disposition.attached_pic
    videos = [s for s in container.streams.video if not s.disposition & attached]
    return max(
        videos, key=lambda s: bool(s.disposition & av.stream.Disposition.default), default=None
    )


def packets_of(
    container: av.container.InputContainer, *streams: av.stream.Stream
) -> Iterator[av.Packet[Any]]:
    """Yield the packets of some streams, or of all, also where streams begin in mid-file.

    At the very end, PyAV 18 looks for streams that were not there at the start, and fails.
    """
    with suppress(IndexError):
        yield from container.demux(*streams)


def undo_guessed_delay(
    packet: av.Packet[Any], container: av.container.InputContainer, video: VideoStream
) -> None:
    """Show a picture when its turn in an AVI file comes, where none comes before its turn.

    AVI numbers its packets and states no times. libavformat 8 takes all H.264 in it for
    reordered, and makes up times that are one frame late; those of the sound are not.
    """
    is_reordered = video.codec_context.has_b_frames
    if container.format.name == "avi" and not is_reordered and packet.dts is not None:
        packet.pts = packet.dts
