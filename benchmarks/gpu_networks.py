"""How fast the networks run in PyTorch on an NVIDIA GPU, as this project runs them and otherwise.

    python benchmarks/gpu_networks.py                        # 720p, 1080p and 4K, some minutes
    python benchmarks/gpu_networks.py --sizes 3840x2160 --models gladnet --json figures.json

A frame is one picture through both networks, batch 1. The forms:

- "eager-fp32" is GLADNet as it is written, with PyTorch's defaults (which let convolutions
  round their inputs to TF32), from and to tensors on the GPU. Every "speed-up" is against it.
- "eager-fp16" is the same in FP16 and channels_last.
- "compiled-fp16" is that through `torch.compile`; "compiled-compact-fp16" has the compact form
  of the detail network, which gives the same with fewer multiplications.
- "backend-on-device" is what `TorchBackend` computes, from and to 8-bit pictures on the GPU.
- "backend" is `TorchBackend` itself, from and to NumPy: the copies are included.
- "cuda-on-device" is what `CudaBackend` records as a CUDA graph, both networks, from and to 8-bit
  pictures on the GPU; "cuda" is `CudaBackend` itself, from and to NumPy, one picture after the
  other; "cuda-two-at-once" has two under way, and its time is that of a picture among them.
- "planes-on-device" is the detail network on NV12 that lies on the GPU and stays there, with the
  view taken and the illumination estimated, as `--hwaccel cuda` does between NVDEC and NVENC.
- "decode-cuda" also decodes: a file of noise in H.264, made for it, on the CPU's cores, its frames
  to `CudaBackend` two at once. "nvdec-planes" decodes it by NVDEC, keeps the pictures on the GPU
  and downloads the results. Both need PyAV, and the second NVDEC.
- "tensorrt" and "tensorrt-rtx" are those backends, from and to NumPy; an engine that is not there
  yet is built before, which takes minutes.

A form that cannot run here is named with its reason, also in the JSON.

Times are medians (of the streamed forms, means) between CUDA events around each frame, after a
warm-up that includes compilation. TFLOP/s count the operations of the form as it is written (two
for each multiplication and addition), also where the compact form does with fewer, and "of GEMM"
is their share of what a large FP16 matrix product reached in this run. The PSNR against "eager-
fp32" tells whether a fast form is also right; rounding to 8 bits alone gives 59 dB.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_cuda_forms import (
    cuda_form,
    cuda_on_device_form,
    cuda_two_form,
    decode_form,
    nvdec_form,
    planes_form,
    tensorrt_form,
)
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import streamlight
from streamlight.backends.torch import TorchBackend
from streamlight.errors import StreamlightError
from streamlight.frame import Image
from streamlight.models import MODELS, PRIOR_SIZE, ModelSpec
from streamlight.models.gladnet import GLADNet
from streamlight.models.weights import load_network
from streamlight.view import sample_nearest

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}

Run = Callable[[], Tensor]
"""Runs one frame; returns (1, 3, H, W) in [0, 1], or (H, W, 3) of uint8."""


Typical = Callable[[list[float]], float]
"""Makes one time of many."""


@dataclass(frozen=True)
class Row:
    """Figures of one form of a model at one size."""

    model: str
    size: str
    form: str
    ms: float
    speed_up: float | None
    tflops: float
    of_gemm: float
    psnr_db: float | None


class BothNetworks(nn.Module):
    """Estimation and reconstruction in one call, so that they are compiled as one."""

    def __init__(self, network: GLADNet, is_compact: bool) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network
        self.is_compact = is_compact

    def forward(self, view: Tensor, image: Tensor) -> Tensor:
        """Enhance image (1, 3, H, W) as its view (1, 3, 96, 96) demands."""
        prior = self.network.estimate(view)
        if self.is_compact:
            return self.network.detail.forward_compact(image, prior)
        return self.network.reconstruct(image, prior)


def network_form(
    spec: ModelSpec,
    picture: Image,
    device: torch.device,
    *,
    dtype: torch.dtype,
    is_compact: bool = False,
    is_compiled: bool = False,
) -> Run:
    """Prepare the bare networks on tensors that lie on the device."""
    layout = torch.channels_last if dtype == torch.float16 else torch.contiguous_format
    is_compact = is_compact and not spec.is_affine  # which has none
    networks = BothNetworks(load_network(spec), is_compact).to(device, dtype)
    set_layout(networks, layout)
    view = torch.from_numpy(sample_nearest(picture)).to(device, dtype)
    image = (torch.from_numpy(picture).to(device).permute(2, 0, 1)[None] / 255).to(dtype)
    image = image.contiguous(memory_format=layout)
    forward: Callable[[Tensor, Tensor], Tensor] = networks
    if is_compiled:
        torch.compiler.reset()  # each size and model gets a compilation of its own
        forward = torch.compile(networks, dynamic=False)
    return lambda: forward(view, image)


def set_layout(module: Any, layout: torch.memory_format) -> None:
    """Lay out the weights in place; torch leaves `memory_format` out of the types of `to`."""
    module.to(memory_format=layout)


def on_device_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare the operations of `TorchBackend` without its copies from and to the host."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    network = load_network(spec).to(device)
    detail = network.detail.to(dtype)
    if device.type == "cuda":
        set_layout(detail, torch.channels_last)
    view = torch.from_numpy(sample_nearest(picture)).to(device)
    image = torch.from_numpy(picture).to(device)

    def run() -> Tensor:
        prior = network.estimate(view).to(dtype)
        x = (image.permute(2, 0, 1)[None].float() / 255).to(dtype)
        forward = detail if spec.is_affine else detail.forward_compact
        result = forward(x, prior)[0].permute(1, 2, 0).float()
        return (result * 255).round().to(torch.uint8)

    return run


def backend_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare `TorchBackend`, as the enhancer calls it."""
    backend = TorchBackend(spec, str(device))
    view = sample_nearest(picture)
    return lambda: torch.from_numpy(backend.reconstruct(picture, backend.estimate(view)))


