import numpy as np
import numpy_reference as reference
import pytest
import torch

from streamlight.models.gladnet import Prior
from streamlight.models.meter import Meter, exposed
from streamlight.models.srgb import to_codes, to_light


def photograph(seed: int = 0, share: float = 0.01) -> torch.Tensor:
    """Light (1, 3, 96, 96) of a scene, a share of which is clipped."""
    rng = np.random.default_rng(seed)
    light = 1 / (1 + 1e4 * rng.uniform(0, 1, (1, 3, 96, 96)).astype(np.float32))
    light.reshape(3, -1)[:, : int(share * 9216)] = 1
    return torch.from_numpy(light)


def alert_meter(channels: int = 4) -> Meter:
    """A meter that says half a stop wherever it says anything."""
    meter = Meter(channels).eval()
    torch.nn.init.constant_(list(meter.parameters())[-1], 0.5)
    return meter


PRIOR = torch.zeros(1, 4, 96, 96)


@pytest.mark.parametrize(
    ("ev", "share", "stops"),
    [
        (-3, 0.01, 0.5),
        (0, 0.01, 0),  # white: a picture that is exposed right, or a lamp
        (-3, 0.002, 0),  # a spot
        (-3, 0.0, 0),  # nothing is flat
        (-6, 0.01, 0),  # too dark for 8 bits to tell
    ],
)
def test_what_is_flat_and_neither_white_nor_black_is_corrected(
    ev: float, share: float, stops: float
) -> None:
    view = to_codes(photograph(share=share) * 2**ev)
    assert alert_meter()(view, PRIOR).item() == pytest.approx(stops)


def test_a_smooth_hill_is_hardly_taken_for_flat_and_a_clipped_one_is() -> None:
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    hill = torch.exp(-((rows - 48) ** 2 + (columns - 40) ** 2) / 500).expand(1, 3, 96, 96)
    assert 0 <= alert_meter()(to_codes(hill / 4), PRIOR).item() < 0.15 * 0.5 + 0.03
    assert alert_meter()(to_codes(hill.clamp(max=0.7) / 4), PRIOR).item() == pytest.approx(0.5)


@pytest.mark.parametrize("peak", range(1, 21))
def test_rounding_is_not_taken_for_flat(peak: int) -> None:
    rng = np.random.default_rng(peak)
    noisy = (peak + rng.normal(0, 0.7, (1, 3, 96, 96))).round().clip(0, 255) / 255
    assert alert_meter()(torch.from_numpy(noisy.astype(np.float32)), PRIOR).item() == 0


def test_exposing_is_in_linear_light() -> None:
    view = to_codes(photograph() / 8)
    torch.testing.assert_close(
        to_light(exposed(view, torch.tensor([[[[2.0]]]]))), to_light(view) * 4
    )
    assert exposed(view, torch.tensor([[[[9.0]]]])).max() == pytest.approx(1)


def test_a_new_meter_leaves_the_network_as_it_is() -> None:
    prior = Prior(4, is_metered=True).eval()
    view = to_codes(photograph() / 8)
    torch.testing.assert_close(prior(view), prior.look(view), rtol=1e-4, atol=1e-5)


def test_the_second_look_is_at_the_view_exposed_anew() -> None:
    prior = Prior(4, is_metered=True).eval()
    prior.meter = alert_meter()
    view = to_codes(photograph() / 8)
    again = exposed(view, torch.tensor([[[[0.5]]]]))
    torch.testing.assert_close(prior(view), prior.look(again))
    assert not torch.allclose(prior(view), prior.look(view))


def drawn_prior(channels: int = 4) -> Prior:
    """A metered illumination network whose meter says about a stop, drawn at random."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = Prior(channels, is_metered=True).eval()
        assert prior.meter is not None
        for layer in prior.meter.layers:
            torch.nn.init.normal_(layer.weight, 0, 0.3)  # type: ignore[arg-type]
        prior.meter.centre.data.normal_()
        prior.meter.scale.data.uniform_(0.2, 1)
    return prior


@pytest.mark.parametrize("ev", [-1, -3, -5])
def test_it_matches_the_numpy_reference(ev: float) -> None:
    prior, view = drawn_prior(), to_codes(photograph(1) * 2.0**ev)
    weights = {key: x.double().numpy() for key, x in prior.state_dict(prefix="prior.").items()}
    image = view[0].double().numpy()
    with torch.inference_mode():
        stops = prior.meter(view, prior.look(view)).item()  # type: ignore[misc]
        found = prior(view)[0].numpy()
    expected = reference.meter(weights, image, reference.look(weights, image))
    assert abs(expected) > 0.1
    assert stops == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(found, reference.estimate(weights, image), rtol=0, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_are_finite(value: float) -> None:
    meter = alert_meter()
    assert meter(torch.full((2, 3, 96, 96), value), PRIOR.expand(2, -1, -1, -1)).tolist() == [
        [[[0.0]]],
        [[[0.0]]],
    ]
