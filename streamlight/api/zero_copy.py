"""Whether the pictures of a file can stay on the GPU from decoder to encoder, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamlight.api.parts import AnySource, depth_of, for_color
from streamlight.backends.base import PlanesBackend, PlanesForm
from streamlight.enhance import Enhancer
from streamlight.errors import OutOfMemoryError, UnsupportedSourceError, UsageError
from streamlight.look import Look
from streamlight.pipeline import FrameEnhancer
from streamlight.planes_enhance import PlanesEnhancer
from streamlight.sinks import EncoderOptions
from streamlight.sinks.containers import check_target
from streamlight.sinks.encoders import probe_encoder
from streamlight.sinks.planes import SAME_SAMPLES, layout_of
from streamlight.sinks.video_track import VideoTrack
from streamlight.sources import FileSource, ReaderOptions
from streamlight.sources.nvdec import Nvdec, obstacle
from streamlight.sources.picture_names import is_sequence

HWACCEL = ("auto", "none", "cuda")
"""What `--hwaccel` takes. As nothing has run on a GPU yet, "auto" is software."""

OF_VIDEOS = "pictures are decoded on the host"


@dataclass(frozen=True, slots=True)
class Way:
    """How the frames of a file go.

    Attributes:
        enhancer: for the pipeline.
        device: index of the GPU that results stay on, for the encoder there; None for the host.
        note: what became of `--hwaccel cuda`, one sentence; empty where it was not asked for.
    """

    enhancer: FrameEnhancer
    device: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for, as far as it decides where pictures can stay.

    Attributes:
        target: the file to write.
        look: of the result.
        reader: of the input.
        encoder: of the output.
        post_filter: before the encoder.
        resume: whether the run is to be gone on with.
    """

    target: Path
    look: Look
    reader: ReaderOptions
    encoder: EncoderOptions
    post_filter: str | None = None
    resume: bool = False


def check_hwaccel(name: str) -> None:
    """Check a value of `--hwaccel`.

    Raises:
        UsageError: there is no such choice.
    """
    if name not in HWACCEL:
        raise UsageError(f"--hwaccel {name}: choose one of {', '.join(HWACCEL)}")


def fall_back(reason: str, *, strict: bool) -> str:
    """Say why `--hwaccel cuda` is not used.

    Raises:
        UnsupportedSourceError: `strict`, and so it is a failure.
    """
    if strict:
        raise UnsupportedSourceError(f"--hwaccel cuda: {reason}")
    return f"--hwaccel cuda is not used: {reason}"


def way_on_gpu(source: AnySource, enhancer: Enhancer, job: Job) -> Way:
    """Let a source decode on the GPU that the network runs on; or say why not.

    Args:
        source: just opened.
        enhancer: open, with its look.
        job: what is asked for.

    Raises:
        UnsupportedSourceError: it cannot, and the reader is strict.
    """
    try:
        return _on_gpu(source, enhancer, job)
    except (UnsupportedSourceError, OutOfMemoryError) as error:
        note = fall_back(str(error), strict=job.reader.strict)
        return Way(for_color(enhancer, source), note=note)


def _on_gpu(source: AnySource, enhancer: Enhancer, job: Job) -> Way:
    backend = enhancer.backend
    if not isinstance(backend, PlanesBackend):
        raise UnsupportedSourceError(
            f"the network runs on {enhancer.info.backend}; --backend cuda takes pictures of the GPU"
        )
    if not isinstance(source, FileSource) or is_sequence(job.target):
        raise UnsupportedSourceError(OF_VIDEOS)
    reason = next(_obstacles(source, enhancer, job), None)
    if reason is not None:
        raise UnsupportedSourceError(reason)
    info = source.info
    container = check_target(job.target, source.path)
    track = VideoTrack(source, job.encoder, container, job.target)
    encoding, device = track.encoding, None
    if encoding.pixel_format not in SAME_SAMPLES[info.bits]:
        raise UnsupportedSourceError(
            f"{encoding.encoder.name} writes {encoding.pixel_format}, which is made on the host"
        )
    name = encoding.encoder.name
    where = f"each is downloaded once for {name}"
    if name.endswith("_nvenc"):
        status = probe_encoder(name, layout_of(info.bits), backend.device_index)
        device = backend.device_index if status.works else None
        where = f"{name} encodes them there" if status.works else f"{where} ({status.detail})"
    form = PlanesForm(
        info.width,
        info.height,
        info.bits,
        info.color,
        track.format.color,
        blends=job.look.strength != 1,
        stays=device is not None,
    )
    network = backend.planes_network(form)
    source.decode_on(Nvdec(backend.device_index), network.take)
    note = f"--hwaccel cuda: pictures are decoded by NVDEC and stay on the GPU; {where}"
    return Way(PlanesEnhancer(enhancer, network), device, note)


def _obstacles(source: FileSource, enhancer: Enhancer, job: Job) -> Iterator[str]:
    """Say what cannot be done on the GPU as it is done on the host, most general first."""
    reader, look = job.reader, job.look
    on_host = {
        "--filter": reader.filters,
        "--denoise": reader.denoise != "off",
        "--post-filter": job.post_filter,
        "--compare": look.compare != "none",
        "--exposure": look.exposure_ev,
        "--skip-bright": enhancer.skips_bright,
        "--sampling area": enhancer.sampling == "area",
        "--resume": job.resume,
    }
    yield from (f"{option} works on the host" for option, is_asked in on_host.items() if is_asked)
    if reader.deinterlace == "on":
        yield "all pictures are to be deinterlaced, on the host"
    first = source.first_picture
    if first is not None and (found := obstacle(first)) is not None:
        yield found
    enhancer.prepare(source.info.width, source.info.height, depth_of(source.info.bits))
    if enhancer.tiles is not None:
        yield f"pictures go through in {enhancer.tiles}, to fit into memory"