FORMS: dict[str, Callable[[ModelSpec, Image, torch.device], Run]] = {
    "eager-fp32": partial(network_form, dtype=torch.float32),
    "eager-fp16": partial(network_form, dtype=torch.float16),
    "compiled-fp16": partial(network_form, dtype=torch.float16, is_compiled=True),
    "compiled-compact-fp16": partial(
        network_form, dtype=torch.float16, is_compiled=True, is_compact=True
    ),
    "backend-on-device": on_device_form,
    "backend": backend_form,
    "cuda-on-device": cuda_on_device_form,
    "cuda": cuda_form,
    "cuda-two-at-once": cuda_two_form,
    "planes-on-device": planes_form,
    "decode-cuda": decode_form,
    "nvdec-planes": nvdec_form,
    "tensorrt": partial(tensorrt_form, "tensorrt"),
    "tensorrt-rtx": partial(tensorrt_form, "tensorrt-rtx"),
}
OF_OTHER_PICTURES = ("planes-on-device", "decode-cuda", "nvdec-planes")
"""What was decoded or is NV12 is another picture, by its chroma of half size: it has no PSNR."""

STREAMED = ("cuda-two-at-once", "decode-cuda", "nvdec-planes")
"""Their results come in bursts, so that only the mean time means something."""

BASELINE = "eager-fp32"


