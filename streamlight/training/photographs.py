"""The photographs that are trained on: found, read once, and kept small in memory."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.errors import SourceError
from streamlight.frame import Image
from streamlight.sources.pictures import PictureSource
from streamlight.training.draws import Draws

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
SHORT_SIDE = 384
"""Photographs are kept with at most this short side: what is averaged has no noise of its own."""

CACHE_BYTES = 2_000_000_000


def find_photographs(places: Iterable[Path]) -> list[Path]:
    """List the pictures of folders (with theirs), of lists (.txt, one path a line) and of files.

    Raises:
        SourceError: a place is missing, or there is no picture in all of them.
    """
    found: list[Path] = []
    places = list(places)
    for place in places:
        if place.is_dir():
            found += [path for path in _inside(place) if path.suffix.lower() in SUFFIXES]
        elif place.suffix.lower() == ".txt" and place.is_file():
            found += _listed(place)
        elif place.is_file():
            found.append(place)
        else:
            raise SourceError(f"{place}: no such folder, list (.txt) or picture")
    if not found:
        names = ", ".join(str(place) for place in places)
        raise SourceError(f"{names}: no pictures there; expected {', '.join(sorted(SUFFIXES))}")
    return list(dict.fromkeys(found))


class Photographs:
    """Well-exposed photographs by number, in an order that the seed gives.

    Attributes:
        paths: of those that can be read, as far as they were looked at.
        skipped: what was left out, each with its reason.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        short_side: int = SHORT_SIDE,
        cache_bytes: int = CACHE_BYTES,
        on_read: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Read all photographs, so that a bad one is known at the start and not in the night.

        Args:
            paths: of pictures.
            short_side: most pixels of it that are kept.
            cache_bytes: what the cache may take; the rest is read again whenever it comes up.
            on_read: called with how many of how many are read.
            stop: set it from elsewhere to end the reading; what is read by then is all there is.

        Raises:
            SourceError: not one of them can be used.
        """
        self._short_side = short_side
        self._cache: dict[Path, Image] = {}
        self.paths: list[Path] = []
        self.skipped: list[str] = []
        left = cache_bytes
        for number, path in enumerate(paths):
            if stop is not None and stop.is_set():
                return
            try:
                picture = self._read(path)
            except SourceError as error:
                self.skipped.append(str(error))
                continue
            finally:
                if on_read is not None:
                    on_read(number + 1, len(paths))
            self.paths.append(path)
            if picture.nbytes <= left:
                left -= picture.nbytes
                self._cache[path] = picture
        if not self.paths:
            raise SourceError(
                f"none of the {len(paths)} pictures can be trained on: {self.skipped[0]}"
            )

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.paths)

    def batch(self, seed: int, step: int, count: int) -> list[Image]:
        """Return the `count` photographs of a step: each once an epoch, shuffled in every one."""
        total = len(self.paths)
        chosen = []
        for number in range(step * count, (step + 1) * count):
            epoch, place = divmod(number, total)
            order = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
            chosen.append(self.paths[int(torch.randperm(total, generator=order)[place])])
        return [self._cache[p] if p in self._cache else self._read(p) for p in chosen]

    def _read(self, path: Path) -> Image:
        with PictureSource(path) as source:
            image = next(iter(source)).image
        if image.ndim != 3 or image.shape[2] != 3:
            raise SourceError(f"{path}: has the shape {image.shape}; RGB (H, W, 3) was expected")
        if min(image.shape[:2]) < 32:
            raise SourceError(f"{path}: is {image.shape[1]}x{image.shape[0]}; 32x32 is the least")
        if image.dtype != np.uint8:
            image = (image >> 8).astype(np.uint8)
        return smaller(image, self._short_side)


def smaller(image: Image, short_side: int) -> Image:
    """Average a picture down to a short side; one that is smaller stays as it is."""
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return image
    size = (max(32, round(height * scale)), max(32, round(width * scale)))
    x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(x[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def take_frames(photographs: Sequence[Image], height: int, width: int, draws: Draws) -> Tensor:
    """Cut a frame of one size out of each photograph: uint8 (B, 3, height, width).

    One that is too small is enlarged as far as needed. Half of the frames are mirrored.
    """
    frames = []
    for photograph in photographs:
        x = torch.from_numpy(photograph).permute(2, 0, 1)
        scale = max(height / x.shape[1], width / x.shape[2])
        if scale > 1:
            size = max(height, round(x.shape[1] * scale)), max(width, round(x.shape[2] * scale))
            large = F.interpolate(x[None].float(), size, mode="bilinear", align_corners=False)
            x = large[0].round().byte()
        top = draws.integer(0, x.shape[1] - height)
        left = draws.integer(0, x.shape[2] - width)
        x = x[:, top : top + height, left : left + width]
        frames.append(x.flip(2) if draws.integer(0, 1) else x)
    return torch.stack(frames).to(draws.device)


def _inside(folder: Path) -> list[Path]:
    """List the files of a folder and of all folders in it, linked ones too, each of them once."""
    found: list[Path] = []
    seen: set[Path] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        if (real := here.resolve()) in seen:  # such as a link to a folder that holds it
            folders.clear()
            continue
        seen.add(real)
        folders.sort(key=lambda name: ((here / name).is_symlink(), name))
        found += [path for path in (here / name for name in files) if path.is_file()]
    return sorted(found)


def _listed(place: Path) -> list[Path]:
    try:
        lines = place.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{place}: cannot be read as a list of paths ({error})") from error
    paths = [place.parent / line.strip() for line in lines if line.strip()]
    for path in paths:
        if not path.is_file():
            raise SourceError(f"{path}: no such picture; {place} names it")
    return paths
