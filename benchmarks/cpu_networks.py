"""How fast the networks run through OpenVINO on this CPU, alone, without decoder and encoder.

    python benchmarks/cpu_networks.py         # gladnet-fast at 720p and 1080p, 1 minute
    python benchmarks/cpu_networks.py --models gladnet gladnet-fast mine.safetensors --sizes 360p

One frame after the other on all cores, uint8 in and out. "estimate" is the illumination network
with its view, "reconstruct" the detail network, "both" their sum: what a frame costs where each
is estimated anew. The precisions and models take turns, so that what else the machine does
meets all alike; compare within one run. Times are medians in milliseconds, with the quickest in
parentheses; "ratio" is of "both" to the first row's of the same size.

The picture is a frame of examples/night.mp4, scaled.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import openvino as ov

import streamlight
from streamlight.backends.openvino import OpenVinoBackend
from streamlight.errors import BackendUnavailableError, StreamlightError
from streamlight.frame import Image
from streamlight.models.own import find_model
from streamlight.view import sample_nearest

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
WARM_UP = 3


class Case:
    """One model in one precision, and the times that its two networks took."""

    def __init__(self, model: str, precision: str, picture: Image) -> None:
        """Open the backend; BackendUnavailableError where it cannot be."""
        spec = find_model(model)
        self.name = f"{spec.name}, {precision}"
        self._backend = OpenVinoBackend(spec, precision=precision)
        self._picture = picture
        self.estimate_ms: list[float] = []
        self.reconstruct_ms: list[float] = []

    def run(self) -> None:
        """Enhance the picture once, and note the times."""
        start = time.perf_counter()
        prior = self._backend.estimate(sample_nearest(self._picture))
        between = time.perf_counter()
        self._backend.reconstruct(self._picture, prior)
        end = time.perf_counter()
        self.estimate_ms.append(1e3 * (between - start))
        self.reconstruct_ms.append(1e3 * (end - between))

    def both_ms(self) -> float:
        """Return the sum of the medians."""
        return statistics.median(self.estimate_ms) + statistics.median(self.reconstruct_ms)


def open_cases(models: list[str], picture: Image) -> list[Case]:
    """Open every model in every precision that it has here."""
    cases = []
    for model in models:
        for precision in PRECISIONS:
            try:
                cases.append(Case(model, precision, picture))
            except BackendUnavailableError as error:
                print(f"  {model}, {precision}: {error}")
    return cases


def demo_picture(width: int, height: int) -> Image:
    """Scale a frame of the demo clip."""
    with av.open(str(ROOT / "examples" / "night.mp4")) as demo:
        frame = next(demo.decode(video=0)).to_ndarray(format="rgb24")
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC))


def benchmark(models: list[str], size: str, repeats: int) -> None:
    """Measure one size, and print its table."""
    print(f"\n{size}")
    cases = open_cases(models, demo_picture(*SIZES[size]))
    for number in range(WARM_UP + repeats):
        for case in cases:
            if number == WARM_UP:
                case.estimate_ms.clear()
                case.reconstruct_ms.clear()
            case.run()
    print(f"  {'':28}{'estimate':>16}{'reconstruct':>18}{'both':>8}{'ratio':>8}")
    for case in cases:
        estimate, reconstruct = (
            f"{statistics.median(times):.1f} ({min(times):.1f})"
            for times in (case.estimate_ms, case.reconstruct_ms)
        )
        ratio = case.both_ms() / cases[0].both_ms()
        print(f"  {case.name:28}{estimate:>16}{reconstruct:>18}{case.both_ms():8.1f}{ratio:8.2f}")


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["gladnet-fast"], help="names or paths")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["720p", "1080p"])
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    device = ov.Core().get_property("CPU", "FULL_DEVICE_NAME")
    print(
        f"streamlight {streamlight.__version__}, openvino {ov.__version__}, {device}, "
        f"{os.cpu_count()} cores"
    )
    try:
        for size in arguments.sizes:
            benchmark(arguments.models, size, arguments.repeats)
    except StreamlightError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
