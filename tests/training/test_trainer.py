import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_samples import CPU, OPTIONS, TINY, new_trainer, write_photographs

import streamlight.training.trainer as trainer_module
from streamlight.errors import ModelError, UsageError
from streamlight.models.gladnet import GLADNet
from streamlight.models.spec import ModelSpec
from streamlight.training.checkpoint import load_checkpoint, save_checkpoint
from streamlight.training.options import PRESETS, LossWeights, TrainingOptions
from streamlight.training.origin import Origin
from streamlight.training.photographs import Photographs
from streamlight.training.start import he_initialised
from streamlight.training.synthesis import Pairs, synthesise_with
from streamlight.training.trainer import Trainer


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return Photographs(write_photographs(tmp_path_factory.mktemp("photographs")))


def weights(network: GLADNet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def trained(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.advance()
    return trainer


def test_two_runs_of_20_steps_are_bit_equal(photographs: Photographs) -> None:
    first, second = (trained(new_trainer(photographs), 20) for _ in range(2))
    assert torch.equal(weights(first.network), weights(second.network))
    assert torch.equal(weights(first.result()), weights(second.result()))
    assert first.is_done


def test_10_steps_a_checkpoint_and_10_more_equal_20(
    photographs: Photographs, tmp_path: Path
) -> None:
    straight = trained(new_trainer(photographs), 20)
    save_checkpoint(tmp_path / "c.pt", trained(new_trainer(photographs), 10).state())
    resumed = new_trainer(photographs)
    resumed.restore(load_checkpoint(tmp_path / "c.pt"))
    assert resumed.step == 10
    trained(resumed, 10)
    assert torch.equal(weights(resumed.network), weights(straight.network))
    assert torch.equal(weights(resumed.result()), weights(straight.result()))


def test_it_learns(photographs: Photographs) -> None:
    options = replace(OPTIONS, steps=60, rate=3e-3)
    trainer = new_trainer(photographs, options)
    losses = [trainer.advance().loss for _ in range(60)]
    trainer.step = 0  # the same pairs again
    again = [trainer.advance().loss for _ in range(10)]
    assert sum(again) < 0.9 * sum(losses[:10])


@pytest.mark.parametrize("part", ["prior", "detail"])
def test_a_frozen_part_stays_and_the_other_moves(photographs: Photographs, part: str) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, freeze=part, rate=1e-2))
    before = {name: p.detach().clone() for name, p in trainer.network.named_parameters()}
    trained(trainer, 3)
    moved = {
        name for name, p in trainer.network.named_parameters() if not torch.equal(p, before[name])
    }
    assert moved
    assert not any(name.startswith(part) for name in moved)


def test_a_teacher_changes_what_is_learnt(photographs: Photographs) -> None:
    alone, taught = new_trainer(photographs), new_trainer(photographs, teacher=True)
    assert alone.advance().loss != taught.advance().loss
    assert not torch.equal(weights(trained(alone, 2).network), weights(trained(taught, 2).network))


ADDING = replace(OPTIONS, add="street", loss=LossWeights(coarse=0.5, overall=0.5), rate=1e-2)


def test_what_is_known_is_held_and_what_is_added_is_learnt(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new_trainer(photographs, ADDING).advance().loss > 0.01

    def nothing_new(*arguments: Any) -> tuple[Pairs, int]:
        pairs, _ = synthesise_with(*arguments)
        return pairs, len(pairs.dark)

    monkeypatch.setattr(trainer_module, "synthesise_with", nothing_new)
    trainer = new_trainer(photographs, ADDING)
    assert trainer.advance().loss == pytest.approx(0, abs=1e-5)  # as it began, it is its target


def test_a_run_that_adds_goes_on_with_the_weights_that_it_holds_to(
    photographs: Photographs, tmp_path: Path
) -> None:
    straight = trained(new_trainer(photographs, ADDING), 4)
    save_checkpoint(tmp_path / "c.pt", trained(new_trainer(photographs, ADDING), 2).state())
    resumed = Trainer(he_initialised(TINY, 5), photographs, ADDING, CPU)
    resumed.restore(load_checkpoint(tmp_path / "c.pt"))
    trained(resumed, 2)
    assert torch.equal(weights(resumed.network), weights(straight.network))
    assert torch.equal(weights(resumed.result()), weights(straight.result()))


def test_the_average_follows_behind(photographs: Photographs) -> None:
    trainer = trained(new_trainer(photographs, replace(OPTIONS, rate=1e-2)), 10)
    assert not torch.equal(weights(trainer.result()), weights(trainer.network))
    plain = trained(new_trainer(photographs, replace(OPTIONS, ema=0.0)), 1)
    assert plain.result() is plain.network


def test_a_share_of_the_beginning_is_kept_also_when_resumed(
    photographs: Photographs, tmp_path: Path
) -> None:
    options = replace(OPTIONS, rate=1e-2, ema=0.0, keep=0.25)
    trainer = new_trainer(photographs, options)
    before = weights(trainer.network).clone()
    assert torch.equal(weights(trainer.result()), before)
    trained(trainer, 2)
    save_checkpoint(tmp_path / "c.pt", trainer.state())
    trained(trainer, 2)
    after = weights(trainer.network)
    assert torch.allclose(weights(trainer.result()), 0.25 * before + 0.75 * after)
    resumed = new_trainer(photographs, options)
    with torch.no_grad():
        next(resumed.network.parameters()).zero_()  # it may begin with anything
    resumed.restore(load_checkpoint(tmp_path / "c.pt"))
    assert torch.equal(weights(trained(resumed, 2).result()), weights(trainer.result()))
    with pytest.raises(UsageError, match="--keep 1: from 0 to less than 1"):
        new_trainer(photographs, replace(OPTIONS, keep=1))


def test_the_kept_beginning_is_restored_onto_the_device(
    photographs: Photographs,
) -> None:
    options = replace(OPTIONS, keep=0.25)
    resumed = new_trainer(photographs, options)
    resumed._device = torch.device("meta")  # stands in for a GPU
    resumed.restore(new_trainer(photographs, options).state())
    assert resumed._begin is not None
    assert {value.device.type for value in resumed._begin.values()} == {"meta"}


def test_rates_follow_the_schedules(photographs: Photographs) -> None:
    cosine = new_trainer(photographs, replace(OPTIONS, steps=1000))
    first = cosine.advance().rate
    cosine.step = 500
    middle = cosine.advance().rate
    cosine.step = 999
    assert first == pytest.approx(OPTIONS.rate / 50, rel=0.01)
    assert middle == pytest.approx(OPTIONS.rate * 0.505, rel=0.01)
    assert cosine.advance().rate < 0.02 * OPTIONS.rate
    paper = new_trainer(photographs, replace(OPTIONS, schedule="paper", rate=1e-3))
    paper.step = 250
    assert paper.advance().rate == pytest.approx(1e-3 * 0.96**2)


def test_time_ends_a_run_before_its_steps_do(photographs: Photographs) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, minutes=10.0))
    trainer.elapsed_s = 599.0
    assert not trainer.is_done
    trainer.elapsed_s = 600.0
    assert trainer.is_done


