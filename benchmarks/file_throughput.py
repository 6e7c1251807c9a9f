"""How fast the file pipeline is: each stage alone, all together, and against a loop by hand.

    python benchmarks/file_throughput.py                  # 360p, 720p, 1080p, about 4 minutes
    python benchmarks/file_throughput.py --sizes 720p --repeats 5
    python benchmarks/file_throughput.py --memory         # peak memory of 2,000 frames of 1080p

The clip is examples/night.mp4, scaled and encoded anew, so the content is that of a real use.

- "alone" runs one stage with nothing beside it; its CPU seconds count every thread.
- "ideal" is the frame rate at which all cores would be busy all the time with just the CPU
  seconds that the stages take alone; "efficiency" is the pipeline's share of it.
- "loop, same enhancer" is the loop that people write by hand: cv2.VideoCapture, this project's
  Enhancer on one frame after the other, cv2.VideoWriter (MPEG-4 Part 2, the codec that the
  wheel of OpenCV can write; it is faster and worse than H.264).
- "loop, plain OpenVINO" is that loop with the shipped ONNX graphs run as OpenVINO's tutorials
  do: float pictures made in NumPy, `compiled(...)`, default settings.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import openvino as ov
import psutil

import streamlight
from streamlight import EncoderOptions, Enhancer, FileSink, FileSource, Frame, Pipeline
from streamlight.backends.openvino import shared_core
from streamlight.models import graph_path
from streamlight.models.spec import MODELS
from streamlight.view import sample_nearest

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
FRAMES = {"360p": 240, "720p": 120, "1080p": 60}
MODEL = "gladnet-fast"

Enhance = Callable[[np.ndarray, float], np.ndarray]
"""Enhances a picture of a time in seconds."""


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds of some frames."""

    wall_s: float
    cpu_s: float
    frames: int

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a frame, all threads together."""
        return 1e3 * self.cpu_s / self.frames


def measure(work: Callable[[], int]) -> Cost:
    """Run once; `work` returns its number of frames."""
    wall, cpu = time.perf_counter(), time.process_time()
    frames = work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, frames)


def make_clip(path: Path, width: int, height: int, frames: int) -> None:
    """Scale the demo clip to a size, repeating it to the number of frames asked for."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 24, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, picture in zip(range(frames), _demo_pictures(), strict=False):
            scaled = picture.reformat(width, height, "yuv420p", interpolation="BICUBIC")
            scaled.pts, scaled.time_base = index, Fraction(1, 24)
            output.mux(stream.encode(scaled))
        output.mux(stream.encode(None))


def _demo_pictures() -> Iterator[av.VideoFrame]:
    while True:
        with av.open(str(ROOT / "examples" / "night.mp4")) as demo:
            yield from demo.decode(video=0)


def decode_alone(clip: Path) -> int:
    """Decode a clip to RGB."""
    with FileSource(clip) as source:
        return sum(1 for _ in source)


def enhance_alone(frames: list[Frame], enhancer: Enhancer) -> int:
    """Enhance decoded frames, as many at once as the pipeline does."""
    limit = threading.Semaphore(enhancer.parallel + 1)

    def reconstruct(frame: Frame) -> None:
        enhancer.reconstruct(frame.image, enhancer_priors.pop(frame.index))
        limit.release()

    enhancer_priors = {}
    enhancer.reset()
    with ThreadPoolExecutor(enhancer.parallel) as workers:
        for frame in frames:
            limit.acquire()
            enhancer_priors[frame.index] = enhancer.estimate(frame.image, frame.time_s)
            workers.submit(reconstruct, frame)
    return len(frames)


def encode_alone(clip: Path, frames: list[Frame], output: Path) -> int:
    """Encode enhanced frames."""
    with FileSource(clip) as source, FileSink(output, source, overwrite=True) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
    return len(frames)


def pipeline(clip: Path, enhancer: Enhancer, output: Path) -> int:
    """Run everything at once, as `streamlight file` does."""
    with (
        FileSource(clip) as source,
        FileSink(output, source, EncoderOptions(), overwrite=True) as sink,
    ):
        return Pipeline(source, enhancer, sink).run().frames_out


def loop_by_hand(clip: Path, enhance: Enhance, output: Path) -> int:
    """Read, enhance, write, one frame after the other, with OpenCV."""
    reader = cv2.VideoCapture(str(clip))
    size = int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
    writer = cv2.VideoWriter(str(output), cv2.VideoWriter.fourcc(*"mp4v"), 24, size)
    count = 0
    while True:
        ok, bgr = reader.read()
        if not ok:
            break
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        writer.write(cv2.cvtColor(enhance(rgb, count / 24), cv2.COLOR_RGB2BGR))
        count += 1
    reader.release()
    writer.release()
    return count


