"""Temporal denoising: what it takes away, and what it must not touch."""

from pathlib import Path

import numpy as np
import pytest
from clips import grey_picture, make_clip, number_of
from numpy.typing import NDArray

from streamlight.errors import UsageError
from streamlight.sources import FileSource
from streamlight.sources.denoise import denoised_images

TIMES = [0, 1, 2, 4, 5, 9, 10, 11, 15, 16, 17, 18]
"""In frames: variable rate."""


def noisy_picture(index: int, width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(index)
    noise = rng.normal(0, 3, (height, width, 3))
    return np.clip(60 + noise, 0, 255).round().astype(np.uint8)


def images(path: Path, level: str) -> NDArray[np.uint8]:
    with FileSource(path, denoise=level) as source:
        return np.stack([frame.image for frame in source])


@pytest.mark.parametrize(("level", "most"), [("light", 0.9), ("strong", 0.6)])
def test_noise_of_a_static_scene_gets_less(tmp_path: Path, level: str, most: float) -> None:
    clip = tmp_path / "noisy.mp4"
    make_clip(clip, picture=noisy_picture, size=(64, 48), pts=range(20), options={"crf": "0"})

    before = images(clip, "off")[5:15].std(axis=0).mean()
    after = images(clip, level)[5:15].std(axis=0).mean()

    assert after < most * before


@pytest.mark.parametrize("level", ["light", "strong"])
def test_every_frame_stays_itself_and_at_its_time(tmp_path: Path, level: str) -> None:
    clip = tmp_path / "vfr.mp4"
    make_clip(clip, picture=grey_picture, size=(64, 48), pts=TIMES)

    with FileSource(clip) as source:
        plain = [(frame.pts, frame.index, number_of(frame.image)) for frame in source]
    with FileSource(clip, denoise=level) as source:
        denoised = [(frame.pts, frame.index, number_of(frame.image)) for frame in source]

    assert denoised == plain
    assert len(plain) == len(TIMES)


@pytest.mark.parametrize("level", ["off", "light", "strong"])
def test_frames_in_memory_are_denoised_and_otherwise_kept(level: str) -> None:
    noisy = [noisy_picture(index, 64, 48) for index in range(20)]
    clean = [grey_picture(index, 64, 48) for index in range(20)]

    after = denoised_images(noisy, level)

    ratio = np.std(after[5:15], axis=0).mean() / np.std(noisy[5:15], axis=0).mean()
    assert {"off": ratio == 1, "light": 0.6 < ratio < 0.9, "strong": ratio < 0.6}[level], ratio
    assert np.array_equal(denoised_images(clean, level), clean)


def test_an_unknown_level_is_refused_before_the_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="off, light, strong"):
        FileSource(tmp_path / "missing.mp4", denoise="much")
