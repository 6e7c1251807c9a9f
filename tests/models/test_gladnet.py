"""The PyTorch network against an independent one in NumPy, and the compact form against it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import numpy_reference as reference
import pytest
from model_samples import assert_not_saturated, dark, dark_prior, darkened_view, network

from streamlight.models import MODELS

torch = pytest.importorskip("torch", reason="the PyTorch network needs torch")

if TYPE_CHECKING:
    from streamlight.models.gladnet import GLADNet

MODEL_SIZES = [
    *(("gladnet", height, width) for height, width in ((1, 1), (2, 2), (3, 5), (97, 101))),
    *(("gladnet-fast", height, width) for height, width in ((2, 2), (4, 6), (98, 102))),
]
UNSHUFFLED = replace(
    MODELS["gladnet-fast"], name="unshuffled", detail_widths=(8, 8), is_affine=False
)
"""A network of the paper's form that sees pictures at half of their size; users train such."""

COMPACT_SIZES = [
    *(("gladnet", height, width) for height, width in ((192, 192), (193, 227))),
    *(("unshuffled", height, width) for height, width in ((384, 386), (574, 398), (1080, 1920))),
]


def paper_form(name: str) -> "GLADNet":
    """Return a network of the paper's form; the second one's weights are drawn."""
    if name == "gladnet":
        return network(name)
    from streamlight.training.start import he_initialised

    net = he_initialised(UNSHUFFLED, seed=0).eval()
    with torch.no_grad():
        last: Any = net.detail.convs[-1]
        last.weight.mul_(0.02)
        last.bias.fill_(0.5)
    return net


def reference_weights(network: "GLADNet") -> reference.Weights:
    return {key: value.double().numpy() for key, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "view"),
    [*((name, dark(3, 96, 96)) for name in MODELS), ("gladnet", darkened_view()[0])],
)
def test_estimate_matches_the_numpy_reference(name: str, view: npt.NDArray[np.float32]) -> None:
    with torch.inference_mode():
        prior = network(name).estimate(torch.from_numpy(view)[None])[0].numpy()
    expected = reference.estimate(reference_weights(network(name)), view.astype(np.float64))
    assert prior.shape == (MODELS[name].prior_channels, 96, 96)
    np.testing.assert_allclose(prior, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "height", "width"), MODEL_SIZES)
def test_reconstruct_matches_the_numpy_reference(name: str, height: int, width: int) -> None:
    image, prior = dark(3, height, width), dark_prior(name)
    with torch.inference_mode():
        enhanced = network(name).reconstruct(torch.from_numpy(image)[None], torch.from_numpy(prior))
    expected = reference.reconstruct(
        reference_weights(network(name)),
        image.astype(np.float64),
        prior[0].astype(np.float64),
        MODELS[name].unshuffle,
        MODELS[name].is_affine,
    )
    assert_not_saturated(expected)
    np.testing.assert_allclose(enhanced[0].numpy(), expected, rtol=0, atol=1e-5)


def test_reconstruct_clamps_to_the_range_of_pictures() -> None:
    image = torch.linspace(-4, 4, 3 * 40 * 40).reshape(1, 3, 40, 40)
    prior = torch.from_numpy(dark_prior("gladnet-fast"))
    with torch.inference_mode():
        enhanced = network("gladnet-fast").reconstruct(image, prior)
    assert enhanced.min() == 0
    assert enhanced.max() == 1


def test_pictures_of_a_batch_do_not_touch_each_other() -> None:
    views, images = torch.from_numpy(dark(2, 3, 96, 96)), torch.from_numpy(dark(2, 3, 12, 10))
    net = network("gladnet-fast")
    with torch.inference_mode():
        batch = net.reconstruct(images, net.estimate(views))
        single = net.reconstruct(images[1:], net.estimate(views[1:]))
    assert (batch[0] - batch[1]).abs().max() > 0.01
    torch.testing.assert_close(batch[1:], single, rtol=0, atol=1e-5)


def test_the_prior_reaches_the_first_convolution_of_a_full_hd_picture_at_the_floor_index() -> None:
    from streamlight.models.gladnet import Detail

    prior, image = dark(2, 96, 96), dark(3, 1080, 1920, seed=1)
    detail = Detail(prior_channels=2, widths=(1,), unshuffle=1)
    seen = []
    detail.convs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        detail(torch.from_numpy(image)[None], torch.from_numpy(prior)[None])
    rows = [y * 96 // 1080 for y in range(1080)]
    columns = [x * 96 // 1920 for x in range(1920)]
    np.testing.assert_array_equal(seen[0][0, :2], prior[:, rows][:, :, columns])
    np.testing.assert_array_equal(seen[0][0, 2:], image)


@pytest.mark.parametrize(("name", "height", "width"), COMPACT_SIZES)
def test_the_compact_form_computes_the_same(name: str, height: int, width: int) -> None:
    detail = paper_form(name).detail
    image = torch.from_numpy(dark(1, 3, height, width))
    prior = torch.from_numpy(dark_prior("gladnet" if name == "gladnet" else "gladnet-fast"))
    with torch.inference_mode():
        plain, compact = detail(image, prior), detail.forward_compact(image, prior)
    assert_not_saturated(plain.numpy())
    torch.testing.assert_close(compact, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["gladnet", "unshuffled"])
def test_the_compact_form_refuses_cells_of_fewer_than_two_pixels(name: str) -> None:
    net = paper_form(name)
    side = net.spec.cells_min_side
    prior = torch.zeros(1, net.spec.prior_channels, 96, 96)
    for height, width in ((side - 2, side), (side, side - 2)):
        with pytest.raises(ValueError, match=f"each side must be >= {side}"):
            net.detail.forward_compact(torch.zeros(1, 3, height, width), prior)


def test_the_affine_form_has_no_compact_one() -> None:
    with pytest.raises(ValueError, match=r"the affine form .* has no compact one"):
        network("gladnet-fast").detail.forward_compact(
            torch.zeros(1, 3, 400, 400), torch.zeros(1, 32, 96, 96)
        )


def test_an_affine_network_of_factors_and_offsets_multiplies_and_adds() -> None:
    from streamlight.models.gladnet import Detail

    detail = Detail(prior_channels=1, widths=(2,), unshuffle=2, is_affine=True)
    last: Any = detail.convs[-1]
    torch.nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias[:12], last.bias[12:] = 2, 0.125
    image = torch.from_numpy(dark(1, 3, 6, 8))
    with torch.inference_mode():
        enhanced = detail(image, torch.zeros(1, 1, 96, 96))
    torch.testing.assert_close(enhanced, image * 2 + 0.125)


def test_phase_index_tells_the_first_the_inner_and_the_last_row_of_every_cell() -> None:
    from streamlight.models.gladnet import phase_index

    for size in (*range(192, 800), 1080, 1440, 1920, 2160, 3840, 4320, 7680):
        cells = np.array([row * 96 // size for row in range(size)])
        is_first = np.append(True, cells[1:] != cells[:-1])
        is_last = np.append(cells[1:] != cells[:-1], True)
        phases = np.where(is_first, 0, np.where(is_last, 2, 1))
        found = phase_index(size, torch.device("cpu")).numpy()
        np.testing.assert_array_equal(found, cells * 3 + phases, err_msg=f"size {size}")
