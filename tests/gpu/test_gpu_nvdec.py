"""NVDEC and NVENC on an NVIDIA GPU: pictures that stay there are those of the software path.

The tests skip without CUDA; with STREAMLIGHT_REQUIRE_GPU=1 they fail instead. They need PyAV beside
what the others need, and skip where it is missing.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlight.enhance import Enhancer

torch = pytest.importorskip("torch", reason="it reads the planes on the device")
pytestmark = pytest.mark.gpu

NIGHT = Path(__file__).parents[2] / "examples" / "night.mp4"


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("STREAMLIGHT_REQUIRE_GPU") == "1":
            pytest.fail("STREAMLIGHT_REQUIRE_GPU=1, but torch finds no CUDA device")
        pytest.skip("torch finds no CUDA device")


@pytest.fixture
def av() -> Any:
    return pytest.importorskip("av", reason="PyAV decodes")


def need_nvdec(codec: str) -> None:
    from streamlight.sources.nvdec_probe import probe_nvdec

    if reason := probe_nvdec(codec):
        pytest.skip(f"NVDEC {codec}: {reason}")


def encoded(av: Any, path: Path, codec: str, pixel_format: str, frames: int = 30) -> Path:
    """Encode moving waves of 640x360, dark."""
    y, x = np.mgrid[:360, :640].astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 30)
        stream.width, stream.height, stream.pix_fmt = 640, 360, pixel_format
        for index in range(frames):
            waves = [np.sin((x * (c + 2) + y * (3 - c)) / 23 + index / 3) for c in range(3)]
            picture = (40 + 25 * np.stack(waves, axis=-1)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            container.mux(stream.encode(frame.reformat(format=pixel_format, threads=1)))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "encoder", "pixel_format"),
    [
        ("h264", "libx264", "yuv420p"),
        ("hevc", "libx265", "yuv420p"),
        ("hevc 10 bits", "libx265", "yuv420p10le"),
        ("vp9", "libvpx-vp9", "yuv420p"),
        ("av1", "libsvtav1", "yuv420p"),
    ],
)
def test_the_planes_on_the_device_are_those_of_the_software_decoder(
    av: Any, tmp_path: Path, codec: str, encoder: str, pixel_format: str
) -> None:
    need_nvdec(codec)
    from streamlight.sources.nvdec import Nvdec, planes_of

    clip = encoded(av, tmp_path / "clip.mkv", encoder, pixel_format)
    count = 0
    with av.open(str(clip)) as software, Nvdec().open(clip) as hardware:
        hardware.streams.video[0].codec_context.thread_count = 1
        frames = hardware.decode(video=0)
        for expected, found in zip(software.decode(video=0), frames, strict=True):
            assert found.pts == expected.pts
            Nvdec().check(found)
            theirs, ours = planes_of(found), planes_of(expected)
            torch.cuda.default_stream().synchronize()
            for there, here in ((theirs.luma, ours.luma), (theirs.chroma, ours.chroma)):
                on_device = torch.utils.dlpack.from_dlpack(there.__dlpack__())
                assert on_device.is_cuda
                np.testing.assert_array_equal(
                    on_device.cpu().numpy(), torch.from_dlpack(here).numpy()
                )
            count += 1
    assert count == 30


def decoded(av: Any, path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="yuv420p").to_ndarray() for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("model", ["gladnet", "gladnet-fast"])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_file_by_way_of_the_gpu_is_that_by_way_of_the_host(
    av: Any, tmp_path: Path, model: str, strength: float
) -> None:
    need_nvdec("h264")
    from streamlight.api import enhance_file
    from streamlight.look import Look
    from streamlight.sinks import EncoderOptions

    results = {}
    with Enhancer.open(model, "cuda", parallel=2) as enhancer:
        for hwaccel in ("none", "cuda"):
            target = tmp_path / f"{hwaccel}.mkv"
            done = enhance_file(
                NIGHT,
                target,
                enhancer=enhancer,
                look=Look(strength),
                encoder=EncoderOptions(codec="ffv1"),
                hwaccel=hwaccel,
            )
            assert done.report.frames_out > 10
            if hwaccel == "cuda":
                assert "stay on the GPU; each is downloaded once" in done.notes[0], done.notes
            results[hwaccel] = decoded(av, target)
    assert len(results["cuda"]) == len(results["none"])
    for found, expected in zip(results["cuda"], results["none"], strict=True):
        apart = np.abs(found.astype(int) - expected)
        assert apart.max() <= 6  # of the darkest, where RGB of 8 bits was rounded before
        assert (apart > 2).mean() < 0.002


def test_nvenc_takes_the_pictures_where_they_are(av: Any, tmp_path: Path) -> None:
    need_nvdec("h264")
    from streamlight.api import enhance_file
    from streamlight.sinks import EncoderOptions
    from streamlight.sinks.encoders import probe_encoder

    if reason := probe_encoder("h264_nvenc", "nv12", device=0).detail:
        pytest.skip(f"NVENC: {reason}")
    results = {}
    with Enhancer.open("gladnet-fast", "cuda", parallel=2) as enhancer:
        for encoder, crf in (("libx264", 1), ("h264_nvenc", 1)):
            target = tmp_path / f"{encoder}.mp4"
            options = EncoderOptions(encoder=encoder, crf=crf)
            done = enhance_file(NIGHT, target, enhancer=enhancer, encoder=options, hwaccel="cuda")
            results[encoder] = decoded(av, target)
        assert "h264_nvenc encodes them there" in done.notes[0], done.notes
    assert len(results["h264_nvenc"]) == len(results["libx264"])
    for found, expected in zip(results["h264_nvenc"], results["libx264"], strict=True):
        # both are nearly lossless; chroma in a wrong place would be far off
        assert np.abs(found.astype(int) - expected).mean() < 1.5


def test_memory_does_not_grow_while_pictures_stay_there(av: Any, tmp_path: Path) -> None:
    need_nvdec("h264")
    from streamlight.api import enhance_file
    from streamlight.sinks import EncoderOptions

    clip = encoded(av, tmp_path / "clip.mp4", "libx264", "yuv420p", frames=500)
    options = EncoderOptions(preset="ultrafast")
    seen = []
    with Enhancer.open("gladnet-fast", "cuda", parallel=2) as enhancer:
        for number in range(5):  # 2,500 frames
            target = tmp_path / f"{number}.mp4"
            done = enhance_file(clip, target, enhancer=enhancer, encoder=options, hwaccel="cuda")
            assert "stay on the GPU" in done.notes[0], done.notes
            seen.append(torch.cuda.mem_get_info()[0])  # what PyAV takes counts too
    assert seen[-1] >= seen[0] - 32e6, seen
