"""SRT, which PyAV's wheels are built without, through the program ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from typing import IO, cast

from streamlight.sources.live_failures import Cause, LiveError
from streamlight.urls import mask_text, mask_url

SAID_MOST = 2000
"""Characters of ffmpeg's complaints that are kept."""


class SrtBridge:
    """A process of ffmpeg that receives SRT and hands its MPEG-TS over unchanged.

    ffmpeg gets the URL as a playlist on its standard input, not as an argument: those are shown to
    every user of the computer, and the URL may hold a passphrase.

    Attributes:
        url: of the pipe, for libav; MPEG-TS.
    """

    def __init__(self, url: str) -> None:
        """Start ffmpeg.

        Args:
            url: beginning with srt://.

        Raises:
            LiveError: there is no ffmpeg.
        """
        program = shutil.which("ffmpeg")
        if program is None:
            raise LiveError(
                mask_url(url),
                Cause.UNSUPPORTED,
                "this build of PyAV has no SRT; install the program ffmpeg, which is used then",
            )
        self._name = mask_url(url)
        self._process = subprocess.Popen(
            [
                *(program, "-hide_banner", "-loglevel", "error"),
                *("-analyzeduration", "500000", "-fflags", "nobuffer"),
                *("-protocol_whitelist", "pipe,file,fd,srt,udp"),
                *("-f", "concat", "-safe", "0", "-i", "pipe:0"),
                *("-map", "0", "-c", "copy", "-copyts"),
                *("-f", "mpegts", "-flush_packets", "1", "pipe:1"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        quoted = url.replace("'", r"'\''")
        playlist = cast(IO[bytes], self._process.stdin)
        playlist.write(f"ffconcat version 1.0\nfile '{quoted}'\n".encode())
        playlist.close()
        self.url = f"pipe:{cast(IO[bytes], self._process.stdout).fileno()}"

    def stop(self) -> None:
        """End ffmpeg, so that reading the pipe ends. Any thread may call it, more than once."""
        self._process.kill()

    def close(self) -> None:
        """End ffmpeg and let go of the pipe, once nobody reads it any more."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def failure(self) -> LiveError:
        """Describe why ffmpeg brought nothing, in its own words."""
        self._process.kill()
        complaints = cast(IO[bytes], self._process.stderr).read(SAID_MOST).decode(errors="replace")
        lines = [line.strip() for line in mask_text(complaints).splitlines() if line.strip()]
        said = lines[0] if lines else "it said nothing"
        return LiveError(self._name, Cause.NO_ANSWER, f"ffmpeg received nothing over SRT ({said})")
