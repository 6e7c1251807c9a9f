from pathlib import Path

import numpy as np
import pytest
from training_samples import write_photographs

from streamlight.training.calibration import dark_pictures
from streamlight.training.photographs import Photographs


def test_pictures_are_dark_of_even_sides_and_the_same_each_time(tmp_path: Path) -> None:
    photographs = Photographs(write_photographs(tmp_path, 3))
    first, again = (list(dark_pictures(photographs, batches=2, batch=3, seed=1)) for _ in range(2))
    assert len(first) == 6
    assert {picture.dtype for picture in first} == {np.dtype(np.uint8)}
    assert all(side % 2 == 0 for picture in first for side in picture.shape[:2])
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.mean([picture.mean() for picture in first]) < 80


@pytest.mark.parametrize("seed", [0, 5])
def test_another_seed_gives_others(tmp_path: Path, seed: int) -> None:
    photographs = Photographs(write_photographs(tmp_path, 3))
    (one,) = dark_pictures(photographs, batches=1, batch=1, seed=seed)
    (other,) = dark_pictures(photographs, batches=1, batch=1, seed=seed + 1)
    assert (one != other).any()
