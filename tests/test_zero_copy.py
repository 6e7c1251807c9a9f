"""Pictures that stay on the device, with a software decoder and the CPU in the places of the GPU's.

What is real: reading, time, sound, planes by DLPack, the network on NV12 and P010, encoding. What
stands in: frames come from the software decoder, so that `planes_of` lays them out as NVDEC does,
and the device is the CPU, so that the plain twins of the kernels run.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import pytest
from clips import Sound, dim, make_clip
from numpy.typing import NDArray
from PIL import Image

from streamlight.api import FileResult, enhance_file
from streamlight.api import zero_copy as zero_copy_module
from streamlight.color import ColorSpec, Matrix, Range
from streamlight.enhance import Enhancer
from streamlight.errors import OutOfMemoryError, UnsupportedSourceError, UsageError
from streamlight.look import Look
from streamlight.models import get_spec
from streamlight.sinks import EncoderOptions
from streamlight.sources import ReaderOptions
from streamlight.sources.nvdec import Nvdec, obstacle
from streamlight.sources.opening import open_input

torch = pytest.importorskip("torch", reason="the network on planes is PyTorch's")

from streamlight.backends.cuda import CudaBackend  # noqa: E402

ROOT = Path(__file__).parents[1]
NIGHT = ROOT / "examples" / "night.mp4"
SHARED = ROOT.parent / "shared" / "video"
MODEL = get_spec("gladnet-fast")
LOSSLESS = EncoderOptions(codec="ffv1")
EXACT = EncoderOptions(crf=0)
"""libx264 without loss; its packets are not the same in every run where it uses AVX-512."""


class DecodesInSoftware:
    """Stands where `Nvdec` does."""

    def __init__(self, device: int = 0) -> None:
        self.device = device

    def open(self, path: Path) -> av.container.InputContainer:
        return open_input(path)

    def check(self, frame: av.VideoFrame) -> None:
        pass


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero_copy_module, "Nvdec", DecodesInSoftware)


@pytest.fixture(scope="module")
def backend() -> Iterator[CudaBackend]:
    opened = CudaBackend(MODEL, torch.device("cpu"), torch.float32, parallel=2)
    yield opened
    opened.close()


def enhance(
    source: Path, target: Path, backend: CudaBackend, hwaccel: str, **options: Any
) -> FileResult:
    of_network = {"sampling", "skip_bright", "smoothing_s"}
    network = {key: value for key, value in options.items() if key in of_network}
    others = {key: value for key, value in options.items() if key not in of_network}
    enhancer = Enhancer(backend, MODEL, **network)
    others = {"encoder": LOSSLESS} | others
    return enhance_file(source, target, enhancer=enhancer, hwaccel=hwaccel, **others)


def planes_in(path: Path) -> list[tuple[int, list[NDArray[Any]]]]:
    """Decode a file: time of each picture in its time base, and its planes."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
            planes = [
                np.frombuffer(memoryview(plane), dtype)
                .reshape(plane.height, -1)[:, : plane.width]
                .astype(int)
                for plane in frame.planes
            ]
            assert frame.pts is not None
            found.append((frame.pts, planes))
    return found


