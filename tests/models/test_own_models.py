"""Users' own weights: named, read, refused, and run by each backend."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamlight.backends import choose, open_backend
from streamlight.errors import BackendUnavailableError, ModelError, UsageError
from streamlight.models import MODELS
from streamlight.models.export import export_graphs
from streamlight.models.gladnet import GLADNet
from streamlight.models.own import (
    HASH_FILE,
    find_model,
    graphs_problem,
    hash_of,
    models_folder,
    own_weights,
    read_spec,
)
from streamlight.models.spec import ModelSpec
from streamlight.models.weights import load_network, save_weights

TINY = ModelSpec("tiny", 8, (8,), 2, 8_972, "", "for tests")


def saved(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    save_weights(GLADNet(TINY), path)
    return path


def test_the_specification_travels_with_the_weights(tmp_path: Path) -> None:
    spec = read_spec(saved(tmp_path / "night.safetensors"))
    assert spec.name == "night"
    assert (spec.prior_channels, spec.detail_widths, spec.unshuffle) == (8, (8,), 2)
    assert load_network(spec).spec is spec


def test_models_of_the_folder_have_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIGHT_MODELS", str(tmp_path / "models"))
    assert own_weights() == []
    (tmp_path / "models").mkdir()
    path = saved(tmp_path / "models" / "night.safetensors")
    assert find_model("night").weights == path
    assert find_model("gladnet") is MODELS["gladnet"]
    with pytest.raises(UsageError, match=r"--model day: choose one of auto, gladnet.*, night"):
        find_model("day")


def test_without_the_variable_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMLIGHT_MODELS", raising=False)
    assert models_folder().parts[-2:] == ("streamlight", "models")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_model(str(tmp_path / "gone.safetensors"))
    broken = tmp_path / "broken.safetensors"
    for data in (b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"):
        broken.write_bytes(data)
        with pytest.raises(ModelError, match="not a safetensors file"):
            find_model(str(broken))
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, broken)
    with pytest.raises(ModelError, match="does not tell what network it is of"):
        find_model(str(broken))


def test_without_graphs_auto_takes_torch_and_openvino_names_export(tmp_path: Path) -> None:
    path = saved(tmp_path / "night.safetensors")
    choice = choose(str(path), device="cpu")
    assert (choice.backend.info.backend, choice.model.name) == ("torch", "night")
    choice.backend.close()
    with pytest.raises(BackendUnavailableError, match=r"streamlight export --model .*night"):
        choose(str(path), "openvino")


@pytest.mark.slow
def test_openvino_runs_graphs_that_lie_beside_the_weights_and_are_of_them(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    spec = read_spec(saved(tmp_path / "night.safetensors"))
    folder = tmp_path / "night"
    export_graphs(spec, load_network(spec), folder)
    assert "of other weights" in str(graphs_problem(spec))
    (folder / HASH_FILE).write_text(hash_of(tmp_path / "night.safetensors"))
    assert graphs_problem(spec) is None
    image = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    view = np.random.default_rng(1).random((1, 3, 96, 96), np.float32)
    results = []
    for name in ("openvino", "torch"):
        backend = open_backend(name, spec, precision="fp32")
        results.append(backend.reconstruct(image, backend.estimate(view)).astype(int))
        backend.close()
    assert np.abs(results[0] - results[1]).max() <= 1
    saved(tmp_path / "night.safetensors", seed=1)
    assert "of other weights" in str(graphs_problem(spec))
