"""Which backend and model are opened, and why: with fakes in the table's rows."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fake_backend import FakeBackend

from streamlight.backends import BACKENDS, BackendInfo, choose, open_backend
from streamlight.errors import (
    BackendError,
    BackendUnavailableError,
    StreamlightError,
    UsageError,
)
from streamlight.models.spec import MODELS, ModelSpec

SPEC = MODELS["gladnet-fast"]


Tries = list[tuple[str, str | None, str]]
Failures = Mapping[tuple[str, str | None], Exception]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Failures], Tries]:
    """Put fakes into every row; they fail as told, and note (backend, device, model)."""

    def install_fakes(failures: Failures) -> Tries:
        tries: Tries = []

        def opener(name: str) -> Callable[..., FakeBackend]:
            def open_fake(
                model: ModelSpec, device: str | None, precision: str | None, parallel: int | None
            ) -> FakeBackend:
                tries.append((name, device, model.name))
                if (name, device) in failures:
                    raise failures[name, device]
                info = BackendInfo(name, device or "its best", precision or "fp32")
                return FakeBackend(info, parallel or 4)

            return open_fake

        for name, row in BACKENDS.items():
            fake = replace(row, package="numpy", open=opener(name))
            monkeypatch.setitem(BACKENDS, name, fake)
        return tries

    return install_fakes


NO_CUDA = BackendUnavailableError("torch finds no CUDA device here; --device cpu works")
NO_OPENVINO = BackendUnavailableError("openvino has no device None here")
NO_TORCH = BackendUnavailableError("torch has no CPU")

Install = Callable[[Failures], Tries]


def test_auto_takes_a_cuda_device_first_with_the_full_model(install: Install) -> None:
    tries = install({})
    choice = choose()
    assert tries == [("torch", "cuda", "gladnet")]
    assert (choice.backend.info.backend, choice.model.name) == ("torch", "gladnet")
    assert choice.reason == "the best here"


def test_auto_goes_on_to_openvino_with_the_small_model_and_says_why(install: Install) -> None:
    tries = install({("torch", "cuda"): NO_CUDA})
    choice = choose()
    assert tries == [("torch", "cuda", "gladnet"), ("openvino", None, "gladnet-fast")]
    assert (choice.backend.info.backend, choice.model.name) == ("openvino", "gladnet-fast")
    assert "torch finds no CUDA device here" in choice.reason


def test_auto_ends_with_torch_on_the_cpu(install: Install) -> None:
    tries = install({("torch", "cuda"): NO_CUDA, ("openvino", None): NO_OPENVINO})
    choice = choose()
    assert tries[-1] == ("torch", "cpu", "gladnet-fast")
    assert "torch finds no CUDA device here" in choice.reason
    assert "openvino has no device None here" in choice.reason


def test_where_nothing_runs_every_reason_is_given(install: Install) -> None:
    install(
        {("torch", "cuda"): NO_CUDA, ("openvino", None): NO_OPENVINO, ("torch", "cpu"): NO_TORCH}
    )
    with pytest.raises(BackendUnavailableError) as caught:
        choose()
    for reason in (NO_CUDA, NO_OPENVINO, NO_TORCH):
        assert str(reason) in str(caught.value)


@pytest.mark.parametrize("error", [BackendError("broke"), RuntimeError("bug"), UsageError("no")])
def test_auto_goes_on_for_no_other_error(install: Install, error: Exception) -> None:
    tries = install({("torch", "cuda"): error})
    with pytest.raises(type(error), match=str(error)):
        choose()
    assert len(tries) == 1


@pytest.mark.parametrize("error", [ImportError("libcudart.so.13"), OSError("WinError 126")])
def test_a_package_that_cannot_be_loaded_is_unavailable(install: Install, error: Exception) -> None:
    """A half-removed CUDA library must not keep OpenVINO from running."""
    install({("torch", "cuda"): error})
    choice = choose()
    assert choice.backend.info.backend == "openvino"
    assert "torch is installed, but cannot be loaded" in choice.reason
    with pytest.raises(BackendUnavailableError, match=str(error)):
        open_backend("torch", SPEC, "cuda")


def test_a_backend_asked_for_is_the_only_one_tried(install: Install) -> None:
    tries = install({("openvino", None): NO_OPENVINO})
    with pytest.raises(BackendUnavailableError, match="openvino has no device"):
        choose(backend="openvino")
    assert tries == [("openvino", None, "gladnet-fast")]


@pytest.mark.parametrize(
    ("failures", "device", "model"),
    [({}, "cuda", "gladnet"), ({("torch", "cuda"): NO_CUDA}, "cpu", "gladnet-fast")],
)
def test_torch_asked_for_takes_its_best_device_and_the_model_for_it(
    install: Install, failures: Failures, device: str, model: str
) -> None:
    install(failures)
    choice = choose(backend="torch")
    assert (choice.backend.info.device, choice.model.name) == (device, model)
    assert choice.reason == "as asked"


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cuda:1", [("torch", "cuda:1", "gladnet")]),
        ("GPU", [("openvino", "GPU", "gladnet")]),
        ("GPU.1", [("openvino", "GPU.1", "gladnet")]),
        ("NPU", [("openvino", "NPU", "gladnet-fast")]),
        ("cpu", [("openvino", "cpu", "gladnet-fast")]),
    ],
)
def test_a_device_chooses_the_backend_that_may_have_it(
    install: Install, device: str, expected: Tries
) -> None:
    tries = install({})
    choose(device=device)
    assert tries == expected


def test_a_precision_chooses_the_backends_that_have_it(install: Install) -> None:
    tries = install({})
    assert choose(precision="bf16").backend.info == BackendInfo("openvino", "its best", "bf16")
    assert [name for name, _, _ in tries] == ["openvino"]


def test_a_model_asked_for_is_taken_on_any_device(install: Install) -> None:
    install({("torch", "cuda"): NO_CUDA})
    assert choose("gladnet").model.name == "gladnet"
    assert choose("gladnet-fast", "torch", "cuda:0").model.name == "gladnet-fast"


@pytest.mark.parametrize(("asked", "parallel"), [(1, 1), (3, 3), (None, 4)])
def test_parallelism_reaches_the_backend(
    install: Install, asked: int | None, parallel: int
) -> None:
    install({})
    assert choose(parallel=asked).backend.parallel == parallel


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "cudnn"}, "--backend cudnn: choose one of auto, openvino, cuda, torch"),
        ({"model": "zero-dce"}, "--model zero-dce: choose one of auto, gladnet, gladnet-fast"),
        ({"backend": "torch", "precision": "bf16"}, "--precision bf16: torch has fp32, fp16"),
        ({"precision": "int4"}, "--precision int4: no backend has that.*bf16"),
        ({"device": "tpu"}, "--device tpu .*no backend has that.*cpu or cuda"),
        ({"device": "cuda", "precision": "bf16"}, "--device cuda --precision bf16: no backend"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(
    install: Install, arguments: dict[str, Any], message: str
) -> None:
    tries = install({})
    with pytest.raises(UsageError, match=message):
        choose(**arguments)
    assert tries == []


def test_a_backend_that_is_not_installed_comes_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide(monkeypatch, "torch")
    with pytest.raises(BackendUnavailableError, match=r'install "?streamlight\[torch\]"?'):
        open_backend("torch", SPEC)
    with pytest.raises(StreamlightError, match=r"torch is not installed: pip install"):
        choose(backend="torch")


def test_without_torch_auto_takes_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "torch")
    choice = choose()
    assert choice.backend.info.backend == "openvino"
    assert "torch is not installed" in choice.reason
    choice.backend.close()


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package look as if it were not installed."""
    find = importlib.util.find_spec

    def find_other(name: str, package_: str | None = None) -> Any:
        return None if name == package else find(name, package_)

    monkeypatch.setattr(importlib.util, "find_spec", find_other)


def test_every_row_is_complete() -> None:
    for name, row in BACKENDS.items():
        assert row.name == name
        assert "fp32" in row.precisions
        assert row.install.startswith("pip install ")
        assert row.is_installed == (importlib.util.find_spec(row.package) is not None)


def test_a_backend_describes_itself_in_one_phrase() -> None:
    assert str(BackendInfo("openvino", "AMD EPYC", "bf16")) == "openvino, BF16 on AMD EPYC"
