"""What processing at a smaller size costs in quality and saves in time.

    python benchmarks/process_size.py clip.mp4 other.mov
    python benchmarks/process_size.py --model gladnet --frame 20 clip.mp4

One frame of each clip is enhanced at its full size, and with the network seeing it at 1/2, 1/3
and 1/4 of its sides (`streamlight.adaptive.ScaledEnhancer`). PSNR is against the full size; "blown
up" is the small result scaled bilinearly by swscale, which is what ScaledEnhancer does not do.
Times are medians after a warm-up: of the whole `reconstruct`, and in CPU time of all threads, which
a busy computer changes less, of it and of the scaling within it.
"""

import argparse
import itertools
import os
import platform
import statistics
import time
from pathlib import Path

import av
import numpy as np
import openvino as ov

from streamlight.adaptive import ScaledEnhancer
from streamlight.enhance import Enhancer
from streamlight.frame import Image
from streamlight.gain import apply_gain, gain_of, shrink
from streamlight.sources import FileSource

FACTORS = (1, 2, 3, 4)


def psnr_db(one: Image, other: Image) -> float:
    """Peak signal-to-noise ratio of two 8-bit pictures."""
    error = np.square(one.astype(np.float32) - other).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def blow_up(small: Image, like: Image) -> Image:
    """Scale a picture to the size of another, bilinearly."""
    height, width = like.shape[:2]
    picture = av.VideoFrame.from_ndarray(small, "rgb24")
    scaled = picture.reformat(width=width, height=height, interpolation="BILINEAR")
    return np.asarray(scaled.to_ndarray(format="rgb24"))


def median_ms(times_s: list[float]) -> float:
    """Median of seconds, in milliseconds."""
    return 1e3 * statistics.median(times_s)


def measure(enhancer: Enhancer, image: Image, repeats: int) -> None:
    """Print a line for each factor."""
    height, width = image.shape[:2]
    prior = enhancer.estimate(image)
    full = enhancer.reconstruct(image, prior)
    for factor in FACTORS:
        scaled = ScaledEnhancer(enhancer, (-(-width // factor), -(-height // factor)))
        result = scaled.reconstruct(image, prior)
        whole_s, cpu_s, scaling_s = [], [], []
        for _ in range(repeats):
            began, began_cpu = time.perf_counter(), time.process_time()
            scaled.reconstruct(image, prior)
            whole_s.append(time.perf_counter() - began)
            cpu_s.append(time.process_time() - began_cpu)
            began = time.process_time()
            if factor > 1:
                small = shrink(image, factor)
                apply_gain(image, gain_of(small, small), factor)
            scaling_s.append(time.process_time() - began)
        quality = ""
        if factor > 1:
            naive = blow_up(enhancer.reconstruct(shrink(image, factor), prior), image)
            quality = f"  {psnr_db(result, full):5.1f} dB  blown up {psnr_db(naive, full):5.1f} dB"
        print(
            f"  1/{factor}  {median_ms(whole_s):7.1f} ms  CPU {median_ms(cpu_s):7.1f} ms"
            f"  of which scaling {median_ms(scaling_s):5.1f} ms{quality}"
        )


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", default="gladnet-fast")
    parser.add_argument("--precision")
    parser.add_argument("--frame", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores", end=", ")
    print(f"OpenVINO {ov.__version__}, NumPy {np.__version__}, load {os.getloadavg()[0]:.1f}")
    with Enhancer.open(arguments.model, precision=arguments.precision) as enhancer:
        print(f"{arguments.model} in {enhancer.info.precision} on {enhancer.info.device}")
        for clip in arguments.clips:
            with FileSource(clip) as source:
                frames = itertools.islice(source, arguments.frame, None)
                image = next(frames).image
            print(f"{clip.name}, {image.shape[1]}x{image.shape[0]}")
            measure(enhancer, image, arguments.repeats)


if __name__ == "__main__":
    main()
