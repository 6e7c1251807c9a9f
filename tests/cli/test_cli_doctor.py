import hashlib
import json
from importlib import metadata
from pathlib import Path

import pytest
from cli_runs import run, run_here

from streamlight.backends import BACKENDS, BackendRow, choose
from streamlight.cli import checks
from streamlight.cli.checks import Check, State
from streamlight.errors import BackendError
from streamlight.models import MODELS, graph_path
from streamlight.sinks.encoders import has_decoder, probe_encoder

SPEC = MODELS["gladnet-fast"]


def test_doctor_finds_this_machine_able(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--json")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert facts["can_work"] is True
    assert facts["versions"]["av"] and facts["versions"]["python"]
    assert facts["machine"]["cores"] >= 1
    states = {
        (group, check["name"]): check["state"]
        for group in ("backends", "encoders", "decoders", "models", "folders")
        for check in facts[group]
    }
    assert {name for group, name in states if group == "backends"} == set(BACKENDS)
    assert states["backends", "openvino"] == "works"
    for encoder in ("libx264", "libx265", "libsvtav1", "libvpx-vp9"):
        assert states["encoders", encoder] == "works"
    assert all(states["decoders", name] == "works" for name in checks.DECODERS)
    if not Path("/proc/driver/nvidia/version").exists():
        absent = {check["name"]: check for check in facts["on the GPU"]}
        for name in ("NVDEC h264", "NVDEC av1", "NVENC h264_nvenc"):
            assert absent[name]["state"] == "missing"
            assert "libcuda" in absent[name]["detail"]
    assert states["models", "gladnet"] == states["models", "gladnet-fast"] == "works"
    assert states["folders", "cache"] == "works"
    assert (tmp_path / "streamlight").is_dir(), "the cache is in XDG_CACHE_HOME"


def test_without_a_backend_doctor_fails_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = BackendRow("ghost", "no_such_package", "pip install ghost", "-", (), lambda *_: None)  # type: ignore[arg-type]
    monkeypatch.setattr(checks, "BACKENDS", {"ghost": absent})
    done = run_here("doctor")
    assert done.code == 1
    assert "pip install ghost" in done.out
    assert "streamlight file cannot work here" in done.out


def test_a_backend_that_breaks_is_reported_not_raised() -> None:
    def broken(*_: object) -> object:
        raise BackendError("the driver is too old")

    row = BackendRow("broken", "json", "pip", "-", (), broken)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKENDS, "broken", row)
        found = checks.check_backend(row)
    assert found == Check("broken", State.FAILS, "BackendError: the driver is too old")


@pytest.mark.parametrize(
    ("backend", "encoder", "able"),
    [
        (State.WORKS, State.WORKS, True),
        (State.WORKS, State.FAILS, False),
        (State.MISSING, State.WORKS, False),
    ],
)
def test_the_file_command_needs_a_backend_and_x264(
    backend: State, encoder: State, able: bool
) -> None:
    groups = {
        "backends": [Check("openvino", backend), Check("torch", State.MISSING)],
        "encoders": [Check("libx264", encoder), Check("libx265", State.WORKS)],
        "decoders": [Check("libx264", State.WORKS)],
    }
    assert checks.can_work(groups) is able


def test_damaged_weights_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "gladnet-fast.safetensors"
    damaged.write_bytes(b"damaged")
    monkeypatch.setattr(checks, "weights_path", lambda spec: damaged)
    found = checks.check_model(SPEC)
    assert found.state is State.FAILS
    assert "SHA-256 of gladnet-fast.safetensors is wrong" in found.detail


def test_graphs_are_compared_with_the_record_of_the_installed_wheel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = graph_path(SPEC, "estimate")
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(checks, "recorded_hashes", lambda: {path: right})
    assert checks.check_model(SPEC).detail == "SHA-256 of the weights and graphs is right"
    monkeypatch.setattr(checks, "recorded_hashes", lambda: {path: "0" * 64})
    found = checks.check_model(SPEC)
    assert found.state is State.FAILS
    assert "estimate.onnx" in found.detail


def test_the_record_of_a_wheel_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    files = metadata.files("platformdirs")
    monkeypatch.setattr(metadata, "files", lambda name: files)
    recorded = checks.recorded_hashes()
    modules = [path for path in recorded if path.suffix == ".py"]
    assert modules
    for path in modules:
        assert recorded[path] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unwritable_cache_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/no")
    found = checks.check_cache()
    assert found.state is State.FAILS
    assert "XDG_CACHE_HOME" in found.detail


def test_encoders_are_really_opened() -> None:
    good = probe_encoder("libx264")
    assert (good.is_present, good.works, good.detail) == (True, True, "")
    unknown = probe_encoder("no_such_encoder")
    assert (unknown.is_present, unknown.works) == (False, False)
    assert unknown.detail == "not in this build of libav"
    wrong = probe_encoder("h263")  # is there, but takes five sizes only
    assert (wrong.is_present, wrong.works) == (True, False)
    assert "size" in wrong.detail


def test_decoders_are_looked_up_as_decoders() -> None:
    assert has_decoder("h264")
    assert not has_decoder("libx264")


def test_models_lists_what_auto_takes() -> None:
    listed = json.loads(run_here("models", "--json").out)
    rows = {row["name"]: row for row in listed}
    assert set(rows) == set(MODELS)
    assert rows["gladnet"]["parameters"] == MODELS["gladnet"].parameters
    assert [rows[name]["auto_on"] for name in ("gladnet", "gladnet-fast")] == ["GPU", "CPU"]
    assert all(row["missing_files"] == [] for row in listed)
    choice = choose("auto", "openvino")
    choice.backend.close()
    assert rows[choice.model.name]["auto_on"] == "CPU"


def test_models_prints_a_row_a_line() -> None:
    lines = run_here("models").out.splitlines()
    assert len(lines) == 1 + len(MODELS)
    assert "971,822" in lines[1] and "all here" in lines[1]


def test_models_names_missing_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("streamlight.models.packaged.GRAPHS_FOLDER", tmp_path)
    assert "gladnet/estimate.onnx" in run_here("models").out
    assert checks.check_model(SPEC).state is State.MISSING


def test_a_missing_live_part_names_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "aiortc" else name)
    monkeypatch.setattr("shutil.which", lambda program: None)
    found = {check.name: check for check in checks.check_live_parts()}
    assert found["live page"].state is State.MISSING
    assert found["live page"].detail == 'pip install "streamlight[web]" (aiortc missing)'
    assert found["preview"].state is State.WORKS
    assert found["SRT"] == Check("SRT", State.MISSING, "install the program ffmpeg")
