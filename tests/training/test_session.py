import csv
import errno
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Sized
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_samples import OPTIONS, new_trainer, write_photographs

from streamlight.errors import ModelError, SinkError, SourceError
from streamlight.models.own import read_card, read_spec
from streamlight.models.weights import load_network
from streamlight.training.checkpoint import load_checkpoint, save_checkpoint
from streamlight.training.log import TrainingLog
from streamlight.training.photographs import Photographs
from streamlight.training.session import Rhythm, RunFolder, run_session
from streamlight.training.trainer import StepReport

RHYTHM = Rhythm(log=2, checkpoint=2, evaluate=3)


def no_card(network: object, rows: object) -> str:
    return ""


def counted(network: object, rows: Sized) -> str:
    return f"{len(rows)} rows"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return Photographs(write_photographs(tmp_path_factory.mktemp("photographs"), 3))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "mine")


def test_a_run_leaves_weights_card_log_and_checkpoint(
    photographs: Photographs, folder: RunFolder
) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, steps=7))
    sheets: list[Path] = []

    def validate(network: object, sheet: Path) -> list[dict[str, float]]:
        sheets.append(sheet)
        return [{"ev": -3.0, "psnr": 20.0, "ssim": 0.5}]

    assert run_session(
        trainer,
        folder,
        rhythm=RHYTHM,
        card=counted,
        validate=validate,
    )
    assert [sheet.name for sheet in sheets] == [
        "sheet-000003.png",
        "sheet-000006.png",
        "sheet-000007.png",
    ]
    spec = read_spec(folder.weights)
    assert (spec.name, spec.detail_widths, spec.unshuffle) == ("mine", (8,), 2)
    loaded = load_network(spec)
    for name, value in trainer.result().state_dict().items():
        assert torch.allclose(loaded.state_dict()[name].float(), value, atol=1e-3)
    assert read_card(folder.weights) == folder.card.read_text() == "1 rows"
    with (folder.path / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4", "6", "7"]
    assert load_checkpoint(folder.checkpoint)["step"] == 7


def test_an_evaluation_that_fails_costs_neither_the_run_nor_its_weights(
    photographs: Photographs, folder: RunFolder
) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, steps=4))
    warnings: list[str] = []

    def validate(network: object, sheet: Path) -> list[dict[str, float]]:
        raise SourceError(f"{sheet.stem}: no picture")

    with pytest.raises(SourceError, match="sheet-000004: no picture"):
        run_session(
            trainer,
            folder,
            rhythm=RHYTHM,
            card=counted,
            validate=validate,
            on_warning=warnings.append,
        )
    assert warnings == ["not evaluated at step 3: sheet-000003: no picture"]
    assert read_card(folder.weights) == folder.card.read_text() == "0 rows"
    assert load_checkpoint(folder.checkpoint)["step"] == 4


