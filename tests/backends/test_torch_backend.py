"""The PyTorch backend: devices, precisions, and what it adds to the network."""

import numpy as np
import pytest
from ffprobe import psnr_db
from real_frames import dark_frame

from streamlight.errors import BackendUnavailableError
from streamlight.models.spec import MODELS
from streamlight.models.weights import load_network
from streamlight.view import sample_nearest

torch = pytest.importorskip("torch", reason="the backend needs torch")

from streamlight.backends.torch import TorchBackend  # noqa: E402

SPEC = MODELS["gladnet-fast"]
PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}


@pytest.mark.parametrize("dtype", PEAKS)
def test_it_is_the_network_with_the_scaling_of_each_dtype(dtype: str) -> None:
    image = dark_frame(48, 64)
    scaled = (image / 255 * PEAKS[dtype]).astype(dtype)
    backend = TorchBackend(SPEC, "cpu")
    result = backend.reconstruct(scaled, backend.estimate(sample_nearest(scaled)))
    network = load_network(SPEC)
    x = torch.from_numpy(scaled.astype(np.float32) / PEAKS[dtype]).permute(2, 0, 1)[None]
    with torch.inference_mode():
        prior = network.estimate(torch.from_numpy(sample_nearest(scaled)))
        expected = network.reconstruct(x, prior)[0].permute(1, 2, 0).numpy() * PEAKS[dtype]
    assert result.dtype == dtype
    assert result.shape == image.shape
    tolerance = 1e-5 if dtype == "float32" else 0.52  # rounded to the nearest
    assert np.abs(result - expected.astype(np.float64)).max() <= tolerance


def test_fp16_is_at_50_db_of_fp32() -> None:
    image = dark_frame(96, 128)
    exact, half = (TorchBackend(SPEC, "cpu", precision) for precision in ("fp32", "fp16"))
    prior = exact.estimate(sample_nearest(image))
    np.testing.assert_array_equal(half.estimate(sample_nearest(image)), prior)  # FP32 in both
    one, other = exact.reconstruct(image, prior), half.reconstruct(image, prior)
    assert psnr_db(one[None], other[None]) >= 50


@pytest.mark.parametrize("device", ["tpu", "mps", "xpu"])
def test_a_device_that_is_not_there_is_unavailable(device: str) -> None:
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(BackendUnavailableError, match=f"torch has no device {device} here"):
        TorchBackend(SPEC, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "CUDA"])
def test_without_cuda_it_says_what_works(device: str) -> None:
    with pytest.raises(BackendUnavailableError, match="no CUDA device here; --device cpu works"):
        TorchBackend(SPEC, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_the_best_device_without_cuda_is_the_cpu_in_fp32() -> None:
    info = TorchBackend(SPEC).info
    assert (info.backend, info.device, info.precision) == ("torch", "CPU", "fp32")
