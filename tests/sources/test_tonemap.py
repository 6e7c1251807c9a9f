"""The tone mapper that runs on frames, against the exact formulae and against zimg."""

import subprocess
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from ffprobe import needs_ffmpeg
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import SourceError
from streamlight.hdr import (
    HdrMetadata,
    hlg_of_scene,
    pq_of_nits,
    scene_of_nits,
    sdr_of_hdr,
)
from streamlight.sources.rgb import RgbConverter, color_of
from streamlight.sources.tonemap import ToneMapper, hdr_metadata_of, is_hdr

PQ, HLG = 16, 18
SHARED = Path(__file__).parents[3] / "shared" / "video"
RAMP = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)


def hdr(transfer: int, primaries: int = 9) -> ColorSpec:
    return ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, primaries, transfer)


def exact(image: NDArray[np.uint16], transfer: int, peak_nits: float = 1000) -> NDArray[np.float64]:
    """In levels of 8 bits."""
    return sdr_of_hdr(image / 65535, transfer, 9, peak_nits) * 255


def natural_colors(transfer: int) -> NDArray[np.uint16]:
    """Lights of 0.005 to 1000 nits in colours as pictures have them, coded in HDR."""
    rng = np.random.default_rng(3)
    light = 10 ** rng.uniform(-2.3, 2.7, (96, 128, 1)) * rng.uniform(0.4, 1, (96, 128, 3))
    signal = pq_of_nits(light) if transfer == PQ else hlg_of_scene(scene_of_nits(light))
    return np.rint(signal * 65535).astype(np.uint16)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_greys_are_exact_to_a_third_of_a_level(transfer: int) -> None:
    image = RAMP[..., None].repeat(3, axis=2)
    error = ToneMapper(hdr(transfer))(image) / 257 - exact(image, transfer)
    assert np.abs(error).max() < 0.33
    assert np.abs(error).mean() < 0.04


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_colours_are_those_of_the_formulae(transfer: int) -> None:
    image = natural_colors(transfer)
    error = np.abs(ToneMapper(hdr(transfer))(image) / 257 - exact(image, transfer))
    assert error.mean() < 0.12
    assert np.quantile(error, 0.99) < 1.2


@needs_ffmpeg
@pytest.mark.parametrize(("transfer", "name"), [(PQ, "smpte2084"), (HLG, "arib-std-b67")])
def test_below_the_knee_zimg_makes_the_same(transfer: int, name: str) -> None:
    """Debian's zscale has no tone curve, so it can judge all the rest; of HLG, only greys.

    It raises the channels of HLG one by one to 1.2, where BT.2100 raises luminance.
    """
    rng = np.random.default_rng(0)
    light = rng.random((64, 64, 1)) ** 3 * 75 * np.ones(3)
    if transfer == PQ:
        light *= 1 + 0.3 * (rng.random((64, 64, 3)) - 0.5)
    signal = pq_of_nits(light) if transfer == PQ else hlg_of_scene(scene_of_nits(light))
    image = np.rint(signal * 65535).astype(np.uint16)
    chain = f"zscale=tin={name}:pin=bt2020:min=gbr:rin=full"
    chain += ":t=linear:m=gbr:p=bt2020:r=full:npl=203,format=gbrpf32le"
    chain += ",zscale=pin=bt2020:tin=linear:min=gbr:rin=full:p=bt709:t=bt709:m=gbr:r=full:npl=203"
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gbrp16le", "-s", "64x64"]
    command += ["-i", "-", "-vf", f"{chain},format=gbrp16le", "-f", "rawvideo", "-"]
    planes = np.moveaxis(image[..., (1, 2, 0)], -1, 0).tobytes()
    done = subprocess.run(command, input=planes, stdout=subprocess.PIPE, check=True)
    theirs = np.frombuffer(done.stdout, "<u2").reshape(3, 64, 64)[[2, 0, 1]].transpose(1, 2, 0)
    assert np.abs(exact(image, transfer) - theirs / 257).max() < 0.2
    assert np.abs(ToneMapper(hdr(transfer))(image) / 257.0 - theirs / 257).mean() < 0.3


