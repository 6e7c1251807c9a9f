"""Amounts of memory, as people write and read them, and what the system has left."""

import sys
from pathlib import Path

import psutil
import pytest

from streamlight import memory
from streamlight.errors import UsageError
from streamlight.memory import available_bytes, format_memory, parse_memory


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2GB", 2_000_000_000),
        ("512MB", 512_000_000),
        ("1.5G", 1_500_000_000),
        (".5g", 500_000_000),
        (" 800 mb ", 800_000_000),
        ("2GiB", 2 * 2**30),
        ("64Mi", 64 * 2**20),
        ("1t", 10**12),
        ("700000k", 700_000_000),
        ("1000000", 1_000_000),
        ("5B", 5),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    "text", ["", "GB", "2XB", "-1GB", "2 G B", "1,5G", "0", "0GB", "1e9", "2i", "nan", "0.1B"]
)
def test_what_is_no_amount_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected an amount such as 512MB, 2GB or 1\.5G"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1, "1 MB"),
        (850_000_000, "850 MB"),
        (850_000_001, "851 MB"),
        (2_000_000_000, "2 GB"),
        (2_410_000_000, "2.5 GB"),
    ],
)
def test_what_is_said_is_enough(amount: int, text: str) -> None:
    assert format_memory(amount) == text
    assert parse_memory(text) >= amount


def test_memory_is_available_and_no_more_than_there_is() -> None:
    available = available_bytes()
    assert available is not None
    assert 0 < available <= psutil.virtual_memory().total


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path("/proc/self/cgroup")
    lines = own.read_text().splitlines() if own.exists() else []
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        pytest.skip("this system has no cgroup v2")
    folder = tmp_path / path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(memory, "_CGROUP_FOLDER", tmp_path)
    (folder / "memory.max").write_text("1000000\n")
    (folder / "memory.current").write_text("700000\n")
    (folder / "memory.stat").write_text("anon 500000\ninactive_file 200000\n")
    assert available_bytes() == 500_000
    (folder / "memory.max").write_text("max\n")
    available = available_bytes()
    assert available is not None
    assert available > 1_000_000


def test_without_psutil_it_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert available_bytes() is None
