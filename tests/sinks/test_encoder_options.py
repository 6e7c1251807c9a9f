"""What can be asked of the encoder: what reaches it, and what is refused before the first frame."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from ffprobe import Probe, needs_ffmpeg
from made_source import MadeSource

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.errors import UsageError
from streamlight.sinks import EncoderOptions
from streamlight.sinks import encoding as encoding_module
from streamlight.sinks.containers import CONTAINERS
from streamlight.sinks.encoder_table import ENCODERS
from streamlight.sinks.encoders import EncoderStatus, has_encoder, probe_encoder
from streamlight.sinks.encoding import Encoding, Picture, choose_encoding
from streamlight.sinks.options import parse_bitrate
from streamlight.sinks.pixel_formats import formats_of
from streamlight.sources.coding import Coding
from streamlight.thread_priority import no_raised_priority

SOFTWARE = [row for row in ENCODERS.values() if not row.is_hardware]


def choose(extension: str = ".mkv", *, source: str = "yuv420p", **options: Any) -> Encoding:
    layout = av.VideoFormat(source, 256, 192)
    picture = Picture(layout, layout.components[0].bits, (256, 192), Fraction(25))
    return choose_encoding(EncoderOptions(**options), CONTAINERS[extension], picture)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"codec": "h266"}, "--codec h266: choose one of auto, h264, hevc"),
        ({"encoder": "x264"}, "--encoder x264: choose one of auto, libx264"),
        ({"crf": -1}, "--crf -1: must be 0 or more"),
        ({"crf": float("nan")}, "--crf nan: must be 0 or more"),
        ({"bitrate": 5}, "--bitrate 5: must be at least 1k"),
        ({"crf": 20, "bitrate": 1_000_000}, "--crf and --bitrate contradict each other"),
        ({"gop": 0}, "--gop 0: must be 1 or more frames"),
        ({"extra": ("tune",)}, "--encoder-option tune: must be key=value"),
    ],
)
def test_values_that_can_never_be_are_refused_at_once(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EncoderOptions(**values)


@pytest.mark.parametrize(
    ("extension", "values", "message"),
    [
        (".mkv", {"crf": 52}, "--crf 52: of libx264 it must be between 0 and 51"),
        (".mkv", {"codec": "av1", "crf": 64}, "of libsvtav1 it must be between 1 and 63"),
        (".mkv", {"preset": "fastest"}, "of libx264, choose one of ultrafast, superfast"),
        (".mkv", {"codec": "av1", "preset": "slow"}, "of libsvtav1, choose one of 13, 12"),
        (".mkv", {"codec": "ffv1", "preset": "slow"}, "ffv1 has no --preset"),
        (".mov", {"codec": "prores", "crf": 20}, "prores_ks has no --crf; give --codec one"),
        (".mov", {"codec": "prores", "bitrate": 10**6}, "prores_ks has no --bitrate"),
        (".mkv", {"codec": "ffv1", "crf": 1}, "ffv1 has no --crf"),
        (".mp4", {"codec": "prores"}, "a .mp4 file cannot hold prores: .*or write .mov or .mkv"),
        (".webm", {"codec": "h264"}, "a .webm file cannot hold h264: choose one of av1, vp9, or"),
        (".avi", {"codec": "av1"}, "a .avi file cannot hold av1: choose one of h264, ffv1"),
        (".ts", {"codec": "vp9"}, "a .ts file cannot hold vp9"),
        (".mkv", {"encoder": "libx265", "codec": "h264"}, "libx265 writes hevc, not h264; choose"),
        (".mkv", {"pix_fmt": "yuv9"}, "--pix-fmt yuv9: there is no such pixel format"),
        (".mkv", {"codec": "av1", "pix_fmt": "yuv444p"}, "of libsvtav1, choose one of yuv420p"),
        (".mkv", {"extra": ("bogus=1",)}, "bogus: libx264 has no such option; it has .*crf"),
        (".mkv", {"extra": ("flags=+qscale",)}, "streamlight sets flags itself"),
    ],
)  # fmt: skip
def test_a_combination_that_cannot_work_is_refused_with_the_choices(
    extension: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose(extension, **values)


@pytest.mark.parametrize(
    ("codec", "extra", "message"),
    [
        ("h264", "x264-params=bogus=1", "libx264 says: Error parsing option 'bogus = 1'"),
        ("hevc", "x265-params=bogus=1", "libx265 says: Unknown option: bogus"),
        ("av1", "svtav1-params=bogus=1", "libsvtav1 says: Error parsing option bogus"),
        ("h264", "crf=abc", "libx264 cannot be opened: Unable to parse"),
        ("h264", "profile=baseline", "libx264 cannot be opened: Error setting profile baseline"),
    ],
)
def test_what_the_encoder_itself_refuses_is_said_in_its_words_and_leaves_nothing(
    tmp_path: Path, codec: str, extra: str, message: str
) -> None:
    options = EncoderOptions(codec=codec, pix_fmt=None, extra=(extra,))
    source = MadeSource(pixel_format_name="yuv444p" if codec == "h264" else "yuv420p")
    with pytest.raises(UsageError, match=message):
        source.write(tmp_path / "out.mkv", options)
    assert list(tmp_path.iterdir()) == []


def test_an_odd_size_is_refused_for_a_format_that_cannot_hold_it(tmp_path: Path) -> None:
    options = EncoderOptions(pix_fmt="yuv420p")
    with pytest.raises(UsageError, match=r"odd size 65x51; choose yuv444p, yuv444p10le"):
        MadeSource((65, 51)).write(tmp_path / "out.mp4", options)


def test_pictures_too_small_for_an_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="libx265 cannot encode 8x8; it needs 16 pixels a side"):
        MadeSource((8, 8)).write(tmp_path / "out.mkv", EncoderOptions(codec="hevc"))


@pytest.mark.parametrize("row", SOFTWARE, ids=lambda row: row.name)
def test_each_row_is_true_of_this_build(row: Any) -> None:
    """Default, ends of the range, every preset: the encoder opens with all of them."""
    assert has_encoder(row.name)
    assert probe_encoder(row.name).works
    assert formats_of(row)
    options: list[dict[str, str]] = [{row.preset_option: p} for p in row.presets]
    if row.quality:
        ends = (row.quality.lowest, row.quality.highest, row.quality.default)
        options += [{row.quality.option: f"{value:g}"} for value in ends]
    for chosen in options:
        context = av.CodecContext.create(row.name, "w")
        assert isinstance(context, av.video.codeccontext.VideoCodecContext)
        name = "yuv444p10le" if chosen.get("profile", "").startswith("4444") else formats_of(row)[0]
        context.width, context.height, context.pix_fmt = 64, 64, name
        context.time_base = Fraction(1, 25)
        context.options = {**row.options, **chosen}
        context.thread_count = 1
        with no_raised_priority():
            context.open()
        assert not context.options, "an option was not taken"


@pytest.mark.parametrize(
    ("text", "bits"), [("4M", 4_000_000), ("800k", 800_000), ("2.5m", 2_500_000), ("1000", 1000)]
)
def test_a_bit_rate_is_read_as_people_write_it(text: str, bits: int) -> None:
    assert parse_bitrate(text) == bits


@pytest.mark.parametrize("text", ["", "fast", "-1", "1G", "1e6"])
def test_a_bit_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be bits a second, such as 4M"):
        parse_bitrate(text)


def settings_of(path: Path) -> str:
    """X264 and x265 write their settings into the stream."""
    found = re.search(rb"x26[45][ -].*?(options: .*?)[\0\x80]", path.read_bytes(), re.DOTALL)
    assert found is not None
    return found[1].decode("latin-1")


def test_options_reach_x264(tmp_path: Path) -> None:
    options = EncoderOptions(
        crf=37, preset="ultrafast", gop=7, extra=("x264-params=ref=2", "qcomp=0.5")
    )
    MadeSource().write(tmp_path / "out.mkv", options)
    settings = settings_of(tmp_path / "out.mkv")
    for setting in ("crf=37.0", "cabac=0", "keyint=7", "ref=2", "qcomp=0.50"):
        assert setting in settings


def test_options_reach_x265(tmp_path: Path) -> None:
    options = EncoderOptions(codec="hevc", crf=31, gop=9, extra=("x265-params=ref=2",))
    MadeSource().write(tmp_path / "out.mkv", options)
    settings = settings_of(tmp_path / "out.mkv")
    for setting in ("crf=31.0", "keyint=9", "ref=2"):
        assert setting in settings


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_a_bit_rate_is_aimed_at(tmp_path: Path, codec: str) -> None:
    source = MadeSource((160, 120), pts=range(50))
    sizes = []
    for bitrate in (30_000, 300_000):
        target = tmp_path / f"{bitrate}.mkv"
        source.write(target, EncoderOptions(codec=codec, bitrate=bitrate))
        sizes.append(target.stat().st_size)
    assert sizes[1] > 1.5 * sizes[0]


@needs_ffmpeg
def test_key_frames_lie_no_further_apart_than_asked(tmp_path: Path) -> None:
    for codec in ("h264", "hevc", "vp9", "av1", "ffv1"):
        target = tmp_path / f"{codec}.mkv"
        MadeSource(pts=range(20)).write(target, EncoderOptions(codec=codec, gop=4))
        command = ["ffprobe", "-v", "error", "-show_entries", "packet=flags", "-of", "csv=p=0"]
        flags = subprocess.run([*command, str(target)], check=True, capture_output=True, text=True)
        keys = [i for i, line in enumerate(flags.stdout.split()) if line.startswith("K")]
        assert len(keys) >= 5, codec


@needs_ffmpeg
@pytest.mark.parametrize(
    ("preset", "tag"), [("proxy", "apco"), ("lt", "apcs"), ("hq", "apch"), ("4444", "ap4h")]
)
def test_the_preset_of_prores_is_its_profile(tmp_path: Path, preset: str, tag: str) -> None:
    source = MadeSource(pixel_format_name="yuv444p" if preset == "4444" else "yuv422p")
    source.write(tmp_path / "out.mov", EncoderOptions(codec="prores", preset=preset))
    assert Probe(tmp_path / "out.mov").video["codec_tag_string"] == tag


def only(working: str) -> Any:
    """Stand in for `probe_encoder` on a machine where one encoder works."""
    return lambda name, pixel_format=None: EncoderStatus(
        name, True, name == working, "" if name == working else "no such device"
    )


def test_hardware_is_used_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_module, "probe_encoder", only("h264_nvenc"))
    assert choose().encoder.name == "libx264"
    chosen = choose(encoder="auto")
    assert chosen.encoder.name == "h264_nvenc"
    assert chosen.encoder_note == "h264_nvenc encodes, in hardware"
    assert chosen.options == {"preset": "p4", "rc": "vbr", "cq": "23"}


def test_auto_falls_back_to_software_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_module, "probe_encoder", only("none"))
    chosen = choose(encoder="auto", crf=30)
    assert chosen.encoder.name == "libx264"
    assert re.search(r"h264_nvenc: no such device.*; libx264 does$", chosen.encoder_note)
    assert chosen.options["crf"] == "30"


def test_hardware_that_would_lose_something_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoding_module, "probe_encoder", only("hevc_nvenc"))
    chosen = choose(encoder="auto", source="yuv422p10le")
    assert chosen.encoder.name == "libx265"
    assert "hevc_nvenc does not hold 4:2:2 in 10 bits" in chosen.encoder_note
    assert choose(encoder="auto", source="yuv420p10le").encoder.name == "hevc_nvenc"


def test_an_encoder_that_this_build_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding_module, "has_encoder", lambda name: False)
    with pytest.raises(UsageError, match="not in this build of libav; `streamlight doctor` lists"):
        choose(encoder="h264_videotoolbox")


def test_a_hardware_encoder_without_its_driver_says_what_is_missing(tmp_path: Path) -> None:
    if probe_encoder("h264_nvenc").works:
        pytest.skip("this machine has NVENC")
    with pytest.raises(UsageError, match=r"h264_nvenc cannot be opened: .*libcuda"):
        MadeSource((256, 256)).write(tmp_path / "out.mp4", EncoderOptions(encoder="h264_nvenc"))


def test_copy_settings_takes_codec_depth_rate_and_profile_of_the_input(tmp_path: Path) -> None:
    def chosen(coding: Coding | None, extension: str = ".mkv", **options: Any) -> Encoding:
        layout = av.VideoFormat("yuv420p", 64, 48)
        picture = Picture(layout, 8, (64, 48), Fraction(25), coding)
        wanted = EncoderOptions(codec="copy-settings", **options)
        return choose_encoding(wanted, CONTAINERS[extension], picture)

    def coding(codec: str, profile: str | None = None, bit_rate: int | None = None) -> Coding:
        return Coding(codec, profile, bit_rate, "yuv420p", 12)

    found = chosen(coding("h264", "Main", 400_000))
    assert (found.encoder.name, found.bit_rate, found.gop) == ("libx264", 400_000, 12)
    assert found.options == {"preset": "veryfast", "profile": "main"}
    assert chosen(coding("hevc")).options["crf"] == "20"  # no bit rate is stated
    assert chosen(coding("prores", "LT"), ".mov").options["profile"] == "lt"
    assert chosen(coding("h264", None, 400_000), crf=30).options["crf"] == "30"
    old = chosen(coding("mpeg2video", None, 400_000))
    assert old.encoder.name == "libx264"
    assert old.notes == ("--codec copy-settings: there is no encoder for mpeg2video; auto is used",)
    assert chosen(None).encoder.name == "libx264"
    with pytest.raises(UsageError, match=r"the input is prores, which a .mp4 file cannot hold"):
        chosen(coding("prores"), ".mp4")


def test_the_matrix_of_constant_luminance_is_written_as_what_the_numbers_are(
    tmp_path: Path,
) -> None:
    source = MadeSource(color=ColorSpec(Matrix.BT2020_CL, Range.LIMITED, 9, 14))
    source.write(tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].codec_context.colorspace == Matrix.BT2020_NCL
