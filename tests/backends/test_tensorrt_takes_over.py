"""TensorRT takes over in `auto`: real builds by TensorRT-RTX, a fake GPU, and who is chosen."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_backend_choice import NO_CUDA, Install, install
from test_tensorrt_backend import HERE, RTX, SPEC, Rig, night

from streamlight.backends import BACKENDS, choose, open_backend
from streamlight.backends.hot_swap import HotSwapBackend
from streamlight.backends.tensorrt import Parts, TensorRtBackend
from streamlight.detail import DetailStep
from streamlight.engines import EngineRequest, EngineStore, build_engine
from streamlight.enhance import Enhancer
from streamlight.errors import BackendUnavailableError, EngineError, UsageError
from streamlight.models import MODELS
from streamlight.view import sample

__all__ = ["install"]

pytestmark = pytest.mark.usefixtures("no_thread_left")


class TakesOver(Rig):
    """FP32 of OpenVINO in the place of torch on CUDA, and TensorRT on a fake GPU after it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.opened: list[Any] = []
        self.parallel = 2
        self.subject = HotSwapBackend(
            self.reference(),
            reopen=self.reference,
            open_better=self.open_better,
            name="tensorrt-rtx",
        )

    def open_better(self, stop: threading.Event) -> TensorRtBackend:
        parts = Parts(self.cuda, HERE, self.store, self.runtime.load, self.reference)
        self.opened.append(TensorRtBackend(SPEC, self.flavour, parts, None, self.parallel, stop))
        return self.opened[-1]  # type: ignore[no-any-return]

    def run_until_swapped(self, image: Any, sizes: int = 1) -> list[Any]:
        prior = self.subject.estimate(sample(image))
        deadline = time.monotonic() + 60
        found = []
        while len(self.subject.swaps) < sizes:
            assert time.monotonic() < deadline
            found.append(self.subject.reconstruct(image, prior))
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    rig = TakesOver(tmp_path)
    yield rig
    rig.subject.close()


def test_engines_are_built_and_verified_before_a_frame_comes_from_them(rig: TakesOver) -> None:
    image = night(66, 90)
    found = rig.run_until_swapped(image)
    (swap,) = rig.subject.swaps
    assert (swap.failure, swap.width, swap.height) == ("", 90, 66)
    assert "tensorrt-rtx, FP16 on NVIDIA GeForce RTX 4090 took over at 90x66" in str(swap)
    assert swap.after_frames == len(found) - 1 >= 2
    assert swap.build_s > 0.05
    records = [listed.record for listed in rig.store.list()]
    assert [r.verification.is_done for r in records if r is not None] == [True, True]
    for result in found[1:]:
        assert np.abs(result.astype(int) - found[0]).max() <= 1
    assert rig.runtime.contexts == 1 + rig.parallel
    other = night(90, 66, 3)
    found = rig.run_until_swapped(other, sizes=2)
    assert [s.width for s in rig.subject.swaps] == [90, 66]
    assert len(rig.opened) == 1


def test_frames_of_one_size_go_on_while_another_is_built(rig: TakesOver) -> None:
    image, other = night(66, 90), night(90, 66)
    rig.run_until_swapped(image)
    prior = rig.subject.estimate(sample(image))
    (engine,) = rig.opened
    with ThreadPoolExecutor(1) as threads, engine._opening:  # as if it built for long
        waiting = threads.submit(engine.reconstruct, other, prior)
        for _ in range(3):
            rig.subject.reconstruct(image, prior)
        assert not waiting.done()
    assert waiting.result().shape == other.shape


def test_an_engine_that_is_wrong_never_gives_out_a_frame(rig: TakesOver) -> None:
    rig.runtime.spoil = lambda result: np.zeros_like(result)
    image = night(66, 90)
    found = rig.run_until_swapped(image)
    (swap,) = rig.subject.swaps
    assert "the engine is wrong" in swap.failure and "dB against FP32" in swap.failure
    prior = rig.subject.estimate(sample(image))
    for result in [*found, rig.subject.reconstruct(image, prior)]:
        np.testing.assert_array_equal(result, found[0])
    assert found[0].any()
    assert not any(e.record and e.record.verification.is_done for e in rig.store.list())


def test_tiles_of_a_large_frame_are_swapped_together(rig: TakesOver) -> None:
    frame = night(700, 720)
    step = DetailStep(rig.subject, SPEC)
    step._grids[(frame.shape, frame.dtype)] = step._fit(
        720, 700, rig.subject.memory.bytes_per_pixel * 420 * 720
    )
    prior = rig.subject.estimate(sample(frame))
    found = [step.run(frame, prior)]
    deadline = time.monotonic() + 60
    while not rig.subject.swaps and time.monotonic() < deadline:
        found.append(step.run(frame, prior))
    (swap,) = rig.subject.swaps
    assert not swap.failure
    assert swap.after_frames == len(found) - 1
    for result in found[1:]:
        assert np.abs(result.astype(int) - found[0]).max() <= 1


