"""`enhance_picture` from end to end, with the real network and with one whose values are known."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stills import SIZE, Doubler, photo_exif, quarters, stored

from streamlight import Enhancer, Look
from streamlight.errors import SinkError, SourceError, UsageError
from streamlight.pictures import enhance_picture
from streamlight.pipeline import Outcome

KODAK = Path(__file__).parents[2] / "shared" / "data" / "kodak" / "kodak_23.png"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def night(tmp_path: Path) -> Path:
    Image.fromarray(quarters()).save(tmp_path / "night.png")
    return tmp_path / "night.png"


def test_the_network_sees_it_upright_and_the_result_is_written(tmp_path: Path) -> None:
    Image.fromarray(stored(quarters(), 6)).save(tmp_path / "a.png", exif=photo_exif(6))
    result = enhance_picture(tmp_path / "a.png", tmp_path / "b.png", Doubler())
    assert result.output == tmp_path / "b.png"
    assert result.notes == []
    assert (result.report.outcome, result.report.frames_out) == (Outcome.END_OF_STREAM, 1)
    with Image.open(tmp_path / "b.png") as image:
        assert np.array_equal(np.array(image), 2 * quarters())
        assert image.getexif()[0x0112] == 1


@pytest.mark.parametrize("bits", [8, 16])
def test_the_real_network_makes_it_brighter_at_its_own_depth(tmp_path: Path, bits: int) -> None:
    tifffile = pytest.importorskip("tifffile")
    dark = quarters() if bits == 8 else quarters(np.uint16)
    dark = dark.repeat(4, axis=0).repeat(4, axis=1)
    tifffile.imwrite(tmp_path / "a.tif", dark, photometric="rgb")
    with Enhancer.open("gladnet-fast", "openvino") as enhancer:
        enhance_picture(tmp_path / "a.tif", tmp_path / "b.tif", enhancer)
        expected = enhancer(dark)
    bright = tifffile.imread(tmp_path / "b.tif")
    assert bright.dtype == dark.dtype
    assert np.array_equal(bright, expected)
    assert bright.mean() > 1.3 * dark.mean()
    if bits == 16:
        assert len(np.unique(bright)) > 256, "not 8 bits in disguise"


def test_a_picture_has_no_past(tmp_path: Path, night: Path) -> None:
    enhancer = Doubler()
    for number in range(3):
        enhance_picture(night, tmp_path / f"{number}.png", enhancer)
    assert enhancer.times == [None, None, None]


def test_before_and_after_lie_beside_each_other(tmp_path: Path, night: Path) -> None:
    with Enhancer.open("gladnet-fast", "openvino", look=Look(compare="side")) as enhancer:
        enhance_picture(night, tmp_path / "b.png", enhancer)
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (2 * SIZE[0], SIZE[1])
        assert np.array_equal(np.array(image)[:, : SIZE[0]], quarters())


def test_notes_of_both_ends_are_reported(tmp_path: Path) -> None:
    page = Image.new("RGBA", SIZE, (9, 9, 9, 100))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    assert enhance_picture(tmp_path / "a.tif", tmp_path / "b.jpg", Doubler()).notes == [
        "only the first page is enhanced and copied",
        "JPEG holds no transparency: the picture is put on white",
    ]


def test_a_stopped_run_leaves_nothing(tmp_path: Path, night: Path) -> None:
    stop = threading.Event()
    stop.set()
    result = enhance_picture(night, tmp_path / "b.png", Doubler(), stop=stop)
    assert (result.output, result.report.outcome) == (None, Outcome.STOPPED)
    assert names(tmp_path) == ["night.png"]


def test_a_damaged_input_leaves_nothing(tmp_path: Path, night: Path, no_thread_left: None) -> None:
    night.write_bytes(night.read_bytes()[:60])
    with pytest.raises(SourceError, match="damaged or cut off"):
        enhance_picture(night, tmp_path / "b.png", Doubler())
    assert names(tmp_path) == ["night.png"]


def test_wrong_targets_are_refused_before_the_input_is_read(tmp_path: Path, night: Path) -> None:
    night.write_bytes(b"never read")
    with pytest.raises(UsageError, match="input and output are the same file"):
        enhance_picture(night, night, Doubler(), overwrite=True)
    os.link(night, tmp_path / "link.png")
    with pytest.raises(UsageError, match="input and output are the same file"):
        enhance_picture(night, tmp_path / "link.png", Doubler(), overwrite=True)
    with pytest.raises(SinkError, match=r"choose one of \.jpg"):
        enhance_picture(night, tmp_path / "b.mp4", Doubler())


@pytest.mark.skipif(not KODAK.exists(), reason="shared/data/kodak is not here")
def test_a_dark_photograph_comes_out_near_the_bright_one(tmp_path: Path) -> None:
    bright = np.asarray(Image.open(KODAK).convert("RGB"))
    dark = np.rint(bright * 0.12).astype(np.uint8)
    Image.fromarray(stored(dark, 6)).save(
        tmp_path / "night.jpg", quality=95, subsampling=0, exif=photo_exif(6)
    )
    with Enhancer.open("gladnet-fast", "openvino") as enhancer:
        enhance_picture(tmp_path / "night.jpg", tmp_path / "day.jpg", enhancer)
    with Image.open(tmp_path / "day.jpg") as image:
        result = np.asarray(image).astype(float)
        assert image.getexif()[0x0112] == 1
    assert result.shape == bright.shape
    psnr_db = 10 * np.log10(255**2 / np.mean((result - bright) ** 2))
    assert psnr_db > 16
    assert 0.7 < result.mean() / bright.mean() < 1.5
