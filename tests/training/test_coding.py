"""JPEG and H.264: against the real codecs."""

import io

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from training_samples import photograph

from streamlight.frame import Image
from streamlight.training.jpeg import CHROMINANCE, LUMINANCE, cosines, jpeg, quantisation
from streamlight.training.video_coding import h264


def noisy_photograph() -> Image:
    noise = np.random.default_rng(0).normal(0, 12, (128, 160, 3))
    return np.clip(photograph(1) + noise, 0, 255).astype(np.uint8)


def psnr(a: Image, b: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("quality", [30, 75])
def test_jpeg_is_what_pillow_makes(quality: int) -> None:
    picture = noisy_photograph()
    file = io.BytesIO()
    Pillow.fromarray(picture).save(file, "jpeg", quality=quality, subsampling="4:2:0")
    expected = np.asarray(Pillow.open(file))
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    coded = jpeg(x, torch.tensor([float(quality)]))[0].permute(1, 2, 0) * 255
    ours = np.asarray(coded.round().byte().numpy())
    assert psnr(ours, expected) > psnr(picture, expected) + 8
    assert psnr(ours, expected) > 36


def test_tables_are_those_that_pillow_writes() -> None:
    file = io.BytesIO()
    Pillow.fromarray(photograph(0)).save(file, "jpeg", quality=80)
    tables = Pillow.open(file).quantization  # type: ignore[attr-defined]
    for number, table in enumerate((LUMINANCE, CHROMINANCE)):
        ours = quantisation(table, torch.tensor([80.0]))[0]
        assert ours.flatten().int().tolist() == list(tables[number])


def test_the_transform_is_orthonormal() -> None:
    matrix = cosines(torch.device("cpu"))
    assert torch.allclose(matrix @ matrix.T, torch.eye(8), atol=1e-6)


def test_h264_loses_more_at_a_higher_crf() -> None:
    picture = noisy_photograph()
    fine, coarse = h264(picture, 10), h264(picture, 40)
    assert fine.shape == coarse.shape == picture.shape
    assert psnr(fine, picture) > psnr(coarse, picture) + 2 > 22