def test_a_loss_that_is_no_number_ends_the_run(photographs: Photographs) -> None:
    trainer = new_trainer(photographs)
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(math.nan)
    with pytest.raises(ModelError, match=r"loss is nan at step 1; .* lower --rate"):
        trainer.advance()


def test_a_checkpoint_of_another_run_is_refused(photographs: Photographs, tmp_path: Path) -> None:
    state = new_trainer(photographs).state()
    with pytest.raises(UsageError, match="another batch, seed"):
        new_trainer(photographs, replace(OPTIONS, seed=3, batch=1)).restore(state)
    fewer = Photographs(write_photographs(tmp_path, 2))
    with pytest.raises(UsageError, match="other pictures"):
        new_trainer(fewer).restore(state)
    longer = new_trainer(photographs, replace(OPTIONS, steps=50))  # a run may be made longer
    longer.restore(state)


def test_a_checkpoint_of_another_network_teacher_or_beginning_is_refused(
    photographs: Photographs,
) -> None:
    def trainer(spec: ModelSpec = TINY, **origin: str) -> Trainer:
        begun = Origin(model="tiny", **origin)
        return Trainer(he_initialised(spec, 1), photographs, OPTIONS, CPU, None, begun)

    state = trainer(init="the weights of tiny", teacher="old", teacher_sha256="a").state()
    with pytest.raises(UsageError, match="a network with other layers, of --model tiny;"):
        trainer(replace(TINY, detail_widths=(4,)), teacher_sha256="a").restore(state)
    with pytest.raises(UsageError, match="of a run with --teacher old;"):
        trainer(teacher="new", teacher_sha256="b").restore(state)
    with pytest.raises(UsageError, match="that began with the weights of tiny;"):
        trainer(init="the weights other", teacher_sha256="a").restore(state)
    same = trainer(command="streamlight train --resume", teacher_sha256="a")
    same.restore(state)
    assert (same.origin.command, same.origin.init) == ("", "the weights of tiny")


def test_a_run_can_go_on_in_another_precision(photographs: Photographs) -> None:
    state = trained(new_trainer(photographs), 1).state()
    half = new_trainer(photographs, replace(OPTIONS, precision="fp16"))
    half.restore(state)
    new_trainer(photographs).restore(half.state())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": 33}, "--crop 33: a multiple of 2 from 32 to 96"),
        ({"crop": 128}, "--crop 128: a multiple of 2 from 32 to 96"),
        ({"steps": 0}, "--steps 0"),
        ({"precision": "int8"}, "--precision int8: one of fp32, bf16, fp16"),
        ({"freeze": "all"}, "--freeze all: one of detail, prior"),
        ({"add": "fog"}, "--add fog: one of street, uneven"),
        ({"add": "street", "batch": 1}, "--add street --batch 1: at least 2 pairs a step"),
    ],
)
def test_wrong_options_are_named(
    photographs: Photographs, change: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        new_trainer(photographs, replace(OPTIONS, **change))  # type: ignore[arg-type]


def test_bf16_trains_too(photographs: Photographs) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, precision="bf16"))
    exact = new_trainer(photographs)
    assert trainer.advance().loss == pytest.approx(exact.advance().loss, rel=0.05)


def test_two_views_are_compared_where_they_are_to_agree(photographs: Photographs) -> None:
    plain = replace(OPTIONS, loss=replace(OPTIONS.loss, agreement=0.0))
    strict = replace(OPTIONS, loss=replace(OPTIONS.loss, agreement=4.0))
    first = [new_trainer(photographs, o).advance().loss for o in (plain, OPTIONS, strict)]
    assert first[1] - first[0] == pytest.approx((first[2] - first[0]) / 8, rel=1e-3)
    assert first[2] > first[0]


def test_the_papers_preset_is_what_it_says() -> None:
    paper: TrainingOptions = PRESETS["paper"]
    assert (paper.rate, paper.batch, paper.schedule) == (1e-3, 8, "paper")
    assert (paper.loss.coarse, paper.loss.structure, paper.weight_decay) == (0, 0, 0)
    assert paper.recipe.exposure_ev == (-5, 0)
    assert TINY.parameters == weights(GLADNet(TINY)).numel()
