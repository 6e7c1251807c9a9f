import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import environment, run, run_here

import streamlight
from streamlight.backends import BACKENDS
from streamlight.look import COMPARE
from streamlight.models import MODELS
from streamlight.sinks import CONTAINERS
from streamlight.sinks.encoder_table import CODECS

HEAVY = {"torch", "openvino", "cv2", "av", "numpy", "rich"}


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("file", "--help"), ("doctor", "--help")]
)
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "streamlight", *arguments]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported, "the list of imports was not understood"
    assert not imported & HEAVY


def test_help_takes_less_than_300_ms(tmp_path: Path) -> None:
    """Processor time, not the clock's: other processes must not fail this test."""

    def cpu_s() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times_s = []
    for _ in range(4):  # the first one may compile the modules
        before_s = cpu_s()
        assert run(tmp_path, "--help").code == 0
        times_s.append(cpu_s() - before_s)
    assert min(times_s) < 0.3


def test_version() -> None:
    assert run_here("--version").out == f"streamlight {streamlight.__version__}\n"


def test_help_names_every_choice() -> None:
    text = run_here("file", "--help").out
    assert f"auto|{'|'.join(MODELS)}" in text
    assert f"auto|{'|'.join(BACKENDS)}" in text
    assert "|".join(COMPARE) in text
    for precision in {p for row in BACKENDS.values() for p in row.precisions}:
        assert precision in text
    for extension in CONTAINERS:
        assert extension in text
    for codec in CODECS[1:]:
        assert codec in text


def test_the_options_of_file_are_grouped_and_its_examples_keep_their_lines() -> None:
    text = run_here("file", "--help").out
    titles = re.findall(r"^([A-Z][a-z ]+):$", text, re.MULTILINE)
    assert titles == [
        "Arguments",
        "Options",
        "Output",
        "Network",
        "Look",
        "Over time",
        "Reading",
        "Encoder",
        "As if live",
        "Speed",
        "Failures and scripts",
    ]
    assert text.index("Network:") < text.index("--model") < text.index("Look:")
    assert "\n    streamlight file night.mp4 -o compare.mp4 --compare split\n" in text


def test_the_examples_in_the_help_are_valid() -> None:
    """Each one fails only because there is no such file."""
    text = run_here("file", "--help").out
    examples = re.findall(r"^ +streamlight (file .*)$", text, re.MULTILINE)
    assert len(examples) >= 3
    for example in examples:
        words = example.replace("--report out.json", "").split()
        assert re.fullmatch(r"error: \S+: no such file( or folder)?\n", run_here(*words).err)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "streamlight ",
            {
                "file",
                "webcam",
                "rtsp",
                "serve",
                "run",
                "info",
                "doctor",
                "models",
                "export",
                "evaluate",
                "train",
                "build",
                "engines",
            },
        ),
        ("streamlight file --model ", {"auto", *MODELS}),
        ("streamlight file --backend ", {"auto", *BACKENDS}),
        ("streamlight file --precision ", {"bf16", "fp16", "fp32", "int8"}),
        ("streamlight file --compare s", {"side", "split"}),
        ("streamlight file --preset very", {"veryfast", "veryslow"}),
        ("streamlight export --model gladnet-", {"gladnet-fast"}),
    ],
)
def test_the_shell_completes(tmp_path: Path, words: str, expected: set[str]) -> None:
    """The question that the script of --install-completion asks in bash."""
    asked = {
        "_STREAMLIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "streamlight"]
    done = subprocess.run(
        command, env=environment(tmp_path) | asked, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == expected


def test_a_closed_stdout_is_no_traceback(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run(tmp_path, "models", "--json", stdout=write_end)
    os.close(write_end)
    assert done.err == ""
    assert done.code != 0
