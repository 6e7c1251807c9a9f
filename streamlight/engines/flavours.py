"""The two flavours of TensorRT, behind one small seam: their bindings have the same names.

`tensorrt` runs on every NVIDIA GPU, and builds on the GPU that the engine is for. `tensorrt-rtx`
runs on GeForce and RTX cards (not on an H100), builds on any machine, and ends its compilation
where the engine runs.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from streamlight.errors import BackendUnavailableError, UsageError


@dataclass(frozen=True, slots=True)
class Flavour:
    """One package of NVIDIA's, and what differs in its use.

    Attributes:
        name: what `--backend` takes.
        module: that holds the bindings.
        install: the command that installs it.
        builds_anywhere: whether it builds for GPUs that are not there, several in one engine.
        compiles_at_runtime: whether its kernels are made where it runs, and cached there.
        default_compute: compute capabilities of an engine where none are asked for.
    """

    name: str
    module: str
    install: str
    builds_anywhere: bool
    compiles_at_runtime: bool
    default_compute: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether its bindings can be imported; says nothing of devices."""
        return importlib.util.find_spec(self.module) is not None

    def load(self) -> Any:
        """Import the bindings.

        Raises:
            BackendUnavailableError: they are not installed, or their libraries do not load.
        """
        if not self.is_installed:
            raise BackendUnavailableError(f"{self.name} is not installed: {self.install}")
        try:
            return importlib.import_module(self.module)
        except (ImportError, OSError) as error:
            raise BackendUnavailableError(
                f"{self.name} is installed, but cannot be loaded ({error}); "
                f"install it anew: {self.install}"
            ) from error

    def compute_capability(self, bindings: Any, compute: str) -> Any:
        """Return the bindings' name of a compute capability such as "8.6".

        Raises:
            UsageError: this flavour cannot build for it.
        """
        found = getattr(bindings.ComputeCapability, f"SM{compute.replace('.', '')}", None)
        if found is None:
            known = (n[2:] for n in bindings.ComputeCapability.__members__ if n.startswith("SM"))
            named = ", ".join(f"{digits[:-1]}.{digits[-1]}" for digits in known)
            raise UsageError(f"--compute {compute}: {self.name} builds for {named}")
        return found


FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour(
            "tensorrt",
            "tensorrt",
            'pip install "streamlight[tensorrt]"',
            builds_anywhere=False,
            compiles_at_runtime=False,
        ),
        Flavour(
            "tensorrt-rtx",
            "tensorrt_rtx",
            'pip install "streamlight[rtx]"',
            builds_anywhere=True,
            compiles_at_runtime=True,
            default_compute=("8.6", "8.9", "12.0"),
        ),
    )
}
"""Every flavour; the default of RTX is the GeForce cards of the 30, 40 and 50 series."""
