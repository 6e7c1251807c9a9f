"""How old a live picture is when it is shown, how steady the memory is, and how cameras share.

    python benchmarks/live_latency.py                          # one camera, 60 s
    python benchmarks/live_latency.py --seconds 600            # a soak
    python benchmarks/live_latency.py --cameras 8 --seconds 120
    python benchmarks/live_latency.py --size 1280x720 --adaptive --json live.json
    python benchmarks/live_latency.py --rate 10                # where 25 a second are too many

The cameras are a real RTSP server (GStreamer's, tests/live/rtsp_server.py, run by Debian's Python)
that encodes test pictures (`--rate` a second) on the same processors: its share is printed. They
are recorded to Matroska and handed to viewers, as `streamlight run` does, with one engine for all.

- Latency is from the moment the packet of a picture came to the end of the last output's take;
  what the camera and the network cable add is not in it. The parts are queue (decoding, and the
  wait for the network), estimate, reconstruct (its wait for a turn included), order, and encode
  (handing over to the outputs). The outputs' own latencies end with their own work.
- The first `--warm-up` seconds do not count, except in latencies: those are of all frames since the
  network was warm, the burst at the start of a connection among them.
- "without the network" is the same pipeline with pictures passed as they are, in the same run.
- "loop by hand" is what people write first: PyAV's frames one after the other through this
  project's Enhancer, without threads. It drops nothing, so what it is late by stays: its figure is
  how far behind the camera it is at the end, with the time that libav took to look at the stream.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import openvino as ov
import psutil

import streamlight
from streamlight.cameras.camera import Camera
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.outputs import OutputSpec
from streamlight.cameras.source import SourceSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.cameras.status import CameraStatus
from streamlight.enhance import Enhancer
from streamlight.frame import Image
from streamlight.pipeline import Pipeline, Prior
from streamlight.sinks.null import NullSink
from streamlight.sources.live import LiveSource
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import LivePhase

SERVER = Path(__file__).resolve().parent.parent / "tests" / "live" / "rtsp_server.py"
SERVER_PYTHON = "/usr/bin/python3"
BASELINE_S = 10.0


@contextmanager
def rtsp_server(
    count: int, size: tuple[int, int], rate: int
) -> Iterator[tuple[psutil.Process, list[str]]]:
    """Run the server; yield its process and the URLs of its cameras.

    The parser repeats the parameter sets, not rtph264pay: that does so before each slice of a key
    frame, which makes two frames of it for libav: half of every picture is green then.
    """
    launch = (
        "( videotestsrc is-live=true pattern=smpte ! videobalance brightness=-0.3 "
        f"! video/x-raw,width={size[0]},height={size[1]},framerate={rate}/1 "
        "! x264enc tune=zerolatency speed-preset=ultrafast bitrate=2000 key-int-max=50 "
        "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
    )
    mounts = {f"/{number}": {"launch": launch} for number in range(count)}
    process = subprocess.Popen(
        [SERVER_PYTHON, str(SERVER), json.dumps({"mounts": mounts})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(
                f"{SERVER_PYTHON} could not run GStreamer's RTSP server (see above); "
                "docs/live.md, Tests, names the packages to install"
            )
        port = json.loads(line)["port"]
        urls = [f"rtsp://127.0.0.1:{port}/{number}" for number in range(count)]
        yield psutil.Process(process.pid), urls
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Machine:
    """Shares of all processors in the time that counts, in percent."""

    own_percent: float
    server_percent: float
    idle_percent: float


class Watch:
    """Memory and processor time, from its beginning."""

    def __init__(self, server: psutil.Process) -> None:
        """Begin to count, beside the server's process."""
        self._own, self._server = psutil.Process(), server
        self.rss_bytes: list[int] = []
        self._began_s = time.monotonic()
        self._cpu_s = (_cpu_s(self._own), _cpu_s(server))
        self._system = psutil.cpu_times()

    def sample(self) -> None:
        """Note the memory of this process."""
        self.rss_bytes.append(self._own.memory_info().rss)

    def machine(self) -> Machine:
        """Return the shares since the beginning."""
        all_s = (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
        own_s, server_s = (
            now - before
            for now, before in zip(
                (_cpu_s(self._own), _cpu_s(self._server)), self._cpu_s, strict=True
            )
        )
        idle_s = psutil.cpu_times().idle - self._system.idle
        return Machine(100 * own_s / all_s, 100 * server_s / all_s, 100 * idle_s / all_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def growth_percent(samples: Sequence[int], settle: int) -> float | None:
    """How much the memory has grown since it settled: medians of ten samples, one a second."""
    if len(samples) < settle + 20:
        return None
    before = statistics.median(samples[settle : settle + 10])
    return 100 * (statistics.median(samples[-10:]) / before - 1)


def wait_for(cameras: Sequence[Camera], within_s: float = 60) -> None:
    """Wait until every camera shows pictures."""
    deadline = time.monotonic() + within_s
    while not all(camera.status().frames_out > 3 for camera in cameras):
        for camera in cameras:
            if camera.state.phase is LivePhase.FAILED:
                raise SystemExit(f"{camera.name}: {camera.state.reason}")
        if time.monotonic() > deadline:
            raise SystemExit(f"not all cameras have come within {within_s:g} s")
        time.sleep(0.1)


def run_cameras(
    urls: Sequence[str], server: psutil.Process, options: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Run all cameras for a while; return what was measured."""
    live = LiveOptions(wait_for_source=True, audio=False)
    specs = [
        CameraSpec(
            name=f"camera{number}",
            source=SourceSpec(address=url, live=live),
            outputs=OutputSpec(targets=(str(folder / f"camera{number}.mkv"),)),
            is_adaptive=options.adaptive,
        )
        for number, url in enumerate(urls)
    ]
    with CameraGroup(specs, model=options.model, backend="openvino") as group:
        cameras = list(group.cameras.values())
        group.start()
        wait_for(cameras)
        time.sleep(options.warm_up)
        before = [camera.status() for camera in cameras]
        watch, began_s = Watch(server), time.monotonic()
        while (elapsed_s := time.monotonic() - began_s) < options.seconds:
            watch.sample()
            time.sleep(max(0.0, 1 - (time.monotonic() - began_s - elapsed_s)))
        machine = watch.machine()
        after = [camera.status() for camera in cameras]
        wall_s = time.monotonic() - began_s
        engine = str(group.info)
    settle = min(60, options.seconds // 3)
    figures = [camera_figures(one, other, wall_s) for one, other in zip(before, after, strict=True)]
    return {
        "engine": engine,
        "seconds": wall_s,
        "machine": asdict(machine),
        "memory": {
            "rss_mb": [round(rss / 1e6, 1) for rss in watch.rss_bytes],
            "growth_percent": growth_percent(watch.rss_bytes, settle),
            "settled_after_s": settle,
        },
        "cameras": figures,
        "evenness": evenness([camera["fps"] for camera in figures]),
    }


def evenness(rates: Sequence[float]) -> dict[str, float]:
    """Return the mean rate, and the slowest and the fastest camera as shares of it."""
    mean = statistics.mean(rates)
    if not mean:
        raise SystemExit("no camera has shown a picture in the time that counts; measure longer")
    return {"mean_fps": mean, "slowest": min(rates) / mean, "fastest": max(rates) / mean}


def camera_figures(before: CameraStatus, after: CameraStatus, wall_s: float) -> dict[str, Any]:
    """Return what a camera did between two moments; latency is of its whole run."""
    assert after.latency is not None
    return {
        "name": after.name,
        "phase": after.phase.value,
        "fps": (after.frames_out - before.frames_out) / wall_s,
        "drops": {why: count - before.drops[why] for why, count in after.drops.items()},
        "reconnects": after.reconnects - before.reconnects,
        "process_factor": after.process_factor,
        "latency": after.latency.to_dict(),
        "outputs": {output.name: output.latency.to_dict() for output in after.outputs},
    }


class PassThrough:
    """An enhancer without a network."""

    parallel = 1

    def estimate(self, image: Image, time_s: float) -> Prior:
        """Find out nothing."""
        return None

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        """Return the picture as it is."""
        return image


def without_network(url: str) -> dict[str, float]:
    """Return the latency of the same pipeline with pictures passed as they are."""
    with LiveSource(url, LiveOptions(audio=False)) as source:
        deadline = time.monotonic() + BASELINE_S
        stop = threading.Event()
        report = Pipeline(source, PassThrough(), NullSink()).run(
            stop, lambda _: stop.set() if time.monotonic() > deadline else None
        )
    assert report.latency is not None
    return report.latency.total.to_dict()


def loop_by_hand(url: str, model: str, size: tuple[int, int]) -> dict[str, float]:
    """Return how far the plain loop is behind the camera at its end, and its rate."""
    frames, first_s, behind_s, elapsed_s = 0, None, 0.0, 0.0
    with Enhancer.open(model, "openvino") as enhancer:
        enhancer(np.zeros((size[1], size[0], 3), np.uint8))
        opening_s = time.monotonic()  # the camera begins with its first client
        with av.open(url, options={"rtsp_transport": "tcp"}) as container:
            began_s = time.monotonic()
            for picture in container.decode(video=0):
                if picture.time is None:
                    continue
                if first_s is None:
                    first_s = picture.time
                enhancer(picture.to_ndarray(format="rgb24"), picture.time)
                frames += 1
                behind_s = time.monotonic() - opening_s - (picture.time - first_s)
                elapsed_s = time.monotonic() - began_s
                if elapsed_s > BASELINE_S:
                    break
    if not frames:
        raise SystemExit("the loop by hand has got no picture from the camera")
    return {"behind_ms": 1e3 * behind_s, "fps": frames / elapsed_s}


def show(result: dict[str, Any]) -> None:
    """Print what was measured, for people."""
    machine, memory = result["machine"], result["memory"]
    print(f"\n{result['engine']}; {result['seconds']:.0f} s, after {result['warm_up_s']:g} s")
    print(
        f"processors: this process {machine['own_percent']:.0f} %, cameras "
        f"{machine['server_percent']:.0f} %, idle {machine['idle_percent']:.0f} %"
    )
    growth = memory["growth_percent"]
    text = "too short to say" if growth is None else f"{growth:+.1f} %"
    print(
        f"memory: {max(memory['rss_mb']):.0f} MB at most; growth after the first "
        f"{memory['settled_after_s']} s: {text}"
    )
    for camera in result["cameras"]:
        latency = camera["latency"]
        lost = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in camera["drops"].items() if n)
        print(
            f"{camera['name']}: {camera['fps']:.1f} fps; latency p50 {latency['p50_ms']:.0f}, "
            f"p95 {latency['p95_ms']:.0f}, p99 {latency['p99_ms']:.0f} ms; "
            f"dropped: {lost or 'none'}; reconnects: {camera['reconnects']}"
        )
    first = result["cameras"][0]
    for name, part in first["latency"]["parts"].items():
        print(f"    {name:12} p50 {part['p50_ms']:6.1f}, p95 {part['p95_ms']:6.1f} ms")
    for name, output in first["outputs"].items():
        print(
            f"    {Path(name).name:12} p50 {output['p50_ms']:6.1f}, p95 {output['p95_ms']:6.1f} ms"
        )
    if len(result["cameras"]) > 1:
        even = result["evenness"]
        print(
            f"evenness: slowest {even['slowest']:.2f}, fastest {even['fastest']:.2f} "
            f"of the mean {even['mean_fps']:.1f} fps"
        )
    for name, baseline in result["baselines"].items():
        if "p50_ms" in baseline:
            ratio = first["latency"]["p50_ms"] / baseline["p50_ms"]
            print(f"{name}: p50 {baseline['p50_ms']:.1f} ms; ratio {ratio:.2f}")
        else:
            print(
                f"{name}: {baseline['behind_ms']:.0f} ms behind after {BASELINE_S:g} s, "
                f"{baseline['fps']:.1f} fps"
            )


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--warm-up", type=float, default=5.0)
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rate", type=int, default=25, help="frames a second of each camera")
    parser.add_argument("--model", default="gladnet-fast")
    parser.add_argument("--adaptive", action="store_true")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    about = {
        "streamlight": streamlight.__version__,
        "python": platform.python_version(),
        "av": av.__version__,
        "openvino": ov.__version__,
        "processors": os.cpu_count(),
        "size": options.size,
        "rate": options.rate,
        "cameras": options.cameras,
        "model": options.model,
        "adaptive": options.adaptive,
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    with (
        tempfile.TemporaryDirectory() as folder,
        rtsp_server(options.cameras, (width, height), options.rate) as (server, urls),
    ):
        baselines: dict[str, dict[str, float]] = {}
        if not options.no_baselines:
            baselines["without the network"] = without_network(urls[0])
            baselines["loop by hand"] = loop_by_hand(urls[0], options.model, (width, height))
        result = about | run_cameras(urls, server, options, Path(folder))
    result |= {"warm_up_s": options.warm_up, "baselines": baselines}
    show(result)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
