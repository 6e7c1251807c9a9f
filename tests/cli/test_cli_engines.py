import json
from pathlib import Path

import pytest
from cli_runs import run, run_here

from streamlight.engines import FLAVOURS

RTX = FLAVOURS["tensorrt-rtx"]


@pytest.fixture
def rtx() -> None:
    pytest.importorskip(RTX.module, reason=RTX.install)
    pytest.importorskip("onnx", reason="engines are built from ONNX graphs")


def test_build_list_show_and_remove(rtx: None, tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    options = ("--model", "gladnet-fast", "--sizes", "360p,640x360", "--compute", "8.6,8.9,12.0")
    done = run(tmp_path, "build", *options, "--engine-dir", folder)
    assert done.code == 0, done.err
    plans = [Path(line) for line in done.out.split()]
    assert len(plans) == 3
    assert all(plan.is_file() and plan.parent == folder for plan in plans)
    assert "estimate of gladnet-fast: built in" in done.lines[0]
    assert "convolutions: 12 in float; not verified yet" in done.lines[0]
    assert "convolutions: 6 in half" in done.lines[1]
    assert "there already" in done.lines[2], "360p is 640x360"

    listed = run_here("engines", "list", "--engine-dir", folder)
    assert listed.code == 0
    assert len(listed.out.splitlines()) == 3
    assert "8.6, 8.9, 12.0" in listed.out
    rows = json.loads(run_here("engines", "list", "--json", "--engine-dir", folder).out)
    assert {row["name"] for row in rows} == {plan.stem for plan in plans}

    plans[1].write_bytes(b"damaged")
    shown = run_here("engines", "show", plans[1].stem, "--engine-dir", folder)
    assert shown.code == 1
    assert "has 7 bytes" in json.loads(shown.out)["problem"]
    assert "has 7 bytes" in run_here("engines", "list", "--engine-dir", folder).out

    removed = run_here("engines", "remove", "--all", "--engine-dir", folder)
    assert removed.code == 0
    assert removed.err.startswith("removed 2 engines")
    assert not list(folder.glob("*.plan"))
    empty = run_here("engines", "list", "--engine-dir", folder)
    assert (empty.code, empty.out) == (0, "")
    assert "`streamlight build` builds them" in empty.err


def test_json_of_a_build(rtx: None, tmp_path: Path) -> None:
    options = ("--model", "gladnet-fast", "--sizes", "64x48", "--json", "--engine-dir", tmp_path)
    built = json.loads(run_here("build", *options).out)
    assert [engine["is_new"] for engine in built] == [True, True]
    assert built[1]["record"]["identity"]["sizes"] == "64x48"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sizes", "8k"), "--sizes 8k: choose from 360p"),
        (("--backend", "cudnn"), "--backend cudnn: choose one of tensorrt, tensorrt-rtx"),
        (("--precision", "int8"), "--precision int8: choose fp16 or fp32"),
        (("--model", "x"), "unknown model 'x'"),
        (("--compiler", "tvm"), "--compiler tvm: choose one of onnx, torch-tensorrt"),
        (("--compiler", "torch-tensorrt"), "is for --backend tensorrt, not for tensorrt-rtx"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    failed = run_here("build", *options, "--engine-dir", tmp_path)
    assert failed.code in (1, 2)
    assert len(failed.lines) == 1
    assert message in failed.err


def test_a_flavour_that_is_not_installed_comes_with_its_command(tmp_path: Path) -> None:
    if FLAVOURS["tensorrt"].is_installed:
        pytest.skip("tensorrt is installed")
    failed = run_here("build", "--backend", "tensorrt", "--engine-dir", tmp_path)
    assert failed.code == 1
    assert "tensorrt" in failed.err


def test_remove_wants_names_or_all(tmp_path: Path) -> None:
    for arguments in ((), ("--all", "name")):
        failed = run_here("engines", "remove", *arguments, "--engine-dir", tmp_path)
        assert failed.code == 2
        assert "give the names of engines, or --all" in failed.err
    failed = run_here("engines", "remove", "no-such", "--engine-dir", tmp_path)
    assert "no-such: no such engine" in failed.err