def test_the_peak_of_the_file_moves_the_curve() -> None:
    image = np.full((8, 8, 3), round(float(pq_of_nits(300)) * 65535), np.uint16)
    for peak, metadata in ((1000.0, None), (400.0, HdrMetadata(max_cll=400))):
        mapper = ToneMapper(hdr(PQ), metadata)
        assert mapper.peak_nits == peak
        np.testing.assert_allclose(mapper(image) / 257, exact(image, PQ, peak), atol=0.5)


def test_sizes_may_change_and_threads_may_share_it() -> None:
    mapper = ToneMapper(hdr(HLG))
    sizes = [(1, 1), (65, 33)]
    meant = {size: mapper(np.full((*size, 3), 20_000, np.uint16)) for size in sizes}
    wrong: list[tuple[int, int]] = []

    def work(size: tuple[int, int]) -> None:
        for _ in range(2):
            found = mapper(np.full((*size, 3), 20_000, np.uint16))
            if not np.array_equal(found, meant[size]):
                wrong.append(size)

    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(picture.shape == (*size, 3) for size, picture in meant.items())


def test_nothing_is_left_in_the_folder_of_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ToneMapper(hdr(PQ))(np.zeros((4, 4, 3), np.uint16))
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SourceError, match=r"tone mapping needs 8 MB .* TMPDIR"):
        ToneMapper(hdr(PQ))(np.zeros((4, 4, 3), np.uint16))


def test_it_says_what_it_does_and_takes_only_hdr() -> None:
    note = "is tone-mapped to SDR (BT.709); --hdr keep keeps it"
    assert ToneMapper(hdr(HLG)).note == f"HDR (HLG, BT.2020) {note}"
    assert ToneMapper(hdr(PQ, 2)).note == f"HDR (PQ, BT.2020) {note}"
    assert ToneMapper(hdr(PQ, 12)).note == f"HDR (PQ, primaries 12) {note}"
    assert is_hdr(hdr(PQ))
    with pytest.raises(ValueError, match="expected PQ or HLG, got transfer 1"):
        ToneMapper(hdr(1))


def test_the_metadata_of_a_file_are_read(tmp_path: Path) -> None:
    params = "log-level=none:repeat-headers=1:hdr10=1:max-cll=812,203:master-display="
    params += "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"
    path = tmp_path / "hdr10.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx265", 25, options={"x265-params": params})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p10le"
        video.codec_context.color_trc, video.codec_context.color_primaries = PQ, 9
        video.codec_context.colorspace = Matrix.BT2020_NCL
        for pts in range(3):  # of fewer, x265's decoding times are random
            frame = av.VideoFrame(64, 64, "yuv420p10le")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    with av.open(str(path)) as container:
        metadata = hdr_metadata_of(next(container.decode(video=0)))
    assert metadata == HdrMetadata(
        mastering_max_nits=4000.0,
        mastering_min_nits=0.005,
        mastering_primaries=((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
        mastering_white=(0.3127, 0.329),
        max_cll=812,
        max_fall=203,
    )
    assert hdr_metadata_of(av.VideoFrame(16, 16, "yuv420p")) is None


def test_a_real_picture_is_within_a_tenth_of_a_level_on_average() -> None:
    path = SHARED / "hlg10_rotated_editlist_1080p.mp4"
    if not path.exists():
        pytest.skip("the shared clips are not here")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        color = color_of(frame)
    image = RgbConverter(deep=True)(frame, color)[::6, ::6]
    found = ToneMapper(color)(image) / 257
    error = np.abs(found - exact(image, HLG))
    assert error.mean() < 0.12
    assert np.quantile(error, 0.999) < 5
    assert 100 < found.mean() < 200
