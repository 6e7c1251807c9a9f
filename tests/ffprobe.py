"""What ffprobe and ffmpeg, which share no code with streamlight, say of a file.

They come from the system, and are another version of libav than the one inside PyAV.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

needs_ffmpeg = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")),
    reason="ffmpeg and ffprobe are not installed: apt-get install ffmpeg",
)

EXACT = "bilinear+accurate_rnd+full_chroma_int"


@dataclass(frozen=True, slots=True)
class Packet:
    """A coded packet as it lies in the file.

    Attributes:
        pts_s: presentation time; None when the file states none.
        size: in bytes.
        digest: of the bytes.
    """

    pts_s: float | None
    size: int
    digest: str


class Probe:
    """A file, as ffprobe reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = _ffprobe(path, "-show_streams", "-show_format", "-show_chapters")
        self.format: dict[str, Any] = found["format"]
        self.streams: list[dict[str, Any]] = found["streams"]
        self.chapters: list[dict[str, Any]] = found["chapters"]

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.format.get("tags", {}))

    @property
    def video(self) -> dict[str, Any]:
        return self.of_type("video")[0]

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        return [stream for stream in self.streams if stream["codec_type"] in kinds]

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise that a player turns the picture by."""
        for data in self.video.get("side_data_list", []):
            if "rotation" in data:
                return int(data["rotation"])
        return 0

    def frame_times_s(self) -> list[float]:
        """Presentation time of every picture of the first video stream, in order."""
        entries = "frame=pts_time,best_effort_timestamp_time"
        found = _ffprobe(self.path, "-select_streams", "v:0", "-show_entries", entries)
        return [
            float(f.get("pts_time") or f["best_effort_timestamp_time"]) for f in found["frames"]
        ]

    def packets(self, stream: int) -> list[Packet]:
        """Packets of the stream with that index."""
        entries = "packet=pts_time,size,data_hash"
        found = _ffprobe(
            self.path,
            *("-select_streams", str(stream), "-show_entries", entries, "-show_data_hash", "md5"),
        )
        return [
            Packet(
                float(p["pts_time"]) if "pts_time" in p else None, int(p["size"]), p["data_hash"]
            )
            for p in found["packets"]
        ]


def decode(
    path: Path, *, filters: str = "", rotate: bool = False, range_: str = ""
) -> NDArray[np.uint8]:
    """Decode the first video stream with ffmpeg: RGB (N, H, W, 3), by swscale's exact path."""
    probe = Probe(path)
    width, height = int(probe.video["width"]), int(probe.video["height"])
    if rotate and probe.rotation % 180:
        width, height = height, width
    chain = ",".join(filter(None, [filters, f"scale=flags={EXACT}", "format=rgb24"]))
    command = ["ffmpeg", "-v", "error", *([] if rotate else ["-noautorotate"]), "-i", str(path)]
    command += ["-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough"]
    command += ["-sws_flags", EXACT, "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two equally large stacks of 8-bit pictures."""
    assert one.shape == other.shape
    error = float(np.square(one.astype(np.float32) - other).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def mean_error(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean of `other - one` of each channel, (3,): a drift of colour that PSNR hides."""
    assert one.shape == other.shape
    difference = other.astype(np.float32) - one
    return np.asarray(difference.mean(axis=tuple(range(difference.ndim - 1)), dtype=np.float64))


def _ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "quiet", *arguments, "-of", "json", str(path)]
    found = subprocess.run(command, check=True, capture_output=True).stdout
    return dict(json.loads(found))
