"""Amounts of memory: read from the command line, told to people, asked of the system."""

import re
from pathlib import Path

from streamlight.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?)(i?)b?", re.IGNORECASE)

_CGROUP_FOLDER = Path("/sys/fs/cgroup")


def parse_memory(text: str) -> int:
    """Read an amount such as "512MB", "2GB", "1.5G" or "2GiB", in bytes.

    K, M, G and T are powers of 1000; Ki, Mi, Gi and Ti powers of 1024. The B may be left out.

    Raises:
        UsageError: it is no such amount, or nothing at all.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match:
        number, unit, binary = match.groups()
        factor = (_BINARY_UNITS if binary else _UNITS).get(unit.lower())
        amount = int(float(number) * factor) if factor else 0
        if amount:
            return amount
    raise UsageError(f"--memory {text}: expected an amount such as 512MB, 2GB or 1.5G")


def format_memory(amount: int) -> str:
    """Say an amount of bytes: "850 MB", "2.5 GB"; rounded up, so that it is enough."""
    if amount < 10**9:
        return f"{-(-amount // 10**6)} MB"
    return f"{-(-amount // 10**8) / 10:g} GB"


def available_bytes() -> int | None:
    """Main memory that could be taken without swapping; None where it cannot be told.

    The limit of a container (cgroup v2) counts too.
    """
    try:
        import psutil
    except ImportError:  # a plain checkout
        return None
    free = int(psutil.virtual_memory().available)
    left = _left_in_cgroup()
    return free if left is None else min(free, left)


def _left_in_cgroup() -> int | None:
    """What the control group of this process may still take; None without a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        path = next(line[3:] for line in lines if line.startswith("0::"))
        folder = _CGROUP_FOLDER / path.lstrip("/")
        limit = int((folder / "memory.max").read_text())  # "max" where there is none
        used = int((folder / "memory.current").read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, StopIteration, ValueError):
        return None
    return max(0, limit - used + int(stat.get("inactive_file", 0)))
