"""Fitting the meter: that it learns how far off results are, and when it is left as it was."""

import copy
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from training_samples import CPU, OPTIONS, TINY, draws

from streamlight.errors import UsageError
from streamlight.models.gladnet import GLADNet
from streamlight.models.own import read_spec
from streamlight.models.weights import load_network, save_weights
from streamlight.training.light import is_flat
from streamlight.training.metering import fit_meter
from streamlight.training.photographs import Photographs
from streamlight.training.recipes import Recipe
from streamlight.training.session import Rhythm, RunFolder, run_session
from streamlight.training.start import begin, he_initialised
from streamlight.training.synthesis import synthesise
from streamlight.training.trainer import Trainer

METERED = replace(TINY, name="metered", detail_widths=(4,), is_affine=True, is_metered=True)
DARKENED = Recipe(exposure_ev=(-2.0, -0.5))
VIEWS = 256


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Noise of many kinds, a part of which is clipped."""
    folder = tmp_path_factory.mktemp("clipped")
    paths = [folder / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        rng = np.random.default_rng(number)
        pixels = rng.uniform(0, 1, (96, 112, 3)) ** rng.uniform(0.5, 3) * 255
        pixels[:12, : rng.integers(30, 100)] = 255
        Pillow.fromarray(pixels.astype(np.uint8)).save(path)
    return Photographs(paths)


def leaves_pictures_alone() -> GLADNet:
    """Return a network whose results are as dark as what it sees, so that it is as far off."""
    network = he_initialised(METERED, 1).eval()
    for convolution in network.detail.convs:
        torch.nn.init.zeros_(convolution.weight)  # type: ignore[arg-type]
    return network


@pytest.fixture(scope="module")
def fitted(photographs: Photographs) -> GLADNet:
    network = leaves_pictures_alone()
    assert fit_meter(network, photographs, DARKENED, 3, views=VIEWS)
    return network


def meter_of(network: GLADNet) -> dict[str, torch.Tensor]:
    assert network.prior.meter is not None
    return {name: x.detach().clone() for name, x in network.prior.meter.state_dict().items()}


def is_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(x, second[name]) for name, x in first.items())


def card(network: GLADNet, rows: object) -> str:
    """Tell whether the meter is fitted."""
    assert network.prior.meter is not None
    return f"fitted: {network.prior.meter.is_fitted}"


def new_trainer(photographs: Photographs, steps: int) -> Trainer:
    options = replace(OPTIONS, steps=steps, meter=VIEWS, recipe=DARKENED)
    return Trainer(leaves_pictures_alone(), photographs, options, CPU)


def test_it_learns_how_much_too_dark_the_results_are(
    fitted: GLADNet, photographs: Photographs
) -> None:
    clipped = torch.from_numpy(np.stack(photographs.batch(0, 0, 8))).permute(0, 3, 1, 2)
    scenes = clipped[:, :, :, :96]
    for ev in (-1.5, -1.0):
        pairs = synthesise(scenes, Recipe(exposure_ev=(ev, ev)), draws())
        with torch.inference_mode():
            prior = fitted.prior.look(pairs.dark)
            stops = fitted.prior.meter(pairs.dark, prior)  # type: ignore[misc]
        assert stops.mean().item() == pytest.approx(ev, abs=0.25)


def test_the_same_seed_fits_the_same_meter(fitted: GLADNet, photographs: Photographs) -> None:
    network = leaves_pictures_alone()
    fit_meter(network, photographs, DARKENED, 3, views=VIEWS)
    assert is_same(meter_of(network), meter_of(fitted))


def test_a_network_without_one_is_refused(photographs: Photographs) -> None:
    with pytest.raises(ValueError, match="tiny has no meter"):
        fit_meter(he_initialised(TINY, 1), photographs, DARKENED, 3)


def test_a_run_trains_the_layers_then_fits_the_meter(
    photographs: Photographs, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "mine")
    trainer = new_trainer(photographs, 2)
    before = meter_of(trainer.network)
    seen: list[tuple[int, int]] = []
    run_session(
        trainer,
        folder,
        rhythm=Rhythm(),
        card=card,
        on_view=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (VIEWS, VIEWS)
    assert is_same(meter_of(trainer.network), before)  # no step moved it
    fitted = load_network(read_spec(folder.weights))
    assert fitted.spec.is_metered
    assert not is_same(meter_of(fitted), before)
    assert folder.card.read_text() == "fitted: True"


def test_a_meter_of_other_weights_is_not_taken_over(
    fitted: GLADNet, photographs: Photographs
) -> None:
    network = copy.deepcopy(fitted)
    assert network.prior.meter is not None
    for steps, is_fitted in ((0, True), (2, False)):
        Trainer(network, photographs, replace(OPTIONS, steps=steps), CPU)
        assert network.prior.meter.is_fitted == is_fitted


def test_steps_are_trained_on_the_first_look(photographs: Photographs) -> None:
    plain, alert = new_trainer(photographs, 1), new_trainer(photographs, 1)
    assert alert.network.prior.meter is not None
    torch.nn.init.constant_(list(alert.network.prior.meter.parameters())[-1], 1.0)
    view = torch.from_numpy(photographs.batch(0, 0, 1)[0][:, :96].copy()).permute(2, 0, 1)[None] / 3
    assert not torch.equal(alert.network.estimate(view / 255), plain.network.estimate(view / 255))
    assert alert.advance().loss == plain.advance().loss


def test_stopped_while_it_is_fitted_a_run_fits_it_later(
    photographs: Photographs, tmp_path: Path
) -> None:
    folder, stop = RunFolder(tmp_path / "mine"), threading.Event()
    for is_done in (False, True):
        trainer = new_trainer(photographs, 0)
        stop.clear()
        assert is_done == run_session(
            trainer,
            folder,
            rhythm=Rhythm(),
            card=card,
            resume=True,
            stop=stop,
            on_view=lambda done, total: None if is_done else stop.set(),  # noqa: B023
        )
        last = meter_of(load_network(read_spec(folder.weights)))["layers.2.weight"]
        assert bool(last.any()) == is_done


def test_a_meter_that_cannot_be_fitted_costs_no_run(
    photographs: Photographs, tmp_path: Path
) -> None:
    warnings: list[str] = []
    trainer = new_trainer(photographs, 0)
    trainer.options = replace(trainer.options, recipe=Recipe(exposure_ev=(-4.0, -4.0)))
    folder = RunFolder(tmp_path / "mine")
    assert run_session(trainer, folder, rhythm=Rhythm(), card=card, on_warning=warnings.append)
    told = "the meter is not fitted: of 256 results 0 are less than 2 stops too bright or too dark"
    assert warnings == [told]
    assert folder.card.read_text() == "fitted: False"


@pytest.mark.parametrize("is_metered", [True, False])
@pytest.mark.parametrize("init", ["FILE", "prior:FILE"])
def test_a_run_may_begin_with_weights_of_another_kind(
    init: str, is_metered: bool, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    spec = replace(METERED, is_metered=is_metered)
    other = begin(replace(METERED, is_metered=not is_metered), None, 5)
    save_weights(other, path)
    network = begin(spec, init.replace("FILE", str(path)), 1)
    assert network.spec == spec
    assert (network.prior.meter is not None) == is_metered
    view = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) / 4
    with torch.inference_mode():
        torch.testing.assert_close(network.estimate(view), other.estimate(view), atol=2e-3, rtol=0)


def test_no_steps_are_for_networks_with_a_meter(photographs: Photographs) -> None:
    assert new_trainer(photographs, 0).is_done
    with pytest.raises(UsageError, match="--steps 0 fits a meter, and this network has none"):
        Trainer(he_initialised(TINY, 1), photographs, replace(OPTIONS, steps=0), CPU)


@pytest.mark.parametrize("views", [-1, 1, 255])
def test_too_few_views_are_refused(views: int) -> None:
    with pytest.raises(UsageError, match=f"--meter {views}: 0, or at least 256"):
        replace(OPTIONS, meter=views)


def test_resuming_names_a_meter_that_is_missing_or_too_much(photographs: Photographs) -> None:
    metered = new_trainer(photographs, 1)
    options = metered.options
    plain = he_initialised(replace(METERED, is_metered=False), 1)
    unmetered = Trainer(plain, photographs, options, CPU)
    with pytest.raises(UsageError, match=r"with a meter; --resume goes on with --meter 12000$"):
        unmetered.restore(metered.state())
    with pytest.raises(UsageError, match=r"with no meter; --resume goes on with --meter 0$"):
        metered.restore(unmetered.state())


def test_a_checkpoint_of_before_there_were_meters_goes_on(photographs: Photographs) -> None:
    trainer = Trainer(he_initialised(TINY, 1), photographs, OPTIONS, CPU)
    state = trainer.state()
    del state["layout"]["is_metered"], state["options"]["meter"]
    for name in ("flat_stays", "highlights_power"):
        del state["options"]["recipe"][name]
    trainer.restore(state)


def test_flat_is_what_many_of_the_brightest_pixels_are() -> None:
    few_are_bright = 1 / (1 + torch.linspace(1e4, 0, 96 * 96)) / 2
    scene = few_are_bright.view(1, 1, 96, 96).repeat(1, 3, 1, 1)
    assert not is_flat(scene).any()
    scene[:, :, 0, :40] = 1  # 40 of 9216
    assert is_flat(scene).all()
    assert is_flat(scene / 8).all()
