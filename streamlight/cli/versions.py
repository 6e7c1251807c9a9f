"""Versions of what streamlight runs on, without importing it."""

import platform
from importlib import metadata

from streamlight import __version__

_PACKAGES = ("av", "numpy", "openvino", "torch", "typer", "rich")


def versions() -> dict[str, str | None]:
    """Return the versions by name; None for a package that is not installed."""
    found: dict[str, str | None] = {
        "streamlight": __version__,
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
