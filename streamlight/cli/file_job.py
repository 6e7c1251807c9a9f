"""What `streamlight file` does with one file: enhance it, and check the result where asked."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlight.api import FileResult, enhance_file
from streamlight.enhance import Enhancer
from streamlight.errors import UsageError
from streamlight.look import Look
from streamlight.sinks import EncoderOptions
from streamlight.sources import ReaderOptions
from streamlight.verify import Verification, verify_file

VERIFY = ("off", "streams", "frames")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """The options that are the same for every file.

    Attributes:
        network: keyword arguments of `enhance_file` for the network and its smoothing.
        look: strength, exposure, before-and-after picture.
        reader: of video files.
        encoder: of video files.
        post_filter: before the encoder.
        frame_rate: of numbered pictures.
        quality: of pictures.
        overwrite: replace existing outputs.
        keep_partial: keep what was done when stopped or failed.
        resume: keep the work on disk, and go on with it.
        verify: "off", "streams" or "frames".
        hwaccel: what decodes, "auto", "none" or "cuda".
    """

    network: dict[str, Any]
    look: Look
    reader: ReaderOptions
    encoder: EncoderOptions
    post_filter: str | None = None
    frame_rate: str | None = None
    quality: int | None = None
    overwrite: bool = False
    keep_partial: bool = False
    resume: bool = False
    verify: str = "off"
    hwaccel: str = "auto"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: there is no such check.
        """
        if self.verify not in VERIFY:
            raise UsageError(f"--verify {self.verify}: choose one of {', '.join(VERIFY)}")

    def open_enhancer(self) -> Enhancer:
        """Open the network for many files."""
        network = dict(self.network)
        return Enhancer.open(parallel=network.pop("streams", None), **network)

    def enhance(
        self,
        source: Path,
        target: Path,
        *,
        enhancer: Enhancer | None = None,
        stop: threading.Event | None = None,
        on_open: Callable[[Any, Enhancer], None] | None = None,
        on_progress: Callable[[Any], None] | None = None,
    ) -> FileResult:
        """Enhance a file; the arguments are those of `enhance_file`."""
        network = self.network if enhancer is None else {"enhancer": enhancer}
        return enhance_file(
            source,
            target,
            **network,
            look=self.look,
            reader=self.reader,
            encoder=self.encoder,
            post_filter=self.post_filter,
            frame_rate=self.frame_rate,
            quality=self.quality,
            overwrite=self.overwrite,
            keep_partial=self.keep_partial,
            resume=self.resume,
            hwaccel=self.hwaccel,
            stop=stop,
            on_open=on_open,
            on_progress=on_progress,
        )

    def check(self, source: Path, result: FileResult) -> Verification | None:
        """Compare a written file with its input; None where that is not asked for or not possible.

        Raises:
            SourceError: the input cannot be read any more.
            SinkError: the output cannot be read.
        """
        if self.verify == "off" or result.output is None or result.expected is None:
            return None
        return verify_file(
            source, result.output, deep=self.verify == "frames", expected=result.expected
        )