def test_a_stopped_run_goes_on_where_it_was(photographs: Photographs, folder: RunFolder) -> None:
    straight = new_trainer(photographs, replace(OPTIONS, steps=6))
    run_session(straight, RunFolder(folder.path / "straight"), rhythm=RHYTHM, card=no_card)
    folder = RunFolder(folder.path / "stopped")
    stop = threading.Event()

    def stop_at_3(report: StepReport) -> None:
        if report.step == 3:
            stop.set()

    first = new_trainer(photographs, replace(OPTIONS, steps=6))
    assert not run_session(first, folder, rhythm=RHYTHM, card=no_card, stop=stop, on_step=stop_at_3)
    with pytest.raises(SinkError, match=r"is not empty; --resume goes on"):
        run_session(first, folder, rhythm=RHYTHM, card=no_card)
    second = new_trainer(photographs, replace(OPTIONS, steps=6))
    assert run_session(second, folder, rhythm=RHYTHM, card=no_card, resume=True)
    for a, b in zip(second.network.parameters(), straight.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_stopped_before_the_first_step_a_run_leaves_nothing(
    photographs: Photographs, folder: RunFolder
) -> None:
    stop = threading.Event()
    stop.set()
    trainer = new_trainer(photographs)
    assert not run_session(trainer, folder, rhythm=RHYTHM, card=no_card, stop=stop)
    assert list(folder.path.iterdir()) == []


def test_stopped_in_an_evaluation_a_run_has_no_figures_and_goes_on_later(
    photographs: Photographs, folder: RunFolder
) -> None:
    stop = threading.Event()
    told: list[int] = []

    def validate(network: object, sheet: Path) -> list[dict[str, float]]:
        stop.set()
        return []

    for steps, is_done in ((6, False), (3, True)):  # stopped in the one at step 3, then in the last
        stop.clear()
        trainer = new_trainer(photographs, replace(OPTIONS, steps=steps))
        assert is_done == run_session(
            trainer,
            folder,
            rhythm=RHYTHM,
            card=counted,
            validate=validate,
            resume=True,
            stop=stop,
            on_figures=lambda step, rows: told.append(step),
        )
        assert (trainer.step, told) == (3, [])
        assert folder.card.read_text() == "0 rows"


def test_a_full_disk_ends_clearly_and_keeps_the_checkpoint_before(
    photographs: Photographs, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = new_trainer(photographs, replace(OPTIONS, steps=6))

    def fill_the_disk(report: StepReport) -> None:
        if report.step == 3:
            monkeypatch.setattr(os, "fsync", no_space)

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SinkError, match=r"checkpoint\.pt: cannot be written \(No space left"):
        run_session(trainer, folder, rhythm=RHYTHM, card=no_card, on_step=fill_the_disk)
    assert load_checkpoint(folder.checkpoint)["step"] == 2
    assert not list(folder.path.glob(".*partial"))


def test_lines_of_steps_that_are_done_again_leave_the_log(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path)
    for step in (10, 20, 30):
        log.add(step, 0.5, 1e-3, 0.1)
    TrainingLog(tmp_path, 20).add(30, 0.25, 1e-3, 0.1)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["10", "20", "30"]
    assert float(rows[-1]["loss"]) == 0.25


def test_what_a_power_cut_left_of_lines_leaves_the_log(tmp_path: Path) -> None:
    TrainingLog(tmp_path).add(10, 0.5, 1e-3, 0.1)
    whole = (tmp_path / "log.csv").read_bytes()
    (tmp_path / "log.csv").write_bytes(whole + b"20,0.2500\n" + b"\0" * 20 + b"\n30,\xff,1,1\n\n1")
    TrainingLog(tmp_path, 40)
    assert (tmp_path / "log.csv").read_bytes() == whole


@pytest.mark.parametrize("data", [b"", b"hi", b"no checkpoint", b"PK\x03\x04 no zip"])
def test_a_broken_checkpoint_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is not a checkpoint"):
        load_checkpoint(path)


def test_a_file_of_torch_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 3}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="not a checkpoint of this version"):
        load_checkpoint(tmp_path / "other.pt")
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        load_checkpoint(tmp_path / "gone.pt")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be made"):
        RunFolder(tmp_path / "file" / "run").prepare(resume=False)
    with pytest.raises(SinkError, match="cannot be written"):
        save_checkpoint(tmp_path / "gone" / "c.pt", {})


def test_where_tensorboard_is_installed_it_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float, int]] = []

    class Board:
        def __init__(self, folder: str, purge_step: int) -> None:
            assert (folder, purge_step) == (str(tmp_path / "tensorboard"), 4)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def close(self) -> None:
            told.append(("closed", 0, 0))

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Board  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    log = TrainingLog(tmp_path, 4)
    log.add(5, 0.5, 1e-3, 0.1)
    log.add_figures(5, {"psnr pairs": 17.5})
    log.close()
    assert told == [("loss", 0.5, 5), ("rate", 1e-3, 5), ("psnr pairs", 17.5, 5), ("closed", 0, 0)]
