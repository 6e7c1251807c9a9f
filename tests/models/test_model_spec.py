"""The table of models and the packaged files."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

import streamlight.models
from streamlight.errors import ModelError
from streamlight.models import MODELS, get_spec, graph_path, weights_path
from streamlight.models.packaged import int8_graph_path


def test_get_spec_returns_the_model_of_that_name() -> None:
    assert [get_spec(name).name for name in MODELS] == ["gladnet", "gladnet-fast"]


def test_an_unknown_model_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ModelError, match=r"'gladnet2'.*: gladnet, gladnet-fast"):
        get_spec("gladnet2")


def test_the_compact_graph_needs_two_pixels_a_cell_and_the_papers_form() -> None:
    paper, affine = MODELS["gladnet"], MODELS["gladnet-fast"]
    assert (paper.is_compact(192, 400), paper.is_compact(191, 400)) == (True, False)
    unshuffled = replace(affine, is_affine=False)
    assert (unshuffled.is_compact(384, 384), unshuffled.is_compact(400, 382)) == (True, False)
    assert not affine.is_compact(2160, 3840)
    assert affine.graph_names == ("estimate", "reconstruct")


@pytest.mark.parametrize("name", MODELS)
def test_the_packaged_weights_are_those_of_the_table(name: str) -> None:
    data = weights_path(MODELS[name]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == MODELS[name].weights_sha256


@pytest.mark.parametrize("name", MODELS)
def test_every_graph_is_packaged_and_no_other(name: str) -> None:
    paths = [graph_path(MODELS[name], graph) for graph in MODELS[name].graph_names]
    int8 = int8_graph_path(MODELS[name])
    in_8_bits = [int8, int8.with_suffix(".bin")] if int8 else []
    assert (name == "gladnet-fast") == bool(in_8_bits)
    assert sorted(paths + in_8_bits) == sorted(paths[0].parent.iterdir())
    assert paths[0].parent.name == name
    assert all(path.stat().st_size > 50_000 for path in paths)


def test_files_that_the_package_does_not_hold_are_refused_with_the_remedy() -> None:
    foreign = replace(MODELS["gladnet"], name="mine")
    with pytest.raises(ModelError, match=r"graph 'estimate'.*'mine'.*streamlight\.models\.export"):
        graph_path(foreign, "estimate")
    with pytest.raises(ModelError, match=r"weights of the model 'mine'.*give a weights file"):
        weights_path(foreign)


def test_importing_the_models_imports_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, streamlight.models, streamlight.models.weights, streamlight.models.export;"
        "print(*{'torch', 'onnx', 'safetensors', 'openvino'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_everything_in_all_exists() -> None:
    assert all(hasattr(streamlight.models, name) for name in streamlight.models.__all__)
