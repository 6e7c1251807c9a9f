"""The indices of tiles, against those of the network and of its definition."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.models import MODELS, ModelSpec
from streamlight.models.prior_index import (
    Place,
    affine_index,
    nearest_index,
    phase_index,
    prior_indices,
)

SIZES = [*range(1, 400), 720, 1080, 1919, 2160, 3840, 4320, 7680]


def test_they_are_those_of_the_network() -> None:
    torch = pytest.importorskip("torch", reason="the network is asked itself")
    from streamlight.models import gladnet

    cpu = torch.device("cpu")
    for size in SIZES:
        expected = gladnet.nearest_index(size, 96, cpu).numpy()
        np.testing.assert_array_equal(nearest_index(size), expected)
        expected = gladnet.affine_index(size, cpu).numpy()
        np.testing.assert_array_equal(affine_index(size), expected)
        if size >= 2 * 96:
            np.testing.assert_array_equal(phase_index(size), gladnet.phase_index(size, cpu).numpy())


def test_nearest_is_the_papers_formula() -> None:
    for size in SIZES:
        assert nearest_index(size).tolist() == [i * 96 // size for i in range(size)]


def test_the_affine_form_looks_at_no_cell_of_the_edge() -> None:
    found = affine_index(960)
    assert (found.min(), found.max()) == (7, 280)  # the middles of the cells 2 and 93
    inner = slice(40, 920)
    assert found[inner].tolist() == [i * 288 // 960 for i in range(960)][inner]


PAPER = replace(MODELS["gladnet-fast"], is_affine=False)


@pytest.mark.parametrize(
    ("model", "is_compact", "index"),
    [
        (PAPER, False, nearest_index),
        (PAPER, True, phase_index),
        (MODELS["gladnet-fast"], False, affine_index),
    ],
    ids=["plain", "compact", "affine"],
)
def test_those_of_a_tile_are_cut_out_of_those_of_the_frame(
    model: ModelSpec, is_compact: bool, index: Callable[[int], NDArray[np.int64]]
) -> None:
    rows, columns = prior_indices(Place(800, 1200, 40, 6), 300, 194, model, is_compact)
    assert rows.tolist() == index(400).tolist()[20:170]
    assert columns.tolist() == index(600).tolist()[3:100]
