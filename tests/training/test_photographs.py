import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from training_samples import draws, photograph, write_photographs

from streamlight.errors import SourceError
from streamlight.training.photographs import Photographs, find_photographs, smaller, take_frames


def test_folders_lists_and_files_are_found_once(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "all" / "deep")
    (tmp_path / "all" / "notes.md").write_text("no picture")
    (tmp_path / "some.txt").write_text("all/deep/0.png\n\nall/deep/1.png\n")
    assert find_photographs([tmp_path / "all", paths[0]]) == paths
    assert find_photographs([tmp_path / "some.txt"]) == paths[:2]


def test_linked_folders_are_followed_once_and_not_in_circles(tmp_path: Path) -> None:
    elsewhere = write_photographs(tmp_path / "elsewhere", 1)
    paths = write_photographs(tmp_path / "all" / "deep", 2)
    (tmp_path / "all" / "circle").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "again").symlink_to(tmp_path / "all" / "deep")
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    linked = tmp_path / "all" / "linked" / elsewhere[0].name
    assert find_photographs([tmp_path / "all"]) == [*paths, linked]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("gone.png\n")
    with pytest.raises(SourceError, match=r"no pictures there; expected .*\.webp"):
        find_photographs([tmp_path])
    with pytest.raises(SourceError, match=r"gone\.png: no such picture; .*list\.txt names it"):
        find_photographs([tmp_path / "list.txt"])
    with pytest.raises(SourceError, match="nowhere: no such folder"):
        find_photographs([tmp_path / "nowhere"])


def test_bad_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    good = write_photographs(tmp_path, 2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture at all")
    small = tmp_path / "small.png"
    Pillow.fromarray(photograph(0, 16, 16)).save(small)
    photographs = Photographs([good[0], bad, small, good[1]])
    assert photographs.paths == good
    assert len(photographs.skipped) == 2
    for path, line in zip((bad, small), photographs.skipped, strict=True):
        assert str(path) in line
    with pytest.raises(SourceError, match="none of the 1 pictures can be trained on"):
        Photographs([bad])


def test_the_reading_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    paths = write_photographs(tmp_path, 3)
    photographs = Photographs(paths, on_read=lambda done, total: stop.set(), stop=stop)
    assert photographs.paths == paths[:1]
    assert len(Photographs(paths, stop=stop)) == 0


def test_grey_pictures_and_16_bits_become_8_bit_rgb(tmp_path: Path) -> None:
    grey, deep = tmp_path / "grey.png", tmp_path / "deep.png"
    Pillow.fromarray(photograph(0)[:, :, 0]).save(grey)
    Pillow.fromarray(photograph(0)[:, :, 0].astype(np.uint16) * 257).save(deep)
    photographs = Photographs([grey, deep])
    assert photographs.skipped == []
    for picture in photographs.batch(0, 0, 2):
        assert picture.shape == (128, 160, 3)
        assert picture.dtype == np.uint8
        assert picture.max() > 200


def test_each_photograph_comes_once_an_epoch_in_another_order(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path, 6)
    photographs = Photographs(paths)

    def epoch(seed: int, first: int) -> list[int]:
        pictures = [p for step in range(first, first + 3) for p in photographs.batch(seed, step, 2)]
        return [next(n for n in range(6) if np.array_equal(p, photograph(n))) for p in pictures]

    assert sorted(epoch(0, 0)) == sorted(epoch(0, 3)) == list(range(6))
    assert epoch(0, 0) == epoch(0, 0)
    assert len({tuple(epoch(0, 0)), tuple(epoch(0, 3)), tuple(epoch(1, 0))}) > 1


def test_beyond_the_cache_photographs_are_read_again(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path, 3)
    photographs = Photographs(paths, cache_bytes=photograph(0).nbytes)
    all_of_them = photographs.batch(0, 0, 3)
    paths[0].unlink()  # the one that is cached
    for picture, expected in zip(photographs.batch(0, 0, 3), all_of_them, strict=True):
        assert np.array_equal(picture, expected)
    paths[1].unlink()
    with pytest.raises(SourceError):
        photographs.batch(0, 0, 3)


def test_large_photographs_are_averaged_down() -> None:
    small = smaller(photograph(0, 128, 160), 64)
    assert small.shape == (64, 80, 3)
    assert smaller(small, 64) is small


def test_frames_of_one_size_come_of_any_photographs() -> None:
    frames = take_frames([photograph(0), photograph(1, 40, 300)], 96, 112, draws())
    assert frames.shape == (2, 3, 96, 112)
    assert frames.dtype == torch.uint8
    mirrored = {
        bool(torch.equal(take_frames([photograph(0)], 128, 160, draws(step))[0], frame))
        for frame in [torch.from_numpy(photograph(0)).permute(2, 0, 1)]
        for step in range(8)
    }
    assert mirrored == {True, False}
