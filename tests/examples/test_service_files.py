"""The files for those who run it as a service."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_unit_is_what_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "streamlight.service"
    text = (EXAMPLES / "streamlight.service").read_text()
    unit.write_text(text.replace("/opt/streamlight/bin/streamlight", "/bin/true"))
    command = ["systemd-analyze", "verify", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("key", ["ExecStartPre", "ExecStart"])
def test_the_commands_of_the_unit_exist(key: str) -> None:
    text = (EXAMPLES / "streamlight.service").read_text()
    (line,) = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    program, *words = shlex.split(line)
    assert program == "/opt/streamlight/bin/streamlight"
    words = ["/nowhere/cameras.toml" if word.endswith(".toml") else word for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "streamlight", *words], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert (
        done.stderr == "error: /nowhere/cameras.toml: cannot be read (No such file or directory)\n"
    )


def test_the_image_copies_what_the_package_is_built_from() -> None:
    text = (EXAMPLES / "Containerfile").read_text()
    root = EXAMPLES.parent
    for line in re.findall(r"^COPY (?!--from)(.*) /src\S*$", text, re.MULTILINE):
        for name in line.split():
            assert (root / name).exists(), name
    assert "USER streamlight" in text and "/healthz" in text
