"""Brighten pictures of any source, one by one: NumPy arrays in, NumPy arrays out.

    python examples/numpy_loop.py                         # the demo clip
    python examples/numpy_loop.py dark.mp4 --frames 100

Here PyAV decodes a file, but a camera's driver, a simulator or a data set will do as well. For
files and streams `streamlight.Pipeline` is faster: it decodes while the network runs.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from streamlight import Enhancer
from streamlight.frame import Image

LUMA_BT709 = (0.2126, 0.7152, 0.0722)


def decode(path: Path) -> Iterator[tuple[Image, float]]:
    """Yield each picture of a video, RGB (H, W, 3), and when it is shown, in seconds."""
    with av.open(str(path)) as video:
        for frame in video.decode(video=0):
            yield frame.to_ndarray(format="rgb24"), frame.time


def mean_luma(picture: Image) -> float:
    """Return the mean of the luma (ITU-R BT.709), in [0, 255]."""
    return float(np.dot(picture.mean(axis=(0, 1)), LUMA_BT709))


def main() -> None:
    """Read the command line, brighten the pictures and print what became of them."""
    parser = argparse.ArgumentParser(description="Brighten pictures in a loop.")
    parser.add_argument(
        "video", nargs="?", type=Path, default=Path(__file__).with_name("night.mp4")
    )
    parser.add_argument("--frames", type=int, default=24, help="at most so many (%(default)s)")
    arguments = parser.parse_args()

    before, after, times_ms = [], [], []
    with Enhancer.open() as enhancer:
        print(f"{enhancer.model.name}: {enhancer.info}")
        for dark, time_s in itertools.islice(decode(arguments.video), arguments.frames):
            started = time.perf_counter()
            bright = enhancer(dark, time_s)  # the time makes it a video: no flicker
            times_ms.append(1e3 * (time.perf_counter() - started))
            before.append(mean_luma(dark))
            after.append(mean_luma(bright))
    print(f"mean luma {statistics.mean(before):.1f} -> {statistics.mean(after):.1f}")
    # The first picture of a size takes longer: some backends compile the network for it.
    print(f"{statistics.median(times_ms):.1f} ms a frame, {times_ms[0]:.1f} ms for the first")


if __name__ == "__main__":
    main()
