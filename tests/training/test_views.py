from dataclasses import replace

import numpy as np
import pytest
import torch
from training_samples import TINY, codes, draws

from streamlight.training import views
from streamlight.training.recipes import Recipe
from streamlight.training.start import he_initialised
from streamlight.view import sample_area, sample_nearest


def frame(height: int = 150, width: int = 203) -> torch.Tensor:
    return codes(1, 3, height, width)


def as_image(frames: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ascontiguousarray(frames[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("phase", [(0, 0), (8, 12)])
def test_nearest_views_are_those_of_the_enhancer(phase: tuple[int, int]) -> None:
    expected = sample_nearest(as_image(frame()), phase)
    assert np.array_equal(views.nearest_view(frame(), *phase).numpy(), expected)


@pytest.mark.parametrize("size", [(150, 203), (96, 96), (100, 64)])
def test_area_views_are_those_of_the_enhancer(size: tuple[int, int]) -> None:
    expected = sample_area(as_image(frame(*size)))
    assert np.allclose(views.area_view(frame(*size)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("zoom", [1, 2])
def test_a_part_is_enhanced_as_in_the_whole_frame_enlarged_or_not(zoom: int) -> None:
    network = he_initialised(TINY, 0)
    whole = codes(2, 3, 96, 128)
    priors = torch.rand(2, 8, 96, 96, generator=torch.Generator().manual_seed(1))
    part = views.Part(16, 40, 48, zoom)
    with torch.no_grad():
        expected = network.reconstruct(views.Part(0, 0, 128, zoom).take(whole), priors)
        found = network.detail(part.take(whole), priors, part.places(network, 96, 128))
    inner = slice(8 * zoom, -8 * zoom)  # what is beyond the part reaches as far as the kernels do
    place = expected[:, :, 16 * zoom : 64 * zoom, 40 * zoom : 88 * zoom]
    assert found.shape == place.shape
    assert torch.allclose(found[:, :, inner, inner], place[:, :, inner, inner], atol=1e-5)


@pytest.mark.parametrize(("crop", "r"), [(32, 1), (34, 2), (96, 2)])
def test_parts_lie_in_the_frame_and_the_network_sees_at_most_the_crop(crop: int, r: int) -> None:
    chosen = draws()
    seen = set()
    for _ in range(50):
        part = views.draw_part(chosen, 96, 112, crop, (1, 2, 4), r)
        seen.add(part.zoom)
        assert part.top + part.side <= 96 and part.left + part.side <= 112
        assert not part.top % r and not part.left % r and not part.side % r
        assert 32 <= part.side * part.zoom <= crop
    assert seen == {1, 2, 4}


def test_regrained_parts_are_8_bits_and_differ_by_a_few_levels() -> None:
    part = torch.full((64, 3, 32, 32), 0.5)
    grained = views.regrain(part, draws()) * 255
    assert torch.allclose(grained, grained.round(), atol=1e-4)
    deviation = grained.std(dim=(1, 2, 3))
    assert deviation.min() < 0.8 and 2 < deviation.max() < 2.7


def test_priors_come_from_the_views_of_the_recipe() -> None:
    network = he_initialised(TINY, 0)
    frames = codes(3, 3, 150, 203)
    with torch.no_grad():
        area = views.draw_views(frames, Recipe(nearest=0, area=1), draws()).estimate(
            network.estimate
        )
        assert torch.allclose(area, network.estimate(views.area_view(frames)), atol=1e-5)
        many = views.draw_views(frames, Recipe(nearest=0, many=1), draws()).estimate(
            network.estimate
        )
        one = views.draw_views(frames, Recipe(), draws()).estimate(network.estimate)
    assert many.shape == one.shape == (3, 8, 96, 96)
    # the mean over phases of a noisy frame is steadier than one view
    assert many.std(dim=(2, 3)).mean() < one.std(dim=(2, 3)).mean()


def test_mixed_views_keep_the_frames_apart() -> None:
    network = he_initialised(TINY, 0)
    recipe = replace(Recipe(), many=1.0)
    bright = torch.cat([torch.full((1, 3, 96, 96), 0.1 * n) for n in range(6)])  # phases agree
    with torch.no_grad():
        priors = views.draw_views(bright, recipe, draws()).estimate(network.estimate)
        expected = network.estimate(bright)
    assert torch.allclose(priors, expected, atol=1e-4)
