"""Chains of libavfilter: what comes out, what is known of it beforehand, and what is refused."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import bars, grey_picture, make_clip, number_of, to_frame

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UsageError
from streamlight.sources import FileSource
from streamlight.sources.filters import FilterChain, available_filters, split_chain

RATE = Fraction(25)
UNIT = 1 / RATE


def picture(index: int = 0, pixel_format: str = "yuv420p") -> av.VideoFrame:
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    frame = to_frame(grey_picture(index, 64, 48), pixel_format, color)
    frame.colorspace, frame.color_range = Matrix.BT709, Range.LIMITED
    frame.pts, frame.time_base = index, UNIT
    return frame


def chain_of(text: str) -> FilterChain:
    return FilterChain(
        text, "--filter", picture(), UNIT, sample_aspect_ratio=Fraction(4, 3), rate=RATE
    )


@pytest.mark.parametrize(
    ("text", "size", "aspect", "unit", "rate"),
    [
        ("null", (64, 48), Fraction(4, 3), UNIT, RATE),
        ("scale=32:-1, crop=16:16:0:0", (16, 16), Fraction(4, 3), UNIT, RATE),
        ("scale=96:48", (96, 48), Fraction(8, 9), UNIT, RATE),
        ("transpose", (48, 64), Fraction(3, 4), UNIT, RATE),
        ("setsar=1", (64, 48), Fraction(1), UNIT, RATE),
        ("fps=50", (64, 48), Fraction(4, 3), Fraction(1, 50), Fraction(50)),
        ("bwdif=mode=send_field", (64, 48), Fraction(4, 3), Fraction(1, 50), Fraction(50)),
        ("settb=1/90000", (64, 48), Fraction(4, 3), Fraction(1, 90_000), RATE),
        ("select='gt(n,3)',scale=16:8", (16, 8), Fraction(8, 9), UNIT, RATE),
    ],
)
def test_what_comes_out_is_known_beforehand(
    text: str, size: tuple[int, int], aspect: Fraction, unit: Fraction, rate: Fraction
) -> None:
    chain = chain_of(text)
    assert (chain.width, chain.height) == size
    assert (chain.sample_aspect_ratio, chain.time_base, chain.rate) == (aspect, unit, rate)
    out = [frame for i in range(8) for frame in chain.push(picture(i))]
    out += chain.flush()
    assert out
    assert {(frame.width, frame.height, frame.time_base) for frame in out} == {(*size, unit)}
    assert {frame.format.name for frame in out} == {chain.format.name}


def test_the_pixel_format_that_comes_out_is_known_beforehand() -> None:
    assert chain_of("format=gbrp").format.name == "gbrp"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hqdn4d", "No such filter: 'hqdn4d'"),
        ("null,hqdn4d=3", "No such filter: 'hqdn4d'"),
        ("unsharp=size=1", "No such option: size"),
        ("scale=w=wide:h=2", "Undefined constant or missing '(' in 'wide'"),
        ("crop=iw+10:2", "Invalid too big or non positive size for width '74' or height '2'"),
        ("color=red", "'color' takes no pictures and cannot stand in a chain"),
        ("null,nullsink", "'nullsink' gives no pictures and cannot stand in a chain"),
        ("split[a][b]", "'[' makes branches; only a plain chain of filters is taken"),
        ("null;null", "';' makes branches; only a plain chain of filters is taken"),
        ("", "No filter name where one was expected"),
        ("null,", "No filter name where one was expected"),
    ],
)
def test_a_wrong_chain_is_refused_once_in_the_words_of_libavfilter(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        chain_of(text)
    assert str(caught.value) == f"--filter {text}: {words}"


def test_a_filter_that_this_libav_lacks_is_refused_with_those_that_do_the_same() -> None:
    if "hqdn3d" in available_filters():
        pytest.skip("this build of libav has hqdn3d")
    with pytest.raises(UsageError, match=r"No such filter: 'hqdn3d'; .* has atadenoise, fftdnoiz"):
        chain_of("hqdn3d")


def test_every_filter_that_is_proposed_instead_is_there() -> None:
    from streamlight.sources.filters import _INSTEAD

    proposed = {n for names in _INSTEAD.values() for n in names.replace(" or ", ", ").split(", ")}
    assert proposed <= set(available_filters())


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("a", [("a", "", "")]),
        ("a=1:b=2,c", [("a", "", "1:b=2"), ("c", "", "")]),
        (" a = x , c ", [("a", "", "x"), ("c", "", "")]),
        (r"select=gt(n\,3),b", [("select", "", "gt(n,3)"), ("b", "", "")]),
        ("select='gt(n,3)',b", [("select", "", "gt(n,3)"), ("b", "", "")]),
        (r"drawtext=text='it'\\\''s'", [("drawtext", "", r"text=it\'s")]),
        ("a@one=2", [("a", "a@one", "2")]),
    ],
)
def test_quotes_and_backslashes_are_read_as_ffmpeg_reads_them(
    text: str, filters: list[tuple[str, str, str]]
) -> None:
    assert list(split_chain(text)) == filters


def test_pictures_pass_in_order_and_none_is_held_back_at_the_end() -> None:
    chain = chain_of("tmix=frames=1,bwdif=deint=interlaced")
    out = [frame.pts for i in range(8) for frame in chain.push(picture(i))]
    out += [frame.pts for frame in chain.flush()]
    assert [pts * chain.time_base for pts in out if pts is not None] == [i * UNIT for i in range(8)]


@pytest.mark.parametrize("matrix", [Matrix.BT709, Matrix.SMPTE170M])
@pytest.mark.parametrize("range_", [Range.LIMITED, Range.FULL])
def test_a_filter_that_needs_rgb_gets_the_colours_of_the_picture(matrix: int, range_: int) -> None:
    color = ColorSpec(matrix, range_)
    rgb = bars(0, 64, 48)
    first = to_frame(rgb, "yuv444p", color)
    first.colorspace, first.color_range, first.pts, first.time_base = matrix, range_, 0, UNIT
    chain = FilterChain("format=rgb24", "--filter", first, UNIT)
    out = [*chain.push(first), *chain.flush()]
    assert np.abs(out[0].to_ndarray().astype(int) - rgb).max() <= 5  # swscale's fast path


def test_a_source_is_filtered_before_it_becomes_rgb(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", sample_aspect_ratio=Fraction(4, 3))
    with FileSource(clip, filters="crop=32:24:0:0,scale=16:24") as source:
        assert (source.info.width, source.info.height) == (16, 24)
        assert source.sample_aspect_ratio == Fraction(8, 3)
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert frames[0].image.shape == (24, 16, 3)


def test_a_filter_may_change_the_rate(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=20)
    with FileSource(clip, filters="framestep=2") as source:
        assert source.info.rate == Fraction(25, 2)
        assert source.info.frame_count == 10
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(0, 20, 2))
    assert [frame.time_s for frame in frames] == pytest.approx([i * 0.08 for i in range(10)])


def test_a_wrong_filter_is_refused_before_a_frame_is_yielded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match=r"^--filter hqdn4d: No such filter: 'hqdn4d'$"):
        FileSource(clip, filters="hqdn4d")
