"""What names of files mean."""

from pathlib import Path

import pytest

from streamlight.errors import UsageError
from streamlight.sources.picture_names import (
    NumberedName,
    is_picture,
    is_sequence,
    natural_order,
    output_extension,
)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.webp", "a.TIF", "a.heic", "a.bmp"])
def test_names_of_pictures(name: str) -> None:
    assert is_picture(name)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a", "a.png.mkv", "rtsp://camera/jpg", ".jpg"])
def test_names_of_other_things(name: str) -> None:
    assert not is_picture(name)


@pytest.mark.parametrize("name", ["f_%05d.png", "f%d.jpg", "*.png", "f_?.tif", "night/[ab]*.webp"])
def test_names_of_sequences(name: str) -> None:
    assert is_sequence(name)


@pytest.mark.parametrize("name", ["a.png", "f_%05d.mp4", "*.mp4", "100%.png", "f_%05x.png"])
def test_names_of_no_sequences(name: str) -> None:
    assert not is_sequence(name)


def test_a_file_of_that_very_name_is_that_file(tmp_path: Path) -> None:
    for name in ("photo[1].jpg", "a%d.png"):
        assert is_sequence(tmp_path / name)
        (tmp_path / name).touch()
        assert not is_sequence(tmp_path / name)


def test_the_result_of_a_picture_is_named_like_it() -> None:
    names = {"a.JPG": ".jpg", "a.tif": ".tif", "a.bmp": ".png", "a.jfif": ".jpg", "a.heic": ".png"}
    assert {name: output_extension(name) for name in names} == names


def test_numbers_are_filled_up_and_may_outgrow_it(tmp_path: Path) -> None:
    name = NumberedName(tmp_path / "f_%03d.png")
    assert [name.path_of(n).name for n in (7, 123, 4567)] == [
        "f_007.png",
        "f_123.png",
        "f_4567.png",
    ]
    for there in ("f_007.png", "f_4567.png", "f_08.png", "f_0999.png", "f_1.png", "g_001.png"):
        (tmp_path / there).touch()
    assert name.numbers() == [7, 4567], "what the pattern would not have written is not of it"


def test_percent_signs_can_be_written(tmp_path: Path) -> None:
    assert NumberedName(tmp_path / "100%%_%d.png").path_of(3).name == "100%_3.png"


@pytest.mark.parametrize("name", ["a.png", "%d_%d.png", "%d/f_%d.png"])
def test_a_pattern_needs_one_number(name: str) -> None:
    with pytest.raises(UsageError, match=r"needs one number in its file name, as in frame_%05d"):
        NumberedName(name)


def test_nine_comes_before_ten() -> None:
    names = [Path(name) for name in ("b1.png", "a10.png", "a9.png", "a.png")]
    assert [path.name for path in sorted(names, key=natural_order)] == [
        "a9.png",
        "a10.png",
        "a.png",
        "b1.png",
    ]
