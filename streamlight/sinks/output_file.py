"""A container that is being written, with libav's errors told as streamlight's."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.container
import av.error
import av.stream

from streamlight.errors import SinkError
from streamlight.sinks.containers import Container, muxer_options
from streamlight.sinks.conversions import codec_name

if TYPE_CHECKING:  # it is in PyAV's stubs only
    from av.container.core import Chapter

_CONTAINER_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Metadata that describes the old file, not the recording."""

_STATISTICS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_")
"""What mkvmerge notes of a stream's size; false for a stream that was encoded again."""


class OutputFile:
    """Takes streams, then packets, and becomes a file.

    Nothing here knows of frames: a video-only segment and a file joined from stored packets are
    written by the same class. Add all streams to `muxer`, then call `start`.

    Attributes:
        target: the name for messages: what the file will be called.
        container: its row of the table.
        muxer: of PyAV.
        lost_tags: keys of the recording's metadata that the container has no place for.
    """

    def __init__(
        self,
        path: Path,
        container: Container,
        *,
        target: Path | None = None,
        metadata: Mapping[str, str] | None = None,
        chapters: Iterable[Chapter] = (),
    ) -> None:
        """Open a file for writing.

        Args:
            path: to write.
            container: chooses the muxer.
            target: for messages, where `path` is only its temporary name.
            metadata: of the recording.
            chapters: as PyAV gives them.

        Raises:
            SinkError: the file cannot be opened.
        """
        self.target = target or path
        self.container = container
        metadata = metadata or {}
        with self.translated():
            self.muxer = av.open(
                os.path.abspath(path),  # a name with a colon would be one of a protocol
                "w",
                format=container.muxer,
                container_options=muxer_options(container, metadata),
            )
            tags = {key: value for key, value in metadata.items() if _describes_recording(key)}
            self.lost_tags = [] if container.holds_tags else sorted(tags)
            self.muxer.metadata.update(tags)
            self.muxer.set_chapters(list(chapters))

    def start(self) -> None:
        """Write the header; after it, no stream can be added.

        Raises:
            SinkError: the container refuses a stream, or the disk is full.
        """
        with self.translated():
            self.muxer.start_encoding()

    def mux(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Write packets, whose `stream` is one of this file's.

        Raises:
            SinkError: the disk is full, or a timestamp is impossible.
        """
        with self.translated():
            for packet in packets:
                self.muxer.mux(packet)

    def close(self) -> None:
        """Complete the file.

        Raises:
            SinkError: the disk is full.
        """
        with self.translated():
            self.muxer.close()

    def close_quietly(self) -> None:
        """Give up the file, whatever state it is in."""
        with suppress(av.error.FFmpegError, OSError):
            self.muxer.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn libav's errors into one that names the file and the remedy."""
        try:
            yield
        except av.error.FFmpegError as error:
            if error.errno == errno.ENOSPC:
                raise SinkError(
                    f"{self.target}: the disk is full; free some space or write elsewhere"
                ) from error
            raise SinkError(f"{self.target}: writing failed ({error.strerror})") from error


def describes_stream(key: str) -> bool:
    """Whether a tag of a stream is still true of it when it was encoded again."""
    return _describes_recording(key) and not key.upper().startswith(_STATISTICS)


def can_hold(container: Container, template: av.stream.Stream) -> bool:
    """Try to write the header of a file with nothing but a copy of that stream."""
    known = container.data_codecs if template.type == "data" else container.side_codecs
    if known is not None and codec_name(template) not in known:
        return False
    # in memory: PyAV 18 leaves a file of its own open when the header is refused
    trial = av.open(io.BytesIO(), "w", format=container.muxer)
    try:
        trial.add_stream_from_template(template, opaque=True)
        trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    finally:
        with suppress(av.error.FFmpegError):
            trial.close()
    return True


def _describes_recording(key: str) -> bool:
    return key.lower() not in _CONTAINER_KEYS
