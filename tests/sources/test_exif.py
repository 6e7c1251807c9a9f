"""EXIF blocks after a picture was turned upright and made brighter."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image
from stills import MAKER_NOTE, photo_exif, quarters

from streamlight.sources.exif import made_upright, orientation_of
from streamlight.sources.ifd import EXIF_DIRECTORY, read_directory


def with_thumbnail() -> bytes:
    """Return a block as cameras write it: a thumbnail in a second directory at the end."""
    thumbnail = io.BytesIO()
    Image.fromarray(quarters()).save(thumbnail, "JPEG")
    block = bytearray(photo_exif(6, (24, 16)).tobytes()[6:])
    directory = read_directory(bytes(block))
    block += bytes(len(block) % 2)
    second = len(block)
    order = "little" if directory.order == "<" else "big"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    block[directory.next_at : directory.next_at + 4] = number(second, 4)
    data = thumbnail.getvalue()
    start = second + 2 + 2 * 12 + 4
    entries = ((0x0201, start), (0x0202, len(data)))
    block += number(2, 2)
    for tag, value in entries:
        block += number(tag, 2) + number(4, 2) + number(1, 4) + number(value, 4)
    return bytes(block + number(0, 4) + data)


def test_the_picture_is_upright_and_has_its_new_size() -> None:
    block = made_upright(photo_exif(6, (24, 16)).tobytes()[6:], 16, 24)
    assert block is not None
    assert orientation_of(block) == 1
    nested = read_directory(block).fields[EXIF_DIRECTORY].nested
    assert nested is not None
    assert (nested.integer(0xA002), nested.integer(0xA003)) == (16, 24)


def test_nothing_moves_so_that_maker_notes_stay_true() -> None:
    before = photo_exif(6).tobytes()[6:]
    after = made_upright(before, 16, 24)
    assert after is not None and len(after) == len(before)
    assert after.index(MAKER_NOTE) == before.index(MAKER_NOTE)
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert len(changed) <= 6, "orientation, width and height"


def test_the_dark_thumbnail_is_gone() -> None:
    before = with_thumbnail()
    exif = Image.Exif()
    exif.load(before)
    assert exif.get_ifd(ExifTags.IFD.IFD1)[0x0202] > 100, "Pillow sees the thumbnail"
    after = made_upright(before, 16, 24)
    assert after is not None
    assert b"\xff\xd8\xff" not in after
    assert len(after) < len(before)
    assert read_directory(after).next == 0


def test_a_thumbnail_before_other_data_is_blanked() -> None:
    before = with_thumbnail() + b"a maker's own data"
    after = made_upright(before, 16, 24)
    assert after is not None and len(after) == len(before)
    assert b"\xff\xd8\xff" not in after
    assert after.endswith(b"a maker's own data")


@pytest.mark.parametrize("size", range(0, 120, 7))
def test_a_block_that_is_cut_off_is_no_crash(size: int) -> None:
    block = with_thumbnail()[:size]
    assert orientation_of(block) in range(1, 9)
    after = made_upright(block, 16, 24)
    assert after is None or len(after) <= len(block)


def test_an_orientation_that_does_not_exist_is_none() -> None:
    assert orientation_of(photo_exif(9).tobytes()[6:]) == 1
    assert orientation_of(None) == 1
