"""`streamlight train`: two steps on tiny pictures; what it writes, and how it fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cli_runs import environment, finish, run_here, start
from PIL import Image as Pillow
from stills import write_pictures

from streamlight.cli.train_progress import TrainingProgress
from streamlight.models import MODELS
from streamlight.models.own import read_spec

FAST = MODELS["gladnet-fast"]
ROOT = Path(__file__).parents[2]
TINY = ("--steps", "2", "--batch", "1", "--crop", "32", "--device", "cpu")


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Pillow.open(path) as picture:
        return np.asarray(picture)


def test_a_run_ends_with_weights_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    data, out = write_pictures(tmp_path / "data"), tmp_path / "night"
    (data / "bad.png").write_bytes(b"no picture")
    low = write_pictures(tmp_path / "low", 1, 0.1)
    high = write_pictures(tmp_path / "high", 1)
    index = tmp_path / "index.csv"
    index.write_text("\ufefffile,licence\ndata/0.png,CC0 1.0\ndata/1.png,CC0 1.0\n")  # as of Excel
    words = ("train", data, "--out", out, *TINY, "--init", "seed", "--index", index)
    done = run_here(*words, "--eval-dir", low, high, "--eval-kodak", high)
    assert (done.code, done.out) == (0, f"{out / 'night.safetensors'}\n")
    assert "skipped: " in done.err
    assert "bad.png" in done.err
    assert "psnr pairs" in done.err
    card = (out / "MODEL_CARD.md").read_text()
    for told in (
        "- 2: CC0 1.0",
        "- 1: not in the index",
        "the weights of gladnet-fast",
        "| -3.0 |",
    ):
        assert told in card
    assert pixels(out / "sheet-000002.png").shape[1] == 3 * 240  # input, result, reference
    assert {path.name for path in out.iterdir()} == {
        "MODEL_CARD.md",
        "checkpoint.pt",
        "log.csv",
        "night.safetensors",
        "sheet-000002.csv",
        "sheet-000002.png",
    }

    again = run_here(*words)
    assert again.code == 1
    assert "is not empty; --resume goes on" in again.err
    other = run_here(*words[:4], *TINY, "--model", "gladnet", "--steps", "3", "--resume")
    assert other.code == 2
    assert "with other layers, of --model gladnet-fast" in other.err
    taught = run_here(*words[:4], *TINY, "--teacher", "gladnet-fast", "--steps", "3", "--resume")
    assert taught.code == 2
    assert "of a run with no --teacher" in taught.err
    longer = run_here(*words[:4], *TINY, "--steps", "3", "--resume")
    assert longer.code == 0
    assert "Began with the weights of gladnet-fast." in (out / "MODEL_CARD.md").read_text()
    steps = (out / "log.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in steps] == ["2", "3"]

    picture = tmp_path / "bright.png"
    shown = run_here("file", low / "0.png", "-o", picture, "--model", out / "night.safetensors")
    assert shown.code == 0, shown.err
    assert pixels(picture).mean() > 2 * pixels(low / "0.png").mean()
    monkeypatch.setenv("STREAMLIGHT_MODELS", str(out))
    rows = json.loads(run_here("models", "--json").out)
    assert rows[-1]["name"] == "night"
    assert "streamlight export" in rows[-1]["own"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("empty",), 1, "error: empty: no pictures there; expected"),
        (("data", "--preset", "best"), 2, "error: --preset best: choose one of default, paper"),
        (("data", "--without", "fog"), 2, "error: --without fog: choose among"),
        (("data", "--model", "x"), 2, "error: --model x: choose one of"),
        (("data", "--init", "x"), 2, "error: --init x: choose one of gladnet, "),
        (("data", "--teacher", "a/b"), 2, "error: --teacher a/b: no such file"),
        (("data", "--device", "tpu"), 1, "error: torch has no device tpu here"),
        (("data", "--eval-kodak", "empty"), 1, "error: empty: no pictures in this folder"),
        (("data", "--index", "data/0.png"), 1, "error: data/0.png: cannot be read as an index"),
        (("data", "--index", "short.csv"), 1, "error: short.csv: row 2 below the heading lacks"),
        (("data", "--minutes", "0"), 2, "error: --minutes 0: more than 0"),
        (("data", "--minutes", "-1"), 2, "error: --minutes -1: more than 0"),
        (("data", "--rate", "-1"), 2, "error: --rate -1: more than 0"),
        (("data", "--rate", "nan"), 2, "error: --rate nan: more than 0"),
        (("data", "--seed", "-1"), 2, "error: --seed -1: from 0 to 4294967295"),
        (("data", "--seed", str(2**64)), 2, "error: --seed 18446744073709551616: from 0 to"),
        (("data", "--keep", "0.5"), 2, "error: --keep mixes in the weights of --init"),
        (("data", "--meter", "5"), 2, "error: --meter 5: 0, or at least 256"),
        (("data", "--steps", "0"), 2, "error: --steps 0 fits the meter of --init's weights"),
        (("data", "--steps", "0", "--init", "seed"), 2, "error: --steps 0 fits a meter, and this"),
        (("data", "--add", "fog", "--init", "seed"), 2, "error: --add fog: one of street, uneven"),
        (("data", "--add", "street"), 2, "error: --add street: needs --init, whose weights"),
        (("data", "--crop", "31"), 2, "error: --crop 31: a multiple of 2 from 32 to 256"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data", 1)
    (tmp_path / "empty").mkdir()
    data, *options = words
    (tmp_path / "short.csv").write_text("file,licence\n0.png,CC0\n1.png\n")
    failed = run_here("train", data, "--out", "run", *TINY, *options)
    assert failed.code == code
    assert failed.err.startswith(message)
    assert len(failed.lines) == 1


def test_both_sets_of_pictures_are_read_before_the_training(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    data = write_pictures(tmp_path / "data", 1)
    low, high = write_pictures(tmp_path / "low", 2), write_pictures(tmp_path / "high", 2)
    words = ("train", data, "--out", tmp_path / "run", *TINY, "--eval-dir", low, high)
    missing = run_here(*words, "--eval-kodak", tmp_path / "kodak")
    assert (missing.code, len(missing.lines)) == (1, 1)
    assert "kodak: no such folder" in missing.err
    Pillow.fromarray(pixels(low / "1.png")[:64]).save(low / "1.png")
    cropped = run_here(*words)
    assert (cropped.code, len(cropped.lines)) == (1, 1)
    assert "1: the pair has 160x64 and 160x128 pixels; one size expected" in cropped.err
    (low / "1.png").write_bytes((low / "0.png").read_bytes()[:100])
    assert "low/1.png: cannot be read as a picture" in run_here(*words).err
    assert not (tmp_path / "run").exists()


def test_ctrl_c_while_photographs_are_read_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_pictures(tmp_path / "data"), tmp_path / "night"
    monkeypatch.setattr(
        TrainingProgress, "read", lambda self, done, total: signal.raise_signal(signal.SIGINT)
    )
    stopped = run_here("train", data, "--out", out, *TINY)
    assert (stopped.code, list(out.iterdir())) == (130, [])
    assert stopped.lines[-1] == "stopped before the first step: nothing was written"


def test_an_evaluation_can_be_stopped(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from streamlight.models.weights import load_network
    from streamlight.training.validation import ValidationSets, validate

    stop = threading.Event()
    stop.set()
    sets, sheet = ValidationSets(bright=write_pictures(tmp_path / "bright")), tmp_path / "sheet.png"
    assert validate(load_network(MODELS["gladnet-fast"]), sets, "x", sheet, stop) == []
    assert not sheet.exists()


def test_the_folder_one_is_in_gives_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_pictures(tmp_path / "data", 1), tmp_path / "night"
    out.mkdir()
    monkeypatch.chdir(out)
    done = run_here("train", data, "--out", ".", *TINY)
    assert (done.code, done.out) == (0, "night.safetensors\n")
    assert (out / "MODEL_CARD.md").read_text().startswith("# Model card: night\n")


def test_a_meter_is_fitted_to_weights_as_they_are_and_left_out_again(tmp_path: Path) -> None:
    data, metered, plain = write_pictures(tmp_path / "data"), tmp_path / "metered", tmp_path / "b"
    words = ("train", data, "--device", "cpu")
    done = run_here(*words, "--init", "seed", "--steps", "0", "--meter", "256", "--out", metered)
    assert done.code == 0, done.err
    weights = metered / "metered.safetensors"
    spec = read_spec(weights)
    assert (spec.is_metered, spec.parameters > FAST.parameters) == (True, True)
    assert "; with a meter, fitted to 256 views." in (metered / "MODEL_CARD.md").read_text()
    done = run_here(*words, *TINY, "--init", weights, "--meter", "0", "--out", plain)
    assert done.code == 0, done.err
    spec = read_spec(plain / "b.safetensors")
    assert (spec.is_metered, spec.parameters) == (False, FAST.parameters)


def test_ctrl_c_in_the_meters_fitting_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_pictures(tmp_path / "data"), tmp_path / "night"
    monkeypatch.setattr(TrainingProgress, "view", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    words = ("train", data, "--init", "seed", "--steps", "0", "--meter", "256", "--device", "cpu")
    stopped = run_here(*words, "--out", out)
    assert stopped.code == 130
    assert f"stopped in the meter's fitting: --resume goes on from {out}" in stopped.err
    assert "with a meter that is not fitted" in (out / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_that_resume_goes_on_from(tmp_path: Path) -> None:
    data, out = write_pictures(tmp_path / "data"), tmp_path / "night"
    words = ("train", data, "--out", out, "--batch", "1", "--crop", "32", "--device", "cpu")
    process = start(tmp_path, *words, "--steps", "100000")
    try:
        deadline = time.monotonic() + 80
        log = out / "log.csv"
        while time.monotonic() < deadline and not (
            log.is_file() and log.read_text().count("\n") > 1
        ):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        stopped = finish(process)
    finally:
        process.kill()
    assert stopped.code == 130
    step = int(stopped.err.split("stopped after step ")[1].split(":")[0])
    assert step >= 50
    assert (out / "night.safetensors").is_file()
    resumed = run_here(*words, "--steps", str(step + 1), "--resume")
    assert resumed.code == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_gpu_train_is_one_command(tmp_path: Path) -> None:
    """On a CPU, for two steps: train both, evaluate, export; and again, resumed."""
    data = write_pictures(tmp_path / "data")
    low = write_pictures(tmp_path / "low", 1, 0.1)
    kodak = write_pictures(tmp_path / "kodak", 1)
    command = [
        "make", "gpu-train", "DEV=", f"BIN={Path(sys.executable).parent}",
        f"DATA={data}", f"LOW={low}", f"HIGH={kodak}", f"KODAK={kodak}",
        f"RUNS={tmp_path / 'runs'}",
        "STEPS=2", "TRAIN=--device cpu --batch 1 --crop 32 --meter 256",
    ]  # fmt: skip
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, env=environment(tmp_path), check=True, timeout=280)
    for name in ("gladnet", "gladnet-fast"):
        run = tmp_path / "runs" / f"{name}-trained"
        weights = run / f"{name}-trained"
        assert weights.with_suffix(".safetensors").is_file()
        assert all((weights / f"{graph}.onnx").is_file() for graph in MODELS[name].graph_names)
        assert "| -3.0 |" in (weights / "MODEL_CARD.md").read_text()
