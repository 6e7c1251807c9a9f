"""What the commands say and report of a backend that takes over, and where its engines are kept."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runs import read_json, run_here
from clips import make_clip
from fake_backend import FakeBackend

from streamlight.backends import AutoChoice, BackendInfo
from streamlight.backends.hot_swap import HotSwapBackend
from streamlight.errors import BackendUnavailableError, EngineError
from streamlight.frame import Image
from streamlight.models import MODELS

FIRST = BackendInfo("torch", "RTX 4090", "fp16")
BETTER = BackendInfo("tensorrt-rtx", "RTX 4090", "fp16")


class Slow(FakeBackend):
    """Takes long enough for a thread to come between two frames."""

    def reconstruct(self, *arguments: Any) -> Image:
        time.sleep(0.01)
        return super().reconstruct(*arguments)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let `auto` find a GPU, on which "fp32" engines are wrong; return what is asked of it."""
    asked: list[dict[str, Any]] = []

    def choose(
        model: str, backend: str, device: Any, precision: Any, parallel: Any, **more: Any
    ) -> AutoChoice:
        asked.append(more)

        def open_better(stop: threading.Event) -> FakeBackend:
            if precision == "fp32":
                raise EngineError("the engine is wrong: 31.0 dB against FP32")
            return Slow(BETTER)

        subject = HotSwapBackend(
            Slow(FIRST), reopen=lambda: Slow(FIRST), open_better=open_better, name="tensorrt-rtx"
        )
        return AutoChoice(subject, MODELS["gladnet"], "the best here")

    for module in ("streamlight.enhance", "streamlight.cameras.group"):
        monkeypatch.setattr(f"{module}.choose", choose)
    return asked


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", frames=40)


def commands(clip: Path, folder: Path, *options: str) -> dict[str, tuple[str, ...]]:
    """Three kinds of run: a file, one live source, and several cameras."""
    network = "".join(
        f'{name.removeprefix("--").replace("-", "_")} = "{value}"\n'
        for name, value in zip(options[::2], options[1::2], strict=True)
    )
    config = folder / "cameras.toml"
    config.write_text(
        f"[network]\n{network}"
        f'[[camera]]\nname = "door"\nsource = "{clip}"\nno_loop = true\n'
        f'output = "{folder}/door.mkv"\n'
    )
    report = ("--report", str(folder / "r.json"))
    return {
        "file": ("file", str(clip), "-o", str(folder / "a.mp4"), *options, *report),
        "live": ("file", str(clip), "--realtime", "-o", f"{folder}/b.mkv", *options, *report),
        "group": ("run", str(config), *report),
    }


@pytest.mark.parametrize("kind", ["file", "live", "group"])
def test_the_takeover_is_told_once_and_reported(
    asked: list[dict[str, Any]], clip: Path, tmp_path: Path, kind: str
) -> None:
    done = run_here(*commands(clip, tmp_path)[kind])
    assert done.code == 0, done.err
    said = [line for line in done.err.splitlines() if "took over" in line]
    assert len(said) == 1, done.err
    backend = read_json(tmp_path / "r.json")["backend"]
    assert (backend["name"], backend["precision"]) == ("tensorrt-rtx", "fp16")
    (swap,) = backend["swaps"]
    assert swap["to"] == str(BETTER)
    assert swap["failure"] is None
    assert 2 <= swap["after_frames"] < 40
    assert 0 < swap["build_s"] <= swap["at_s"]
    assert f"{BETTER} took over at" in said[0]
    assert f"after {swap['after_frames']} frames" in said[0]


@pytest.mark.parametrize("kind", ["file", "live", "group"])
def test_a_failure_is_one_line_and_reported(
    asked: list[dict[str, Any]], clip: Path, tmp_path: Path, kind: str
) -> None:
    done = run_here(*commands(clip, tmp_path, "--precision", "fp32")[kind])
    assert done.code == 0, done.err
    said = [line for line in done.err.splitlines() if "take over" in line]
    assert len(said) == 1, done.err
    assert said[0].endswith(": the engine is wrong: 31.0 dB against FP32")
    backend = read_json(tmp_path / "r.json")["backend"]
    assert backend["name"] == "torch"
    assert [s["failure"] for s in backend["swaps"]] == ["the engine is wrong: 31.0 dB against FP32"]


@pytest.mark.parametrize("kind", ["file", "live", "group"])
def test_the_folder_of_engines_is_asked_for(
    asked: list[dict[str, Any]], clip: Path, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "plans"
    assert run_here(*commands(clip, tmp_path, "--engine-dir", str(folder))[kind]).code == 0
    assert asked == [{"engine_dir": folder, "hot_swap": True}]


def test_serve_passes_the_folder_too(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    asked = []

    def choose(*arguments: Any, **more: Any) -> AutoChoice:
        asked.append(more["engine_dir"])
        raise BackendUnavailableError("not here")

    monkeypatch.setattr("streamlight.cameras.group.choose", choose)
    done = run_here("serve", str(clip), "--engine-dir", str(tmp_path))
    assert (done.code, asked) == (1, [tmp_path])


def test_a_backend_without_engines_refuses_a_folder_for_them(clip: Path, tmp_path: Path) -> None:
    done = run_here(
        "file", str(clip), "-o", str(tmp_path / "a.mp4"), "--backend", "openvino",
        "--engine-dir", str(tmp_path),
    )  # fmt: skip
    assert done.code == 2
    assert "--engine-dir: openvino keeps no engines" in done.err