def plain_openvino() -> Enhance:
    """The network as OpenVINO's tutorials run one."""
    core = shared_core()
    spec = MODELS[MODEL]
    estimate = core.compile_model(graph_path(spec, "estimate"), "CPU")
    reconstruct = core.compile_model(graph_path(spec, "reconstruct"), "CPU")

    def enhance(rgb: np.ndarray, time_s: float) -> np.ndarray:
        prior = estimate([sample_nearest(rgb)])[0]
        result = reconstruct([rgb[None].astype(np.float32) / 255, prior])[0]
        return np.asarray((result[0] * 255).round().astype(np.uint8))

    return enhance


def benchmark(name: str, repeats: int, folder: Path) -> dict[str, float]:
    """Measure one size; print and return its figures."""
    width, height = SIZES[name]
    clip, output = folder / f"{name}.mp4", folder / "out.mp4"
    make_clip(clip, width, height, FRAMES[name])
    with FileSource(clip) as source:
        frames = list(source)
    with (
        Enhancer.open(MODEL, "openvino", parallel=None) as enhancer,
        Enhancer.open(MODEL, "openvino") as single,
    ):
        bright = [replace(frame, image=enhancer(frame.image)) for frame in frames]  # warms up too
        single(frames[0].image)
        plain = plain_openvino()

        def smoothed(rgb: np.ndarray, time_s: float) -> np.ndarray:
            if time_s == 0:
                single.reset()
            return single(rgb, time_s)

        plain(frames[0].image, 0.0)
        runs: dict[str, list[Cost]] = {}
        for _ in range(repeats):
            for title, work in (
                ("decode alone", lambda: decode_alone(clip)),
                ("enhance alone", lambda: enhance_alone(frames, enhancer)),
                ("encode alone", lambda: encode_alone(clip, bright, output)),
                ("pipeline", lambda: pipeline(clip, enhancer, output)),
                ("loop, same enhancer", lambda: loop_by_hand(clip, smoothed, output)),
                ("loop, plain OpenVINO", lambda: loop_by_hand(clip, plain, output)),
            ):
                runs.setdefault(title, []).append(measure(work))
    print(f"\n{name}, {FRAMES[name]} frames, {MODEL}, {enhancer.info}, {repeats} runs, medians")
    for title, costs in runs.items():
        fps = statistics.median(cost.fps for cost in costs)
        cpu_ms = statistics.median(cost.cpu_ms for cost in costs)
        print(f"  {title:22s} {fps:7.1f} fps  {cpu_ms:7.1f} ms CPU a frame")
    cores = os.cpu_count() or 1

    def ratio(other: str) -> float:
        pairs = zip(runs["pipeline"], runs[other], strict=True)
        return statistics.median(ours.fps / theirs.fps for ours, theirs in pairs)

    ideals = [
        cores
        * 1e3
        / sum(runs[f"{stage} alone"][i].cpu_ms for stage in ("decode", "enhance", "encode"))
        for i in range(repeats)
    ]
    figures = {
        "pipeline_fps": statistics.median(cost.fps for cost in runs["pipeline"]),
        "ideal_fps": statistics.median(ideals),
        "efficiency": statistics.median(
            cost.fps / ideal for cost, ideal in zip(runs["pipeline"], ideals, strict=True)
        ),
        "ratio_to_loop_same_enhancer": ratio("loop, same enhancer"),
        "ratio_to_loop_plain_openvino": ratio("loop, plain OpenVINO"),
    }
    for key, value in figures.items():
        print(f"  {key:30s} {value:6.2f}")
    return figures


def benchmark_memory(frames: int, folder: Path) -> dict[str, float]:
    """Follow the memory of this process while 1080p is enhanced."""
    clip, output = folder / "long.mp4", folder / "out.mp4"
    make_clip(clip, *SIZES["1080p"], frames)
    process = psutil.Process()
    samples: list[tuple[int, float]] = []
    streamlight.enhance_file(
        clip,
        output,
        model=MODEL,
        on_progress=lambda report: samples.append(
            (report.frames_out, process.memory_info().rss / 1e6)
        ),
    )
    early = statistics.median(mb for count, mb in samples if 100 <= count < 200)
    late = statistics.median(mb for count, mb in samples if count >= frames - 100)
    figures = {
        "frames": frames,
        "peak_mb": max(mb for _, mb in samples),
        "at_frame_100_mb": early,
        "at_the_end_mb": late,
        "growth": late / early - 1,
    }
    print(f"\nmemory of 1080p, {MODEL} (the interpreter and all libraries included)")
    for key, value in figures.items():
        print(f"  {key:18s} {value:8.2f}")
    return figures


def main() -> None:
    """Parse the arguments, measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure memory only")
    parser.add_argument("--frames", type=int, default=2000, help="of the memory run")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    print(
        f"streamlight {streamlight.__version__}, Python {platform.python_version()}, "
        f"openvino {ov.__version__}, av {av.__version__}, opencv {cv2.__version__}, "
        f"{os.cpu_count()} cores"
    )
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        if arguments.memory:
            figures["memory"] = benchmark_memory(arguments.frames, Path(name))
        else:
            for size in arguments.sizes:
                figures[size] = benchmark(size, arguments.repeats, Path(name))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
