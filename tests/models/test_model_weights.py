"""Loading weights: what is accepted, and how each misfit is refused."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from model_samples import network

from streamlight.errors import BackendUnavailableError, ModelError
from streamlight.models import MODELS, packaged
from streamlight.models.weights import load_network

if TYPE_CHECKING:
    from torch import Tensor

    Edit = Callable[[dict[str, Tensor]], object]

torch = pytest.importorskip("torch", reason="weights are loaded by torch")
safetensors_torch = pytest.importorskip("safetensors.torch", reason="weights are safetensors")

FAST = MODELS["gladnet-fast"]


def fast_weights() -> "dict[str, Tensor]":
    return {key: value.clone() for key, value in network("gladnet-fast").state_dict().items()}


@pytest.mark.parametrize(("name", "count"), [("gladnet", 971_822), ("gladnet-fast", 117_096)])
def test_a_network_has_the_parameters_of_its_specification(name: str, count: int) -> None:
    assert sum(weight.numel() for weight in network(name).parameters()) == count
    assert MODELS[name].parameters == count


def test_the_packaged_network_is_ready_to_run_in_fp32() -> None:
    net = load_network(FAST)
    stored = safetensors_torch.load_file(packaged.weights_path(FAST))
    assert not net.training
    assert net.state_dict().keys() == stored.keys()
    for key, value in net.state_dict().items():
        assert (value.dtype, value.device.type) == (torch.float32, "cpu")
        assert torch.equal(value, stored[key].float())


def test_a_file_of_the_users_may_hold_other_values(tmp_path: Path) -> None:
    weights = {key: value + 1 for key, value in fast_weights().items()}
    safetensors_torch.save_file(weights, tmp_path / "mine.safetensors")
    loaded = load_network(FAST, tmp_path / "mine.safetensors").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())


def test_loading_leaves_the_random_generator_alone() -> None:
    state = torch.random.get_rng_state()
    load_network(FAST)
    assert torch.equal(torch.random.get_rng_state(), state)


def drop_two(weights: "dict[str, Tensor]") -> None:
    del weights["prior.up.5.bias"], weights["detail.convs.0.weight"]


def set_infinite(weights: "dict[str, Tensor]") -> None:
    weights["prior.up.0.bias"][3] = float("inf")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop_two, "missing detail.convs.0.weight, prior.up.5.bias;"),
        (lambda w: w.update(extra=torch.zeros(1)), "unexpected extra;"),
        (
            lambda w: w.update({"detail.convs.1.weight": torch.zeros(24, 31, 3, 3)}),
            "detail.convs.1.weight is (24, 31, 3, 3), expected (16, 16, 3, 3);",
        ),
        (set_infinite, "infinite values or NaN in prior.up.0.bias;"),
        (lambda w: w.clear(), "missing detail.convs.0.bias, detail.convs.0.weight, "),
        (lambda w: w.clear(), " and 26 more;"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    tmp_path: Path, edit: "Edit", message: str
) -> None:
    weights = fast_weights()
    edit(weights)
    path = tmp_path / "other.safetensors"
    safetensors_torch.save_file(weights, path)
    with pytest.raises(ModelError, match=re.escape(message)) as refused:
        load_network(FAST, path)
    assert str(path) in str(refused.value)
    assert "do not fit the model 'gladnet-fast'" in str(refused.value)


def test_the_weights_of_another_model_are_refused() -> None:
    with pytest.raises(ModelError, match=r"is \(128, 67, 3, 3\), expected \(16, 44, 3, 3\)"):
        load_network(FAST, packaged.weights_path(MODELS["gladnet"]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not weights",
        bytes(1000),
        b"\xff" * 1000,
        packaged.weights_path(FAST).read_bytes()[:-1],
        b"\x3a\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F6","shape":[],"data_offsets":[0,1]}}'.ljust(58),
    ],
    ids=["empty", "text", "zeros", "ones", "truncated", "element type"],
)
def test_a_file_that_is_not_safetensors_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "garbage.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"garbage\.safetensors is not a safetensors file"):
        load_network(FAST, tmp_path / "garbage.safetensors")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none\.safetensors: No such file"):
        load_network(FAST, tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match=r"cannot read the weights .*directory"):
        load_network(FAST, tmp_path)


def test_only_the_packaged_file_must_have_the_hash_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gladnet-fast.safetensors"
    safetensors_torch.save_file(fast_weights(), path)
    load_network(FAST, path)
    monkeypatch.setattr(packaged, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(ModelError, match=rf"expected {FAST.weights_sha256}; reinstall"):
        load_network(FAST)


@pytest.mark.parametrize("module", ["torch", "safetensors"])
def test_a_missing_package_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=r'pip install "streamlight\[torch\]"'):
        load_network(FAST)