def packets_of(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return [(p.pts, bytes(p)) for p in container.demux(*streams) if p.size] if streams else []


def is_used(result: FileResult) -> bool:
    return "stay on the GPU; each is downloaded once" in result.notes[0]


CLIPS = {
    "demo": (NIGHT, 0.2),
    "full range": (SHARED / "night_parking_480p_fullrange.mkv", 0.1),
    "BT.601": (SHARED / "bt601.mov", 0.1),
    "10 bits": (SHARED / "hevc_10bit.mp4", 0.1),
    "rotated, with sound": (SHARED / "dim_room_rotated90.mp4", 0.1),
}
MORE_CLIPS = ("full range", "BT.601", "rotated, with sound")


@pytest.mark.parametrize(
    "name", ["demo", "10 bits", *(pytest.param(n, marks=pytest.mark.slow) for n in MORE_CLIPS)]
)
def test_a_real_clip_comes_out_as_by_way_of_the_host(
    tmp_path: Path, on_cpu: None, backend: CudaBackend, name: str
) -> None:
    clip, duration_s = CLIPS[name]
    if not clip.exists():
        pytest.skip(f"{clip} is absent on this machine")
    reader = ReaderOptions(start_s=0.2, duration_s=duration_s)
    ordinary, on_device = tmp_path / "host.mkv", tmp_path / "device.mkv"
    enhance(clip, ordinary, backend, "none", reader=reader)
    result = enhance(clip, on_device, backend, "cuda", reader=reader)
    assert is_used(result), result.notes
    expected, found = planes_in(ordinary), planes_in(on_device)
    assert len(found) == len(expected) >= 3
    assert [pts for pts, _ in found] == [pts for pts, _ in expected]
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            apart = np.abs(one - other)
            assert apart.mean() < 0.5
            # by way of the host, RGB of 8 bits is rounded before the network brightens it, which
            # shows in the darkest pixels; in 10 bits nothing is, and there 2 is half a level of 8
            assert apart.max() <= (2 if name == "10 bits" else 4)
            assert (apart > 2).mean() < 0.001
    for kind in ("audio", "subtitle"):
        assert packets_of(on_device, kind) == packets_of(ordinary, kind)
    luma, given = found[0][1][0], planes_in(clip)[0][1][0]
    assert np.abs(luma - given).mean() > 0.5, "the network changes nothing"


@pytest.mark.parametrize("smoothing_s", [0.0, 12.0])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_smoothing_a_cut_and_the_strength_act_as_by_way_of_the_host(
    tmp_path: Path, on_cpu: None, backend: CudaBackend, smoothing_s: float, strength: float
) -> None:
    def light(index: int, width: int, height: int) -> Any:
        picture = dim(index, width, height)
        return picture if index < 6 else picture[::-1, ::-1] // 2 + 60  # a cut

    clip = make_clip(
        tmp_path / "clip.mkv",
        size=(258, 194),
        pts=tuple(range(12)),
        picture=light,
        color=ColorSpec(Matrix.BT709, Range.LIMITED),
        options={"crf": "1"},
        sound=[Sound()],
    )
    ordinary, on_device = tmp_path / "host.mkv", tmp_path / "device.mkv"
    options = {"smoothing_s": smoothing_s, "look": Look(strength)}
    enhance(clip, ordinary, backend, "none", **options)
    assert is_used(enhance(clip, on_device, backend, "cuda", **options))
    expected, found = planes_in(ordinary), planes_in(on_device)
    assert len(found) == len(expected) == 12
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        assert np.abs(ours[0] - theirs[0]).max() <= 2


def test_what_the_container_cannot_state_is_written_as_players_guess_it(
    tmp_path: Path, on_cpu: None, backend: CudaBackend
) -> None:
    clip = make_clip(
        tmp_path / "clip.mp4",
        size=(258, 194),
        picture=dim,
        color=ColorSpec(Matrix.BT709, Range.FULL),
        options={"crf": "1"},
    )
    ordinary, on_device = tmp_path / "host.avi", tmp_path / "device.avi"
    enhance(clip, ordinary, backend, "none")
    assert is_used(enhance(clip, on_device, backend, "cuda"))
    expected, found = planes_in(ordinary), planes_in(on_device)
    assert len(found) == len(expected) > 0
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert np.abs(one - other).max() <= 3
            assert (np.abs(one - other) > 2).mean() < 0.001


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reader": ReaderOptions(filters="hflip")}, "--filter works on the host"),
        ({"reader": ReaderOptions(denoise="light")}, "--denoise works on the host"),
        ({"reader": ReaderOptions(deinterlace="on")}, "all pictures are to be deinterlaced"),
        ({"post_filter": "hflip"}, "--post-filter works on the host"),
        ({"look": Look(compare="split")}, "--compare works on the host"),
        ({"look": Look(exposure_ev=1)}, "--exposure works on the host"),
        ({"skip_bright": True}, "--skip-bright works on the host"),
        ({"sampling": "area"}, "--sampling area works on the host"),
        ({"resume": True}, "--resume works on the host"),
        ({"encoder": EncoderOptions(codec="prores")}, "prores_ks writes yuv422p10le"),
        ({"encoder": EncoderOptions(crf=0, pix_fmt="yuv444p")}, "libx264 writes yuv444p"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_gpu_does_not_do_goes_by_way_of_the_host_and_is_named(
    tmp_path: Path, on_cpu: None, backend: CudaBackend, options: dict[str, Any], reason: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=4, picture=dim)
    plain, asked = tmp_path / "plain.mov", tmp_path / "asked.mov"
    options = {"encoder": EXACT, **options}
    enhance(clip, plain, backend, "none", **options)
    result = enhance(clip, asked, backend, "cuda", **options)
    assert result.notes[0].startswith(f"--hwaccel cuda is not used: {reason}")
    for (pts, ours), (expected_pts, theirs) in zip(planes_in(asked), planes_in(plain), strict=True):
        assert pts == expected_pts
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"pixel_format": "yuv444p"}, "pictures of yuv444p cannot stay on the GPU"),
        ({"size": (63, 49), "pixel_format": "yuv444p"}, "pictures of yuv444p"),
        ({"size": (64, 49)}, "64x49 has an odd side"),
        ({"color": ColorSpec(9, 1, 9, 16), "pixel_format": "yuv420p10le"}, "HDR pictures"),
        ({"is_interlaced": True}, "interlaced pictures"),
    ],
    ids=["4:4:4", "4:4:4 and odd", "odd", "HDR", "interlaced"],
)
def test_pictures_that_cannot_stay_there_are_named(made: dict[str, Any], reason: str) -> None:
    width, height = made.get("size", (64, 48))
    frame = av.VideoFrame(width, height, made.get("pixel_format", "yuv420p"))
    color = made.get("color", ColorSpec(Matrix.BT709, Range.LIMITED))
    frame.colorspace, frame.color_range = color.matrix, color.range
    frame.color_primaries, frame.color_trc = color.primaries, color.transfer
    if "is_interlaced" in made:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width, height=height, format=frame.format, time_base=Fraction(1, 25)
        )
        graph.link_nodes(source, graph.add("setfield", "tff"), graph.add("buffersink"))
        graph.configure()
        graph.vpush(frame)
        frame = graph.vpull()
    found = obstacle(frame)
    assert found is not None
    assert found.startswith(reason)


