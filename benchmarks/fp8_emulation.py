"""What FP8 would cost in quality: the detail network with E4M3 operands, emulated on a CPU.

    python benchmarks/fp8_emulation.py examples/night.mp4
    python benchmarks/fp8_emulation.py night.mp4 dark.mov --frames 2 --json fp8.json

Weights and inputs of a convolution are rounded to `torch.float8_e4m3fn` (4 bits of exponent, 3 of
mantissa, 448 at most), multiplied and added in FP32, as tensor cores do. Weights have one scale
for each output channel. Inputs have one for the whole tensor, of the largest value in that very
picture: the best that a scale of one tensor can be, and better than one found beforehand. That is
also tried for each channel of the input, which no matrix product of FP8 has; it tells what the
format itself loses. The forms:

- "hidden": the convolutions between the first and the last, nine tenths of the work.
- "all": the first and the last too.

The PSNR is that against FP32 of the result in 8 bits, of the worst frame. 40 dB are asked for.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamlight.frame import Image
from streamlight.models import MODELS
from streamlight.models.gladnet import GLADNet, resize_nearest
from streamlight.models.weights import load_network
from streamlight.sources import FileSource
from streamlight.view import sample_nearest

LEAST_PSNR_DB = 40
_PEAK = torch.finfo(torch.float8_e4m3fn).max


def rounded(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Round to E4M3, with a scale that brings the largest value over `dims` to the format's."""
    scale = x.abs().amax(dims, keepdim=True).clamp(min=1e-12) / _PEAK
    return (x / scale).to(torch.float8_e4m3fn).float() * scale


def detail(network: GLADNet, image: Tensor, prior: Tensor, form: str, per_channel: bool) -> Tensor:
    """Compute `Detail.forward` with rounded operands; form "fp32" rounds nothing."""
    r, convs = network.detail.unshuffle, list(network.detail.convs)
    x = F.pixel_unshuffle(image, r)
    x = torch.cat([resize_nearest(prior, x.shape[2], x.shape[3]), x], dim=1)
    for number, conv in enumerate(convs):
        weight: Any = conv.weight
        bias: Any = conv.bias
        is_hidden = 0 < number < len(convs) - 1
        if form == "all" or (form == "hidden" and is_hidden):
            weight = rounded(weight, (1, 2, 3))
            x = rounded(x, (0, 2, 3) if per_channel else (0, 1, 2, 3))
        x = F.conv2d(x, weight, bias, padding=1)
        if number < len(convs) - 1:
            x = x.relu()
    return F.pixel_shuffle(x, r).clamp(0, 1)


def frames_of(path: Path, count: int, height: int, width: int) -> list[Image]:
    """Decode some frames, spread over the first second, and cut their middle out."""
    images: list[Image] = []
    with FileSource(path, copy_streams=False) as source:
        for frame in source:
            if frame.index % 12 == 0:
                rows, columns = frame.image.shape[:2]
                top, left = max(0, rows - height) // 2, max(0, columns - width) // 2
                cut = frame.image[top : top + height, left : left + width]
                images.append(cut[: cut.shape[0] // 2 * 2, : cut.shape[1] // 2 * 2])
            if len(images) == count:
                break
    return images


def psnr_db(found: Tensor, expected: Tensor) -> float:
    """Compare two results after rounding to 8 bits."""
    a, b = ((x * 255).round().double() for x in (found, expected))
    error = float((a - b).square().mean()) / 255**2
    return -10 * float(np.log10(max(error, 1e-12)))


@torch.inference_mode()
def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    names = [name for name, spec in MODELS.items() if not spec.is_affine]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--frames", type=int, default=2, help="of each clip")
    parser.add_argument("--size", default="480x272", help="of the part that is cut out")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    rows: list[dict[str, Any]] = []
    for model in arguments.models:
        network = load_network(MODELS[model])
        worst: dict[str, float] = {}
        for clip in arguments.clips:
            for image in frames_of(clip, arguments.frames, height, width):
                prior = network.estimate(torch.from_numpy(sample_nearest(image)))
                peak = np.iinfo(image.dtype).max
                x = torch.from_numpy(image.astype(np.float32) / peak).permute(2, 0, 1)[None]
                expected = detail(network, x, prior, "fp32", False)
                for form in ("hidden", "all"):
                    for per_channel in (False, True):
                        found = psnr_db(detail(network, x, prior, form, per_channel), expected)
                        scale = "a scale per channel" if per_channel else "a scale per tensor"
                        key = f"{form}, {scale}"
                        worst[key] = min(worst.get(key, np.inf), found)
                        rows.append(
                            {"model": model, "clip": clip.name, "form": key, "psnr_db": found}
                        )
        for key, value in worst.items():
            verdict = "holds" if value >= LEAST_PSNR_DB else "does not hold"
            print(f"{model:13s} {key:28s} {value:5.1f} dB: {verdict} {LEAST_PSNR_DB}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
