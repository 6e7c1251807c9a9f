"""Loading trained weights into the PyTorch network, with every mismatch named."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from streamlight.errors import BackendUnavailableError, ModelError
from streamlight.models.own import as_metadata, write_whole
from streamlight.models.packaged import weights_path
from streamlight.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from streamlight.models.gladnet import GLADNet


def load_network(spec: ModelSpec, path: Path | None = None) -> "GLADNet":
    """Load the network of a model in evaluation mode, on the CPU, in FP32.

    Args:
        spec: the model.
        path: a safetensors file of any floating point type with the keys and shapes of the
            model; None for the model's own file: of a packaged one the SHA-256 must be the one
            of `spec`.

    Raises:
        ModelError: the file cannot be read, is not safetensors, is not the packaged one, or
            does not fit the model: missing or unexpected keys, other shapes, infinite values.
        BackendUnavailableError: torch or safetensors is not installed.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load

        from streamlight.models.gladnet import GLADNet
    except ImportError as error:
        raise BackendUnavailableError(
            f"loading weights needs PyTorch and safetensors ({error}); "
            'install them with: pip install "streamlight[torch]"'
        ) from error

    file = weights_path(spec) if path is None else path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the weights {file}: {error.strerror}") from error
    if path is None and spec.weights is None:
        _check_hash(spec, data)
    try:
        weights = load(data)
    except (SafetensorError, KeyError) as error:  # KeyError: an element type torch does not have
        raise ModelError(f"{file} is not a safetensors file of weights: {error}") from error

    with torch.device("meta"):  # no random start values, which would advance the global generator
        network = GLADNet(spec)
    problems = _problems(network.state_dict(), weights)
    if problems:
        raise ModelError(
            f"the weights {file} do not fit the model {spec.name!r}: {'; '.join(problems)}; "
            "give weights that were trained for this model"
        )
    network.to_empty(device="cpu").load_state_dict(weights)
    return network.eval()


def save_weights(network: "GLADNet", path: Path, card: str = "") -> None:
    """Write the weights of a network in FP16, with what `read_spec` needs to know of it.

    Args:
        network: any GLADNet; its specification goes along.
        path: a .safetensors file; replaced if it exists, and never half written.
        card: the model card in Markdown, which `streamlight export` writes out.

    Raises:
        SinkError: it cannot be written.
    """
    from safetensors.torch import save

    weights = {k: v.detach().half().cpu().contiguous() for k, v in network.state_dict().items()}
    write_whole(path, save(weights, metadata=as_metadata(network.spec, card)))


def _check_hash(spec: ModelSpec, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != spec.weights_sha256:
        raise ModelError(
            f"the packaged weights of the model {spec.name!r} have the SHA-256 {found}, "
            f"expected {spec.weights_sha256}; reinstall streamlight"
        )


def _problems(expected: "dict[str, Tensor]", found: "dict[str, Tensor]") -> list[str]:
    """Say in words what keeps the weights `found` from being loaded, nothing if they fit."""
    problems = []
    if missing := expected.keys() - found.keys():
        problems.append(f"missing {_listed(missing)}")
    if unexpected := found.keys() - expected.keys():
        problems.append(f"unexpected {_listed(unexpected)}")
    common = expected.keys() & found.keys()
    if misshapen := [key for key in common if expected[key].shape != found[key].shape]:
        problems.append(
            _listed(
                f"{key} is {tuple(found[key].shape)}, expected {tuple(expected[key].shape)}"
                for key in misshapen
            )
        )
    if infinite := [key for key in common if not found[key].isfinite().all()]:
        problems.append(f"infinite values or NaN in {_listed(infinite)}")
    return problems


def _listed(items: Iterable[str], most: int = 6) -> str:
    """Join the first `most` items in order, and count the others."""
    items = sorted(items)
    others = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + others
