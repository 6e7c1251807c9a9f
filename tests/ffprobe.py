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

_EXACT = "bilinear+accurate_rnd+full_chroma_int"


@dataclass(frozen=True, slots=True)
class Packet:
    """A coded packet as it lies in the file.

    Attributes:
        pts_s: presentation time; None when the file states none.
        digest: MD5 of its bytes.
    """

    pts_s: float | None
    digest: str


class Probe:
    """A file as ffprobe reads it, every packet and picture of it."""

    def __init__(self, path: Path) -> None:
        command = ["ffprobe", "-v", "quiet", "-show_streams", "-show_format", "-show_chapters"]
        command += ["-show_packets", "-show_frames", "-show_data_hash", "md5", "-of", "json"]
        found = json.loads(
            subprocess.run([*command, str(path)], check=True, capture_output=True).stdout
        )
        self.path = path
        self.format: dict[str, Any] = found["format"]
        self.streams: list[dict[str, Any]] = found["streams"]
        self.chapters: list[dict[str, Any]] = found["chapters"]
        self._items: list[dict[str, Any]] = found["packets_and_frames"]

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

    @property
    def frame_times_s(self) -> list[float]:
        """Presentation time of every picture of the first video stream, in order."""
        index = self.video["index"]
        return [
            float(item.get("pts_time") or item["best_effort_timestamp_time"])
            for item in self._items
            if item["type"] == "frame" and item["stream_index"] == index
        ]

    def packets(self, stream: int) -> list[Packet]:
        """Packets of the stream with that index."""
        return [
            Packet(float(item["pts_time"]) if "pts_time" in item else None, item["data_hash"])
            for item in self._items
            if item["type"] == "packet" and item["stream_index"] == stream
        ]

    def decode(self, *, rotate: bool = False, matrix: str = "auto") -> NDArray[np.uint8]:
        """Decode the first video stream with ffmpeg: RGB (N, H, W, 3), by swscale's exact path.

        Args:
            rotate: turn the pictures as a player does.
            matrix: of a file that states none, for which ffmpeg always takes BT.601.
        """
        width, height = int(self.video["width"]), int(self.video["height"])
        if rotate and self.rotation % 180:
            width, height = height, width
        chain = f"scale=flags={_EXACT}:in_color_matrix={matrix},format=rgb24"
        command = ["ffmpeg", "-v", "error", *([] if rotate else ["-noautorotate"])]
        command += ["-i", str(self.path), "-map", "0:v:0", "-vf", chain]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]  # since ffmpeg 5.1
        raw = subprocess.run(command, check=True, capture_output=True).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two equally large stacks of 8-bit pictures."""
    assert one.shape == other.shape
    squares = [
        float(np.square(a.astype(np.float32) - b).mean())
        for a, b in zip(one, other, strict=True)  # a stack of floats would be large
    ]
    return float(10 * np.log10(255**2 / max(float(np.mean(squares)), 1e-10)))


def mean_error(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean of `other - one` of each channel, (3,): a drift of colour that PSNR hides."""
    assert one.shape == other.shape
    means = [b.mean(axis=(0, 1)) - a.mean(axis=(0, 1)) for a, b in zip(one, other, strict=True)]
    return np.asarray(np.mean(means, axis=0))
