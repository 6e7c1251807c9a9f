"""Users' own weights: a safetensors file that tells what network it is of.

They are named by their path, or, in the models folder, by their name without `.safetensors`. The
specification travels in the file's metadata, which `streamlight train` writes; it is read here
without any library, because OpenVINO needs none of torch and safetensors.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamlight.errors import ModelError, SinkError, UsageError
from streamlight.models.packaged import graph_path, graphs_folder
from streamlight.models.spec import MODELS, ModelSpec

SUFFIX = ".safetensors"
HASH_FILE = "weights.sha256"
"""In the folder of the graphs: of the weights that they were made of."""

_SPEC, _CARD = "streamlight.model", "streamlight.card"
_KEPT = (
    "prior_channels",
    "detail_widths",
    "unshuffle",
    "is_affine",
    "is_metered",
    "parameters",
    "summary",
)
_MOST_HEADER_BYTES = 10_000_000


def models_folder() -> Path:
    """Return the folder of users' own models: $STREAMLIGHT_MODELS, or the user's data folder."""
    chosen = os.environ.get("STREAMLIGHT_MODELS")
    if chosen:
        return Path(chosen)
    import platformdirs  # not needed by who names a model of the package

    return platformdirs.user_data_path("streamlight") / "models"


def own_weights() -> list[Path]:
    """List the weights in the models folder; none where there is no such folder."""
    folder = models_folder()
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


def find_model(name: str, option: str = "--model") -> ModelSpec:
    """Return the model of a name, of a name in the models folder, or of a path.

    Args:
        name: or path.
        option: that gave it, for the messages.

    Raises:
        UsageError: there is none.
        ModelError: the file does not tell what network it is of.
    """
    if name in MODELS:
        return MODELS[name]
    if name.endswith(SUFFIX) or "/" in name or os.sep in name:
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"{option} {name}: no such file; weights ({SUFFIX}) were expected")
        return read_spec(path)
    for path in own_weights():
        if path.stem == name:
            return read_spec(path)
    known = [*MODELS, *(path.stem for path in own_weights())]
    names = ", ".join(["auto", *known] if option == "--model" else known)
    raise UsageError(
        f"{option} {name}: choose one of {names}, or give the path of your own weights "
        f"({SUFFIX}; {models_folder()} makes names of them)"
    )


def read_spec(path: Path) -> ModelSpec:
    """Read what network a file of weights is of.

    Raises:
        ModelError: it cannot be read, or does not tell.
    """
    try:
        kept = json.loads(_metadata(path)[_SPEC])
        return ModelSpec(
            name=path.stem,
            prior_channels=int(kept["prior_channels"]),
            detail_widths=tuple(int(width) for width in kept["detail_widths"]),
            unshuffle=int(kept["unshuffle"]),
            is_affine=bool(kept.get("is_affine", False)),  # files of before it have none
            is_metered=bool(kept.get("is_metered", False)),
            parameters=int(kept["parameters"]),
            weights_sha256="",
            summary=str(kept["summary"]),
            weights=path,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not tell what network it is of ({type(error).__name__}: {error}); "
            "weights that `streamlight train` wrote were expected"
        ) from error


def read_card(path: Path) -> str:
    """Return the model card that travels with weights; empty where there is none.

    Raises:
        ModelError: the file cannot be read.
    """
    return _metadata(path).get(_CARD, "")


def has_meter(path: Path) -> bool:
    """Return whether a file of weights holds those of a meter.

    Raises:
        ModelError: the file cannot be read.
    """
    return any(name.startswith("prior.meter.") for name in _header(path))


def as_metadata(spec: ModelSpec, card: str = "") -> dict[str, str]:
    """Return the metadata that `read_spec` and `read_card` read."""
    facts = asdict(spec)
    kept = json.dumps({name: facts[name] for name in _KEPT}, sort_keys=True)
    return {_SPEC: kept, _CARD: card} if card else {_SPEC: kept}


def graphs_problem(spec: ModelSpec) -> str | None:
    """Say why the graphs of a user's own weights cannot be used; None where they can.

    Graphs of other weights than the file's present ones would run and give other pictures.
    """
    if spec.weights is None:
        return None
    remedy = f"streamlight export --model {spec.weights} -y"
    try:
        for name in spec.graph_names:
            graph_path(spec, name)
    except ModelError as error:
        return str(error)
    try:
        noted = (graphs_folder(spec.weights) / HASH_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        noted = ""
    if noted != hash_of(spec.weights):
        return f"the graphs beside {spec.weights} are of other weights; make them with: {remedy}"
    return None


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, and give it its own when it is complete.

    Raises:
        SinkError: it cannot be written; what was there before is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SinkError(f"{path}: cannot be written ({error.strerror})") from error


def _metadata(path: Path) -> dict[str, str]:
    found = _header(path).get("__metadata__", {})
    return {str(name): str(value) for name, value in found.items()}


def _header(path: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: 8 bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: Any = json.loads(file.read(min(length, _MOST_HEADER_BYTES)))
        if not isinstance(header.get("__metadata__", {}), dict):
            raise TypeError("its metadata are no table")
        return dict(header)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a safetensors file of weights: {error}") from error
