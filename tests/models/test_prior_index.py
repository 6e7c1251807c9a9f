"""The indices of tiles, against those of the network and of its definition."""

import numpy as np
import pytest

from streamlight.models.prior_index import Place, nearest_index, phase_index, prior_indices

SIZES = [*range(1, 400), 720, 1080, 1919, 2160, 3840, 4320, 7680]


def test_they_are_those_of_the_network() -> None:
    torch = pytest.importorskip("torch", reason="the network is asked itself")
    from streamlight.models import gladnet

    cpu = torch.device("cpu")
    for size in SIZES:
        expected = gladnet.nearest_index(size, 96, cpu).numpy()
        np.testing.assert_array_equal(nearest_index(size), expected)
        if size >= 2 * 96:
            np.testing.assert_array_equal(phase_index(size), gladnet.phase_index(size, cpu).numpy())


def test_nearest_is_the_papers_formula() -> None:
    for size in SIZES:
        assert nearest_index(size).tolist() == [i * 96 // size for i in range(size)]


@pytest.mark.parametrize("is_compact", [False, True])
def test_those_of_a_tile_are_cut_out_of_those_of_the_frame(is_compact: bool) -> None:
    rows, columns = prior_indices(Place(800, 1200, 40, 6), 300, 194, 2, is_compact)
    index = phase_index if is_compact else nearest_index
    assert rows.tolist() == index(400).tolist()[20:170]
    assert columns.tolist() == index(600).tolist()[3:100]
