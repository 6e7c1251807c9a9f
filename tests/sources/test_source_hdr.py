"""Deep and HDR files: 16-bit frames, mapped to SDR or kept, and what the file says of itself."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ffprobe import needs_ffmpeg

from streamlight.color import ColorSpec, Matrix, Primaries, Range, Transfer
from streamlight.errors import UsageError
from streamlight.sources import FileSource

SHARED = Path(__file__).parents[3] / "shared" / "video"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent here")

MASTERING = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):"
    "max-cll=800,300"
)


def make_deep(path: Path, transfer: str = "smpte2084", pixel_format: str = "yuv420p10le") -> Path:
    """A ramp in 10 bits, tagged as BT.2020."""
    tags = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited"
    mastering = f":{MASTERING}" if transfer == "smpte2084" else ""
    command: list[Any] = ["/usr/bin/env", "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i"]
    ramp = f"color=s=128x64:r=25:d=0.2,format={pixel_format},geq=lum=64+X*6:cb=512:cr=512"
    command += [ramp, "-c:v", "libx265", "-pix_fmt", pixel_format, "-x265-params"]
    command += [f"{tags}{mastering}:lossless=1:log-level=none", path]
    subprocess.run(command, check=True)
    return path


@needs_ffmpeg
def test_more_than_8_bits_come_as_16(tmp_path: Path) -> None:
    with FileSource(make_deep(tmp_path / "deep.mp4", "bt709")) as source:
        assert source.info.bits == 10
        assert source.notes == []
        frames = list(source)
    assert len(frames) == 5
    image = frames[0].image
    assert image.dtype == np.uint16
    assert image.shape == (64, 128, 3)
    levels = image[32, :, 1].astype(float) / 65535 * 876  # 10 bits, limited range
    np.testing.assert_allclose(levels, np.arange(128) * 6, atol=1)


@needs_ffmpeg
@pytest.mark.parametrize("transfer", [Transfer.PQ, Transfer.HLG])
def test_hdr_becomes_sdr_unless_it_is_kept(tmp_path: Path, transfer: Transfer) -> None:
    name = "smpte2084" if transfer == Transfer.PQ else "arib-std-b67"
    clip = make_deep(tmp_path / "hdr.mp4", name)
    with FileSource(clip) as source:
        assert source.info.color == ColorSpec(
            Matrix.BT709, Range.LIMITED, Primaries.BT709, Transfer.BT709
        )
        assert source.info.bits == 10
        assert len(source.notes) == 1
        assert source.notes[0].startswith("HDR (")
        mapped = next(iter(source)).image
    with FileSource(clip, hdr="keep") as source:
        assert source.info.color == ColorSpec(
            Matrix.BT2020_NCL, Range.LIMITED, Primaries.BT2020, transfer
        )
        assert source.notes == []
        kept = next(iter(source)).image
    assert mapped.dtype == kept.dtype == np.uint16
    assert mapped[32, 100, 1] > 1.1 * kept[32, 100, 1], "SDR is brighter in its numbers"


@needs_ffmpeg
def test_what_the_file_says_of_its_brightness_is_read(tmp_path: Path) -> None:
    with FileSource(make_deep(tmp_path / "pq.mp4")) as source:
        hdr = source.hdr
    assert hdr is not None
    assert hdr.mastering_max_nits == pytest.approx(1000)
    assert hdr.mastering_min_nits == pytest.approx(0.005)
    assert (hdr.max_cll, hdr.max_fall) == (800, 300)


@needs_ffmpeg
def test_a_resumed_or_trimmed_source_is_mapped_as_the_whole_is(tmp_path: Path) -> None:
    clip = make_deep(tmp_path / "pq.mp4")
    with FileSource(clip) as source:
        frames, info = list(source), source.info
    with FileSource(clip, resume_after_pts=frames[2].pts, resume_index=3) as source:
        rest = list(source)
        assert source.info == info
    assert [f.image.tobytes() for f in rest] == [f.image.tobytes() for f in frames[3:]]


@needs_shared
def test_the_base_layer_of_dolby_vision_is_used_and_its_data_streams_are_named() -> None:
    clip = SHARED / "hlg10_rotated_editlist_1080p.mp4"
    with FileSource(clip, end_s=0.1) as source:
        assert source.notes == [
            "Dolby Vision: the base layer is used",
            "HDR (HLG, BT.2020) is tone-mapped to SDR (BT.709); --hdr keep keeps it",
            "data stream 2 (unknown codec) is not copied",
            "data stream 3 (unknown codec) is not copied",
        ]
        assert source.info.bits == 10


def test_an_unknown_way_is_refused_before_the_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--hdr maybe: choose one of tonemap, keep"):
        FileSource(tmp_path / "missing.mp4", hdr="maybe")  # type: ignore[arg-type]
