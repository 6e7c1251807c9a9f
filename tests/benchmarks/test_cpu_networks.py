"""The benchmark of the networks on a CPU, as a process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "cpu_networks.py"

pytestmark = pytest.mark.skipif(
    not BENCHMARK.is_file(), reason="the benchmarks are only in a checkout"
)


def measure(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(BENCHMARK), "--sizes", "360p", "--repeats", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_precision_is_measured_against_the_first() -> None:
    done = measure()
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        r"gladnet-fast, (\w+)( +[\d.]+ \([\d.]+\)){2} +([\d.]+) +([\d.]+)\n", done.stdout
    )
    assert rows[0][0] == "fp32"
    assert rows[0][3] == "1.00"
    assert rows[-1][0] == "int8"
    for _, _, both, ratio in rows[1:]:
        assert float(both) / float(rows[0][2]) == pytest.approx(float(ratio), abs=0.05)


def test_a_model_that_there_is_not_is_one_line() -> None:
    done = measure("--models", "nothing")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --model nothing: choose one of")
    assert done.stderr.count("\n") == 1
