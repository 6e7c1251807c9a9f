"""Still pictures, made when a test wants one, and exiftool's word on those that were written."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None,
    reason="exiftool is not installed: apt-get install libimage-exiftool-perl",
)

SIZE = (24, 16)
"""Width and height of the pictures, of which one side is the multiple of 8 that JPEG likes."""

MAKER_NOTE = b"Maker\0" + bytes(range(200))


def quarters(dtype: type[np.unsignedinteger[Any]] = np.uint8) -> NDArray[Any]:
    """Return a dark picture whose four quarters differ, so that no turn of it is mistaken."""
    width, height = SIZE
    image = np.zeros((height, width, 3), dtype)
    step = 1 if dtype is np.uint8 else 257
    image[: height // 2, : width // 2] = np.array([60, 10, 10]) * step
    image[: height // 2, width // 2 :] = np.array([10, 60, 10]) * step
    image[height // 2 :, : width // 2] = np.array([10, 10, 60]) * step
    image[height // 2 :, width // 2 :] = np.array([50, 50, 20]) * step
    return image


def deep_noise(channels: int) -> NDArray[np.uint16]:
    """Return noise of 16 bits (H, W, channels), of which every bit counts."""
    width, height = SIZE
    random = np.random.default_rng(channels)
    return random.integers(0, 65536, (height, width, channels), dtype=np.uint16)


def photo_exif(
    orientation: int = 1, size: tuple[int, int] = SIZE, maker_note: bytes = MAKER_NOTE
) -> Image.Exif:
    """Return what a camera writes: maker, date, place, maker note, and a size."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0132] = "Maker", "2024:01:02 03:04:05"
    exif[0x0112] = orientation
    date = "2024:01:02 03:04:05"
    exif[0x8769] = {0x9003: date, 0x927C: maker_note, 0xA002: size[0], 0xA003: size[1]}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    loaded = Image.Exif()  # Pillow saves only such to TIFF with all that is in them
    loaded.load(exif.tobytes())
    return loaded


@cache  # it holds the time of its making
def profile(kind: str = "sRGB") -> bytes:
    """Return a colour profile of RGB pixels, or of "LAB"."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()  # type: ignore[arg-type]


def stored(upright: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return how a camera stores a picture that has to be turned by `orientation` (EXIF 2.32)."""
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),  # shown turned clockwise
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](upright))


def exiftool(path: Path) -> dict[str, Any]:
    """Return all tags as exiftool sees them, by "group:name", with numbers as numbers."""
    command = ["exiftool", "-j", "-n", "-G1", "-struct", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return dict(found[0])


class Doubler:
    """Stands in for the enhancer: a result of which each value can be told.

    Attributes:
        times: what `estimate` was given.
    """

    def __init__(self) -> None:
        self.times: list[float | None] = []

    @property
    def parallel(self) -> int:
        return 1

    def estimate(self, image: NDArray[Any], time_s: float | None = None) -> NDArray[np.float32]:
        self.times.append(time_s)
        return np.zeros((1, 1, 96, 96), np.float32)

    def reconstruct(self, image: NDArray[Any], prior: NDArray[np.float32]) -> NDArray[Any]:
        peak = np.iinfo(image.dtype).max
        return np.minimum(image.astype(np.uint32) * 2, peak).astype(image.dtype)


def write_pictures(folder: Path, count: int = 3, scale: float = 1.0) -> Path:
    """Write smooth colourful photographs (128x160) into a new folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        smooth = np.random.default_rng(number).integers(30, 250, (8, 10, 3)).astype(np.uint8)
        large = Image.fromarray(smooth).resize((160, 128), Image.Resampling.BICUBIC)
        Image.fromarray((np.asarray(large) * scale).astype(np.uint8)).save(folder / f"{number}.png")
    return folder
