"""The forms of `gpu_networks.py` that are the CUDA backend's; see there."""

import io
import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamlight.backends import open_backend
from streamlight.backends.base import PlanesForm
from streamlight.backends.cuda import CudaBackend
from streamlight.color import ColorSpec, Matrix, Range
from streamlight.cuda.layout import size_of_map
from streamlight.cuda.network import DetailNetwork
from streamlight.cuda.ops import load_ops
from streamlight.cuda.replay import Replay
from streamlight.frame import Image, Planes
from streamlight.models import ModelSpec
from streamlight.models.prior_index import Place, prior_indices
from streamlight.models.weights import load_network
from streamlight.view import sample_nearest

Run = Callable[[], Tensor]
"""As in `gpu_networks.py`."""


def cuda_backend(spec: ModelSpec, device: torch.device, parallel: int) -> CudaBackend:
    """Open `CudaBackend`; on a CPU, in FP32."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    return CudaBackend(spec, device, dtype, parallel)


def cuda_on_device_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare the recorded work of `CudaBackend`, without its copies from and to the host."""
    is_cuda, ops = device.type == "cuda", load_ops(device)
    network, (height, width) = load_network(spec), picture.shape[:2]
    detail = DetailNetwork(network.detail, device, torch.float16 if is_cuda else torch.float32, ops)
    print("    " + ", ".join(f"{kind} by {way.name}" for kind, way in detail.ways.items()))
    prior_network = network.prior.to(device)
    view = torch.from_numpy(sample_nearest(picture)).to(device)
    image = torch.from_numpy(picture).to(device)
    result = torch.empty_like(image)
    map_ = torch.empty(
        size_of_map(height, width, spec.unshuffle), dtype=detail.dtype, device=device
    )
    place, is_compact = Place(height, width, 0, 0), spec.is_compact(height, width)
    rows, columns = (
        torch.from_numpy(i.astype(np.int32)).to(device)
        for i in prior_indices(place, height, width, spec, is_compact)
    )

    def work() -> None:
        prior = prior_network(view)
        ops.rgb_in(image, map_, spec.unshuffle)
        out = detail(map_, prior, rows, columns, is_compact)
        ops.rgb_out(out, result, spec.unshuffle)

    with torch.inference_mode():
        replay = Replay(work, torch.cuda.Stream(device) if is_cuda else None)

    def run() -> Tensor:
        replay()
        return result

    return run


def cuda_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare `CudaBackend`, as the enhancer calls it."""
    backend = cuda_backend(spec, device, 1)
    view = sample_nearest(picture)
    return lambda: torch.from_numpy(backend.reconstruct(picture, backend.estimate(view)))


def cuda_two_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare `CudaBackend` with the next picture always under way, as the pipeline has it."""
    return stream_form(cuda_backend(spec, device, 2), itertools.repeat(picture))


def decode_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare `CudaBackend` on what a decoder gives."""
    return stream_form(cuda_backend(spec, device, 2), decoded_forever(picture))


def tensorrt_form(flavour: str, spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare a flavour of TensorRT, as the enhancer calls it.

    Raises:
        BackendUnavailableError: it is not installed, or does not run on this GPU.
    """
    backend = open_backend(flavour, spec, str(device))
    view = sample_nearest(picture)
    return lambda: torch.from_numpy(backend.reconstruct(picture, backend.estimate(view)))


def planes_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare NV12 that lies on the device and stays there, one picture after the other."""
    height, width = picture.shape[:2]
    backend = cuda_backend(spec, device, 1)
    network = backend.planes_network(_form(width, height, stays=True))
    luma, chroma = picture[..., 1], picture[::2, ::2, 1:] // 16 + 126
    taken = network.take(Planes(*(np.ascontiguousarray(plane) for plane in (luma, chroma))))

    def run() -> Tensor:
        prior = backend.estimate(sample_nearest(taken))
        result: Tensor = network.reconstruct(taken, prior, 1.0).luma
        return result

    return run


def nvdec_form(spec: ModelSpec, picture: Image, device: torch.device) -> Run:
    """Prepare NVDEC and NV12 on the device, results downloaded, two at once; on a CPU, software.

    Raises:
        UnsupportedSourceError: NVDEC does not decode H.264 here.
    """
    from streamlight.sources.nvdec import Nvdec, planes_of
    from streamlight.sources.opening import open_input

    height, width = picture.shape[:2]
    backend = cuda_backend(spec, device, 2)
    network = backend.planes_network(_form(width, height))
    decoder = Nvdec(device.index or 0)
    threads = ThreadPoolExecutor(2)
    under_way: deque[Future[Planes]] = deque()

    def pictures() -> Iterator[Any]:
        is_cuda = device.type == "cuda"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "noise.mp4"
            file.write_bytes(encoded(picture).getvalue())
            while True:
                with decoder.open(file) if is_cuda else open_input(file) as container:
                    container.streams.video[0].codec_context.thread_count = 1
                    for frame in container.decode(video=0):
                        if is_cuda:
                            decoder.check(frame)
                        yield network.take(planes_of(frame))

    frames = pictures()
    next(frames)  # so that a refusal shows before anything is timed

    def run() -> Tensor:
        while len(under_way) < 3:
            taken = next(frames)
            prior = backend.estimate(sample_nearest(taken))
            under_way.append(threads.submit(network.reconstruct, taken, prior, 1.0))
        return torch.from_numpy(under_way.popleft().result().luma)

    return run


def _form(width: int, height: int, *, stays: bool = False) -> PlanesForm:
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    return PlanesForm(width, height, 8, color, color, stays=stays)


def stream_form(backend: CudaBackend, pictures: Iterator[Image]) -> Run:
    """Run a backend on pictures, two at once; each call gives one result, in their order."""
    threads = ThreadPoolExecutor(2)
    under_way: deque[Future[Image]] = deque()

    def run() -> Tensor:
        while len(under_way) < 3:
            image = next(pictures)
            prior = backend.estimate(sample_nearest(image))
            under_way.append(threads.submit(backend.reconstruct, image, prior))
        return torch.from_numpy(under_way.popleft().result())

    return run


def decoded_forever(picture: Image) -> Iterator[Image]:
    """Decode some frames of a picture again and again."""
    import av

    from streamlight.sources.rgb import RgbConverter

    file, to_rgb = encoded(picture), RgbConverter()
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    while True:
        file.seek(0)
        with av.open(file, "r") as opened:
            opened.streams.video[0].thread_type = "FRAME"
            for frame in opened.decode(video=0):
                yield to_rgb(frame, color)


def encoded(picture: Image) -> io.BytesIO:
    """Encode some frames of a picture as H.264 that every decoder has: 4:2:0, main profile."""
    import av

    file = io.BytesIO()
    options = {"preset": "ultrafast", "crf": "10", "profile": "main"}
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", 30, options=options)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    return file
