import sys
from pathlib import Path

import pytest
from cli_runs import run, run_here
from stills import write_pictures

from streamlight.models import MODELS, graph_path


def test_without_torch_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    failed = run_here("export", "--model", "gladnet", "-o", tmp_path)
    assert (failed.code, len(failed.lines)) == (1, 1)
    assert failed.err.startswith("error: ")
    assert "pip install" in failed.err


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    failed = run_here("export", "--model", "x", "-o", tmp_path)
    assert failed.err.startswith("error: --model x: choose one of auto, gladnet, gladnet-fast")
    assert failed.code == 2


def test_a_packaged_model_needs_a_place_to_write_to() -> None:
    failed = run_here("export", "--model", "gladnet")
    assert (
        failed.err == "error: --model gladnet is packaged with its graphs; -o says where to write\n"
    )
    assert failed.code == 2


def test_existing_graphs_stay_without_y(tmp_path: Path) -> None:
    (tmp_path / "reconstruct.onnx").write_bytes(b"precious")
    failed = run_here("export", "--model", "gladnet-fast", "-o", tmp_path)
    assert failed.code == 1
    assert "reconstruct.onnx: exists already; -y overwrites it" in failed.err
    assert (tmp_path / "reconstruct.onnx").read_bytes() == b"precious"


def test_8_bits_are_of_the_affine_form_alone(tmp_path: Path) -> None:
    failed = run_here("export", "--model", "gladnet", "--calibrate", tmp_path, "-o", tmp_path)
    assert failed.code == 2
    assert "gladnet is of the paper's form; only the affine one has 8 bits" in failed.err


def test_what_cannot_be_calibrated_with_is_said_before_anything_is_written(tmp_path: Path) -> None:
    folder, gone = tmp_path / "graphs", tmp_path / "gone"
    words = ("export", "--model", "gladnet-fast", "-o", folder)
    failed = run_here(*words, "--calibrate", gone)
    assert (failed.code, len(failed.lines)) == (1, 1)
    assert f"{gone}: no such folder" in failed.err
    assert not folder.exists()


@pytest.mark.slow
def test_an_export_that_fails_leaves_the_graphs_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    photographs, folder = write_pictures(tmp_path / "photographs", 1), tmp_path / "graphs"
    folder.mkdir()
    for name in ("estimate.onnx", "reconstruct_int8.xml"):
        (folder / name).write_bytes(b"of before")
    monkeypatch.setitem(sys.modules, "nncf", None)
    words = ("export", "--model", "gladnet-fast", "-o", folder, "--calibrate", photographs, "-y")
    failed = run_here(*words)
    assert failed.code == 1
    assert "8-bit graphs need NNCF" in failed.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "estimate.onnx": b"of before",
        "reconstruct_int8.xml": b"of before",
    }


@pytest.mark.slow
def test_8_bits_of_older_weights_do_not_stay(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    photographs, folder = write_pictures(tmp_path / "photographs", 2), tmp_path / "graphs"
    words = ("export", "--model", "gladnet-fast", "-o", folder)
    done = run(tmp_path, *words, "--calibrate", photographs)
    assert done.code == 0, done.err
    names = [Path(line).name for line in done.out.split()]
    assert names[-2:] == ["reconstruct_int8.xml", "reconstruct_int8.bin"]
    assert all((folder / name).is_file() for name in names)
    assert run(tmp_path, *words, "-y").code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["estimate.onnx", "reconstruct.onnx"]


@pytest.mark.slow
def test_the_graphs_are_those_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    folder = tmp_path / "made" / "graphs"
    done = run(tmp_path, "export", "--model", "gladnet-fast", "-o", folder)
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == [
        str(folder / f"{name}.onnx") for name in MODELS["gladnet-fast"].graph_names
    ]
    packaged = graph_path(MODELS["gladnet-fast"], "estimate")
    assert abs((folder / "estimate.onnx").stat().st_size - packaged.stat().st_size) < 1000