def test_without_a_gpu_the_real_decoder_is_refused_by_pyav_and_named(
    tmp_path: Path, backend: CudaBackend
) -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("there is an NVIDIA driver here")
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    result = enhance(clip, tmp_path / "asked.mkv", backend, "cuda")
    assert result.notes[0].startswith("--hwaccel cuda is not used: there is no NVIDIA GPU for it (")
    enhance(clip, tmp_path / "plain.mkv", backend, "none")
    asked, plain = (packets_of(tmp_path / f"{name}.mkv", "video") for name in ("asked", "plain"))
    assert asked == plain
    strict = ReaderOptions(strict=True)
    with pytest.raises(UnsupportedSourceError, match="--hwaccel cuda: there is no NVIDIA GPU"):
        enhance(clip, tmp_path / "strict.mkv", backend, "cuda", reader=strict)
    assert not (tmp_path / "strict.mkv").exists()


def test_a_decoder_that_gives_pictures_of_the_host_is_not_taken(
    tmp_path: Path, backend: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FallsBackSilently(Nvdec):
        def open(self, path: Path) -> av.container.InputContainer:
            return open_input(path)

    monkeypatch.setattr(zero_copy_module, "Nvdec", FallsBackSilently)
    clip = make_clip(tmp_path / "clip.mp4", picture=dim, sound=[Sound()])
    result = enhance(clip, tmp_path / "out.mkv", backend, "cuda")
    assert "NVDEC does not decode it here; it came as yuv420p" in result.notes[0]
    enhance(clip, tmp_path / "plain.mkv", backend, "none")
    for kind in ("video", "audio"):
        assert packets_of(tmp_path / "out.mkv", kind) == packets_of(tmp_path / "plain.mkv", kind)


def test_a_decoder_that_crops_otherwise_is_not_taken(
    tmp_path: Path, backend: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_clip(tmp_path / "other.mp4", size=(32, 32), picture=dim)

    class CropsOtherwise(DecodesInSoftware):
        def open(self, path: Path) -> av.container.InputContainer:
            return open_input(other)

    monkeypatch.setattr(zero_copy_module, "Nvdec", CropsOtherwise)
    clip = make_clip(tmp_path / "clip.mp4", size=(64, 48), picture=dim)
    result = enhance(clip, tmp_path / "out.mkv", backend, "cuda")
    assert result.notes == ["--hwaccel cuda is not used: it gives pictures of 32x32"]
    assert planes_in(tmp_path / "out.mkv")[0][1][0].shape == (48, 64)


def test_a_full_device_is_named_and_the_host_takes_over(
    tmp_path: Path, on_cpu: None, backend: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OutOfMemoryError("the GPU ran out of memory at 64x48")

    monkeypatch.setattr(backend, "planes_network", full)
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    result = enhance(clip, tmp_path / "out.mkv", backend, "cuda")
    assert "not used: the GPU ran out of memory at 64x48" in result.notes[0]


@pytest.mark.parametrize("hwaccel", ["auto", "none"])
def test_nothing_changes_where_it_is_not_asked_for(
    tmp_path: Path, on_cpu: None, backend: CudaBackend, hwaccel: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    assert enhance(clip, tmp_path / "out.mkv", backend, hwaccel).notes == []


def test_a_wrong_choice_is_refused(tmp_path: Path, backend: CudaBackend) -> None:
    with pytest.raises(UsageError, match="--hwaccel vulkan: choose one of auto, none, cuda"):
        enhance(NIGHT, tmp_path / "out.mp4", backend, "vulkan")


def test_pictures_are_decoded_on_the_host(tmp_path: Path, backend: CudaBackend) -> None:
    still = tmp_path / "still.png"
    Image.fromarray(dim(0, 64, 48)).save(still)
    result = enhance(still, tmp_path / "out.png", backend, "cuda", encoder=None)
    reason = "pictures are decoded on the host"
    assert result.notes == [f"--hwaccel cuda is not used: {reason}"]
    strict = ReaderOptions(strict=True)
    with pytest.raises(UnsupportedSourceError, match=f"--hwaccel cuda: {reason}"):
        enhance(still, tmp_path / "no.png", backend, "cuda", encoder=None, reader=strict)
    sequence = tmp_path / "out_%02d.png"
    clip = make_clip(tmp_path / "clip.mp4", picture=dim)
    result = enhance(clip, sequence, backend, "cuda", encoder=None)
    assert result.notes[0] == f"--hwaccel cuda is not used: {reason}"
