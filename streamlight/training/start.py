"""What a run begins with: the network, its weights, the device."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from streamlight.errors import BackendUnavailableError, ModelError
from streamlight.models.gladnet import GLADNet
from streamlight.models.meter import Meter
from streamlight.models.own import find_model, has_meter
from streamlight.models.packaged import weights_path
from streamlight.models.spec import ModelSpec
from streamlight.models.weights import load_network


def begin(spec: ModelSpec, init: str | None, seed: int) -> GLADNet:
    """Return the network with its first weights.

    A meter that the weights lack says nothing yet; one that the network is to have not is dropped.

    Args:
        spec: of the network.
        init: "seed" for the model's own weights, or the path or the name of others of the same
            layout; with "prior:" before it, of others whose illumination network alone is taken,
            while the detail network is drawn; None draws all anew.
        seed: of the drawing.

    Raises:
        ModelError: the weights do not fit.
        UsageError: there are none of that name.
    """
    if init is None:
        return he_initialised(spec, seed)
    if init.startswith("prior:"):
        other = find_model(init.removeprefix("prior:"), "--init")
        if other.prior_channels != spec.prior_channels:
            raise ModelError(
                f"--init {init}: the prior of {other.name} has {other.prior_channels} channels, "
                f"that of {spec.name} {spec.prior_channels}"
            )
        network = he_initialised(spec, seed)
        network.prior = load_network(other).prior
    else:
        path = Path(init)
        if init == "seed":
            path = weights_path(spec)
        elif not path.is_file():
            path = weights_path(find_model(init, "--init"))
        network = load_network(replace(spec, is_metered=has_meter(path)), path)
    if not spec.is_metered:
        network.prior.meter = None
    elif network.prior.meter is None:
        network.prior.meter = _new_meter(spec, seed)
    network.spec = spec
    return network.requires_grad_(True)


def he_initialised(spec: ModelSpec, seed: int) -> GLADNet:
    """Draw weights as the paper does: He et al., "Delving Deep into Rectifiers", ICCV 2015.

    The factors of an affine detail network begin around 1, which leaves a picture as it is.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        network = GLADNet(spec)
    network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if spec.is_metered:
        network.prior.meter = _new_meter(spec, seed)
    if spec.is_affine:
        last = cast(nn.Conv2d, network.detail.convs[-1])
        with torch.no_grad():
            last.weight.mul_(0.1)
            cast(Tensor, last.bias)[: 3 * spec.unshuffle**2] = 1
    return network


def _new_meter(spec: ModelSpec, seed: int) -> Meter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Meter(spec.prior_channels)


def open_device(name: str | None) -> torch.device:
    """Open "cpu", "cuda" or "cuda:1"; None takes CUDA where there is one.

    On CUDA, PyTorch is told to take deterministic kernels where it has them.

    Raises:
        BackendUnavailableError: there is no such device.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BackendUnavailableError(
            f"torch has no device {name} here; --device cpu works everywhere"
        ) from error
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
    return device