@torch.inference_mode()
def typical_ms(
    run: Run, device: torch.device, frames: int, typical: Typical = statistics.median
) -> float:
    """Measure the time of a frame; a fifth as many, but at least three, are run to warm up."""
    for _ in range(max(3, frames // 5)):
        run()
    if device.type != "cuda":
        times_s = [time.perf_counter()]
        for _ in range(frames):
            run()
            times_s.append(time.perf_counter())
        return 1e3 * typical([end - start for start, end in pairwise(times_s)])
    make_event: Callable[..., Any] = torch.cuda.Event  # torch does not type it
    events = [make_event(enable_timing=True) for _ in range(frames + 1)]
    torch.cuda.synchronize(device)
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    torch.cuda.synchronize(device)
    return float(typical([start.elapsed_time(end) for start, end in pairwise(events)]))


def gemm_tflops(device: torch.device, side: int, frames: int) -> float:
    """Measure a matrix product of FP16, which shows what the tensor cores can reach at best."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.float16) for _ in range(2))
    return float(2 * side**3 / typical_ms(lambda: a @ b, device, frames) / 1e9)


def count_tflop(spec: ModelSpec, width: int, height: int) -> float:
    """Count the operations of one frame in units of 1e12, without computing them."""
    with torch.device("meta"):
        network = GLADNet(spec)
        view, image = torch.empty(1, 3, PRIOR_SIZE, PRIOR_SIZE), torch.empty(1, 3, height, width)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.reconstruct(image, network.estimate(view))
    return int(counter.get_total_flops()) / 1e12


def dark_picture(width: int, height: int) -> Image:
    """Make noise in the darkest fifth; on zeros a GPU draws less power and runs faster."""
    return np.random.default_rng(0).integers(0, 52, (height, width, 3), dtype=np.uint8)


def psnr_db(found: Tensor, expected: Tensor) -> float:
    """Compare two results of a `Run`."""
    error = (unit(found).to(expected.device) - unit(expected)).double().square().mean()
    return float(-10 * torch.log10(error))


def unit(result: Tensor) -> Tensor:
    """Convert a result of a `Run` to (1, 3, H, W) of FP32."""
    if result.dtype == torch.uint8:
        return result.permute(2, 0, 1)[None].float() / 255
    return result.float()


def measure(
    spec: ModelSpec,
    size: str,
    forms: list[str],
    device: torch.device,
    frames: int,
    gemm: float,
    missing: list[dict[str, str]],
) -> list[Row]:
    """Measure the forms of a model at a size, and print each as soon as it is done.

    Those that cannot run are added to `missing`, with the reason.
    """
    width, height = parse_size(size)
    picture, tflop = dark_picture(width, height), count_tflop(spec, width, height)
    with torch.inference_mode():
        expected = FORMS[BASELINE](spec, picture, device)()
    rows: list[Row] = []
    for form in forms:
        try:
            run = FORMS[form](spec, picture, device)
        except (torch.OutOfMemoryError, StreamlightError, ImportError) as error:
            is_full = isinstance(error, torch.OutOfMemoryError)
            reason = "too little memory" if is_full else str(error).partition("\n")[0]
            print(f"{spec.name:13s} {size:>9s}  {form:22s} not measured: {reason}", flush=True)
            missing.append({"model": spec.name, "size": size, "form": form, "reason": reason})
            continue
        typical = statistics.mean if form in STREAMED else statistics.median
        ms = typical_ms(run, device, frames, typical)
        with torch.inference_mode():
            has_psnr = form != BASELINE and form not in OF_OTHER_PICTURES
            psnr = psnr_db(run(), expected) if has_psnr else None
        speed_up = rows[0].ms / ms if rows and rows[0].form == BASELINE else None
        tflops = 1e3 * tflop / ms
        row = Row(spec.name, size, form, ms, speed_up, tflops, tflops / gemm, psnr)
        rows.append(row)
        print(
            f"{row.model:13s} {row.size:>9s}  {row.form:22s} {row.ms:8.2f} ms "
            f"{'' if speed_up is None else f'{speed_up:.2f}x':>8s} {row.tflops:8.2f} TFLOP/s "
            f"{100 * row.of_gemm:5.1f} % of GEMM"
            f"{'' if psnr is None else f' {psnr:6.1f} dB'}",
            flush=True,
        )
    return rows


def parse_size(size: str) -> tuple[int, int]:
    """Read "720p" or "WIDTHxHEIGHT" as width and height; ValueError for anything else."""
    width, height = SIZES[size] if size in SIZES else map(int, size.split("x"))
    return width, height


def parse_arguments() -> argparse.Namespace:
    """Read the command line, and refuse sizes that the compact form does not have."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="720p, 1080p or 640x360")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--frames", type=int, default=50, help="timed (default: %(default)s)")
    parser.add_argument("--gemm", type=int, default=8192, help="side of the matrix product")
    parser.add_argument("--device", default="cuda", help='"cpu" only shows that the script runs')
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument(
        "--quick", action="store_true", help="one small size, few frames: shows that it runs"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.frames, arguments.gemm = ["416x400"], 2, 256
        arguments.forms = [form for form in arguments.forms if "compiled" not in form]
    side = max(MODELS[name].cells_min_side for name in arguments.models)
    for size in arguments.sizes:
        try:
            is_usable = all(n >= side and n % 2 == 0 for n in parse_size(size))
        except ValueError:
            is_usable = False
        if not is_usable:
            parser.error(f"--sizes {size}: expected even sides of at least {side}, like 640x480")
    return arguments


def main() -> None:
    """Measure, print, and write JSON where asked."""
    arguments = parse_arguments()
    device = torch.device(arguments.device)
    cudnn: Any = torch.backends.cudnn
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        if not torch.cuda.is_available():
            sys.exit(
                f"gpu_networks.py measures GPUs; torch {torch.__version__} finds no CUDA device"
            )
        torch.cuda.set_device(device)
        name = torch.cuda.get_device_name(device)
    print(
        f"{name}; streamlight {streamlight.__version__}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, CUDA {torch.version.cuda}, "
        f"cuDNN {cudnn.version()}; {arguments.frames} frames, medians"
    )
    gemm = gemm_tflops(device, arguments.gemm, arguments.frames)
    print(f"GEMM of {arguments.gemm}, FP16: {gemm:.2f} TFLOP/s", flush=True)
    frames, forms = arguments.frames, arguments.forms
    missing: list[dict[str, str]] = []
    rows = [
        row
        for model in arguments.models
        for size in arguments.sizes
        for row in measure(MODELS[model], size, forms, device, frames, gemm, missing)
    ]
    if arguments.json:
        figures = {
            "device": name,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "frames": arguments.frames,
            "gemm_side": arguments.gemm,
            "gemm_tflops": gemm,
            "rows": [asdict(row) for row in rows],
            "not_measured": missing,
        }
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
