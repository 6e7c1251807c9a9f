"""A chain of filters between the network and the encoder."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ffprobe import Probe, needs_ffmpeg, psnr_db
from made_source import MadeSource

from streamlight.errors import UsageError
from streamlight.sinks import EncoderOptions

pytestmark = needs_ffmpeg

FINE = EncoderOptions(crf=1)


def test_the_pictures_pass_through_the_chain(tmp_path: Path) -> None:
    source = MadeSource(pixel_format_name="yuv444p")
    source.write(tmp_path / "out.mkv", FINE, post_filter="hflip,vflip")
    turned = np.stack([source.image(index)[::-1, ::-1] for index in range(8)])
    assert psnr_db(turned, Probe(tmp_path / "out.mkv").decode()) > 45


@pytest.mark.parametrize(
    ("chain", "size"),
    [
        ("scale=32:24", (32, 24)),
        ("transpose=clock", (48, 64)),
        ("scale=33:35", (33, 35)),
    ],
)
def test_the_encoder_is_opened_for_what_comes_out(
    tmp_path: Path, chain: str, size: tuple[int, int]
) -> None:
    sink = MadeSource().write(tmp_path / "out.mp4", FINE, post_filter=chain)
    video = Probe(tmp_path / "out.mp4").video
    assert (video["width"], video["height"]) == sink.size == size
    assert video["pix_fmt"] == ("yuv444p" if size[0] % 2 else "yuv420p")


def test_depth_is_kept_through_a_chain(tmp_path: Path) -> None:
    source = MadeSource(pixel_format_name="yuv422p10le")
    source.write(tmp_path / "out.mkv", post_filter="hue=s=0.5")
    assert Probe(tmp_path / "out.mkv").video["pix_fmt"] == "yuv422p10le"


def test_times_come_from_the_chain(tmp_path: Path) -> None:
    MadeSource().write(tmp_path / "twice.mp4", FINE, post_filter="fps=50")
    twice = Probe(tmp_path / "twice.mp4")
    assert twice.frame_times_s == pytest.approx([index / 50 for index in range(16)])
    assert Fraction(twice.video["avg_frame_rate"]) == 50
    MadeSource().write(tmp_path / "half.mp4", FINE, post_filter="select=mod(n\\,2)")
    half = Probe(tmp_path / "half.mp4")
    assert half.frame_times_s == pytest.approx([0.04, 0.12, 0.20, 0.28])


def test_what_a_chain_holds_back_comes_at_the_end(tmp_path: Path) -> None:
    MadeSource().write(tmp_path / "out.mp4", FINE, post_filter="atadenoise=s=5")
    assert len(Probe(tmp_path / "out.mp4").frame_times_s) == 8


def test_the_shape_of_pixels_follows_the_chain(tmp_path: Path) -> None:
    source = MadeSource(sample_aspect_ratio=Fraction(4, 3))
    source.write(tmp_path / "out.mkv", FINE, post_filter="scale=32:48")
    assert Probe(tmp_path / "out.mkv").video["sample_aspect_ratio"] == "8:3"


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("nosuch=1", "No such filter: 'nosuch'"),
        ("scale=w=", "Invalid size ''"),
        ("scale=bogus=1", "[Oo]ption 'bogus' not found|No such option|Option not found"),
        ("split[a][b]", "makes branches"),
    ],
)
def test_a_mistake_is_said_in_libavfilters_words_and_leaves_nothing(
    tmp_path: Path, chain: str, words: str
) -> None:
    with pytest.raises(UsageError, match=rf"--post-filter {re.escape(chain)}: .*({words})"):
        MadeSource().write(tmp_path / "out.mp4", post_filter=chain)
    assert list(tmp_path.iterdir()) == []