def test_a_real_build_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    request = EngineRequest(MODELS["gladnet"], "estimate", None, RTX, "fp32", "float32", gpu=HERE)
    with pytest.raises(EngineError, match="the build was stopped"):
        build_engine(request, EngineStore(tmp_path), stop=stop)
    assert EngineStore(tmp_path).list() == []
    rig = Rig(tmp_path)
    parts = Parts(rig.cuda, HERE, rig.store, rig.runtime.load, rig.reference)
    with pytest.raises(EngineError, match="the build was stopped"):
        TensorRtBackend(SPEC, RTX, parts, stop=stop)


def test_auto_on_cuda_lets_tensorrt_take_over_where_it_is_installed(install: Install) -> None:
    install({})
    choice = choose(hot_swap=True)
    assert isinstance(choice.backend, HotSwapBackend)
    assert choice.reason == (
        "the best here; tensorrt-rtx or tensorrt takes over when its engines are ready"
    )
    assert choice.backend.info.backend == "torch"
    choice.backend.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hot_swap": True, "backend": "torch"},
        {"hot_swap": True, "backend": "cuda"},
        {"hot_swap": True, "device": "GPU"},
        {"hot_swap": True, "precision": "bf16"},
    ],
)
def test_nothing_takes_over_elsewhere(install: Install, options: dict[str, Any]) -> None:
    install({})
    assert not isinstance(choose(**options).backend, HotSwapBackend)
    install({("torch", "cuda"): NO_CUDA})
    assert not isinstance(choose(**{**options, "hot_swap": True}).backend, HotSwapBackend)


def test_nothing_takes_over_where_it_is_not_installed(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install({})
    for name in ("tensorrt", "tensorrt-rtx"):
        monkeypatch.setitem(BACKENDS, name, replace(BACKENDS[name], package="not_there"))
    choice = choose(hot_swap=True)
    assert not isinstance(choice.backend, HotSwapBackend)
    assert choice.reason == "the best here"


def test_where_no_flavour_can_open_every_reason_is_told(install: Install) -> None:
    """Here there is no GPU, as the flavours themselves find out."""
    install({})
    with Enhancer(choose(hot_swap=True).backend, SPEC) as enhancer:
        for _ in range(3):
            enhancer(night(66, 90))
        deadline = time.monotonic() + 30
        while not enhancer.swaps and time.monotonic() < deadline:
            time.sleep(0.01)
        (note,) = enhancer.notes
    assert note.startswith("tensorrt-rtx or tensorrt does not take over at 90x66: tensorrt-rtx")
    assert "tensorrt-rtx finds no NVIDIA GPU cuda" in note or "cannot" in note
    assert "; tensorrt" in note


def test_without_a_gpu_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, numpy as np; from streamlight.enhance import Enhancer\n"
        "with Enhancer.open() as enhancer:\n"
        "    for _ in range(3): enhancer(np.zeros((66, 90, 3), np.uint8))\n"
        "found = {'tensorrt', 'tensorrt_rtx', 'onnx', 'streamlight.engines'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_folder_of_engines_reaches_the_backend(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def open_fake(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        raise BackendUnavailableError("not here")

    for name in ("tensorrt", "tensorrt-rtx"):
        row = replace(BACKENDS[name], package="numpy", open=open_fake)
        monkeypatch.setitem(BACKENDS, name, row)
        for folder in (tmp_path, None):
            with pytest.raises(BackendUnavailableError):
                open_backend(name, SPEC, engine_dir=folder)
        with pytest.raises(BackendUnavailableError):
            choose(backend=name, engine_dir=tmp_path)
    assert asked == [{"engine_dir": tmp_path}, {}, {"engine_dir": tmp_path}] * 2
    install({})
    with pytest.raises(UsageError, match="--engine-dir: openvino keeps no engines; it is for auto"):
        choose(backend="openvino", engine_dir=tmp_path)
    taken: list[Any] = []

    def take(*arguments: Any) -> Any:
        taken.append(arguments)
        raise BackendUnavailableError("not here")

    monkeypatch.setattr(TensorRtBackend, "open", take)
    swapping = choose(engine_dir=tmp_path, hot_swap=True, parallel=3).backend
    for _ in range(3):
        swapping.reconstruct(night(66, 90), np.zeros((1, 3, 96, 96), np.float32))
    swapping.close()
    assert [a[0] for a in taken] == ["tensorrt-rtx", "tensorrt"]
    assert {(a[1].name, *a[2:6]) for a in taken} == {("gladnet", "cuda", None, 3, tmp_path)}


def test_a_model_without_graphs_is_left_to_torch(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install({})
    monkeypatch.setattr("streamlight.backends.graphs_problem", lambda model: "it has no graphs")
    assert not isinstance(choose(hot_swap=True).backend, HotSwapBackend)
