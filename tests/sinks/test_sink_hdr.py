"""HDR that stays HDR: tags, mastering display and light levels, as ffprobe reads them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.sidedata.sidedata import Type as SideDataType
from ffprobe import needs_ffmpeg
from made_source import MadeSource

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.hdr import HdrMetadata
from streamlight.sinks import EncoderOptions

pytestmark = needs_ffmpeg

PQ = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, primaries=9, transfer=16)
HLG = replace(PQ, transfer=18)
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
METADATA = HdrMetadata(1000, 0.005, BT2020, (0.3127, 0.3290), 987, 321)


def deep(color: ColorSpec = PQ, hdr: HdrMetadata | None = METADATA) -> MadeSource:
    return MadeSource(pixel_format_name="yuv420p10le", color=color, hdr=hdr, pts=range(12))


def first_frame(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_frames", "-read_intervals", "%+#1", "-of", "json"]
    found = subprocess.run([*command, str(path)], check=True, capture_output=True).stdout
    frame: dict[str, Any] = json.loads(found)["frames"][0]
    return frame


def side_data(path: Path) -> dict[str, dict[str, Any]]:
    frame = first_frame(path)
    return {item["side_data_type"]: item for item in frame.get("side_data_list", [])}


@pytest.mark.parametrize(
    ("codec", "extension"),
    [
        *[("hevc", extension) for extension in (".mp4", ".mov", ".mkv", ".ts")],
        *[("av1", extension) for extension in (".mp4", ".mkv", ".webm")],
    ],
)
def test_the_display_and_the_light_levels_are_written(
    tmp_path: Path, codec: str, extension: str
) -> None:
    sink = deep().write(tmp_path / f"out{extension}", EncoderOptions(codec=codec))
    assert sink.notes == []
    data = side_data(tmp_path / f"out{extension}")
    display = data["Mastering display metadata"]
    names = ("red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y")
    points = [float(Fraction(display[name])) for name in names]
    assert points == pytest.approx([number for point in BT2020 for number in point], abs=2e-5)
    white = [float(Fraction(display[name])) for name in ("white_point_x", "white_point_y")]
    assert white == pytest.approx((0.3127, 0.3290), abs=2e-5)
    assert float(Fraction(display["max_luminance"])) == pytest.approx(1000)
    assert float(Fraction(display["min_luminance"])) == pytest.approx(0.005, abs=1e-4)
    light = data["Content light level metadata"]
    assert (light["max_content"], light["max_average"]) == (987, 321)


def test_x264_writes_them_too(tmp_path: Path) -> None:
    """Ffprobe reads them from H.264 since its version 6 only; PyAV's libavcodec does."""
    deep().write(tmp_path / "out.mkv", EncoderOptions(codec="h264"))
    with av.open(str(tmp_path / "out.mkv")) as container:
        frame = next(container.decode(video=0))
    kinds: set[Any] = {item.type for item in frame.side_data}  # type: ignore[attr-defined]
    assert SideDataType.MASTERING_DISPLAY_METADATA in kinds
    assert SideDataType.CONTENT_LIGHT_LEVEL in kinds


@pytest.mark.parametrize(("color", "name"), [(PQ, "smpte2084"), (HLG, "arib-std-b67")])
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "prores", "ffv1"])
def test_the_tags_of_hdr_are_written(
    tmp_path: Path, color: ColorSpec, name: str, codec: str
) -> None:
    deep(color, None).write(tmp_path / "out.mkv", EncoderOptions(codec=codec))
    frame = first_frame(tmp_path / "out.mkv")
    assert frame["color_transfer"] == name
    assert (frame["color_space"], frame["color_primaries"]) == ("bt2020nc", "bt2020")


@pytest.mark.parametrize("codec", ["prores", "ffv1"])
def test_metadata_that_an_encoder_cannot_write_are_named(tmp_path: Path, codec: str) -> None:
    sink = deep().write(tmp_path / "out.mkv", EncoderOptions(codec=codec))
    (note,) = sink.notes
    assert note.startswith("the HDR metadata is left out: ")


def test_light_levels_alone_are_written(tmp_path: Path) -> None:
    deep(hdr=HdrMetadata(max_cll=600)).write(tmp_path / "out.mkv")
    data = side_data(tmp_path / "out.mkv")
    assert data["Content light level metadata"]["max_content"] == 600
    assert "Mastering display metadata" not in data


def test_sdr_made_of_hdr_has_no_hdr_metadata(tmp_path: Path) -> None:
    sdr = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1)
    deep(sdr).write(tmp_path / "out.mkv")
    assert not any(
        "light" in name or "Mastering" in name for name in side_data(tmp_path / "out.mkv")
    )


def test_parameters_of_the_person_stand_beside_those_of_hdr(tmp_path: Path) -> None:
    options = EncoderOptions(extra=("x265-params=ref=2:max-cll=55,44",))
    deep().write(tmp_path / "out.mkv", options)
    light = side_data(tmp_path / "out.mkv")["Content light level metadata"]
    assert (light["max_content"], light["max_average"]) == (55, 44)
