"""What a written file must have in common with its source, as ffprobe and ffmpeg see both."""

import re
from pathlib import Path

import numpy as np
from ffprobe import Probe, mean_error, psnr_db

from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

LOSSLESS = EncoderOptions(crf=0, preset="ultrafast")
NEARLY_LOSSLESS = EncoderOptions(crf=1, preset="ultrafast")

_FFMPEG_NAMES = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470"}
"""What the option of ffmpeg's scale filter calls the matrices that are guessed."""

_RECORDING = ("title", "comment", "artist", "creation_time", "location", "date")


def copy_clip(
    source: Path,
    target: Path,
    options: EncoderOptions = NEARLY_LOSSLESS,
    *,
    overwrite: bool = False,
) -> list[str]:
    """Decode and encode without a network between; return the source's notes."""
    with (
        FileSource(source) as frames,
        FileSink(target, frames, options, overwrite=overwrite) as sink,
    ):
        for frame in frames:
            sink.write(frame)
        sink.finish()
        return list(frames.notes)


def assert_same_times(source: Probe, target: Probe) -> None:
    """Same number of frames, each shown at the same time; 1 ms is Matroska's unit.

    The clock of a transport stream starts anywhere; what it starts at is taken off.
    """
    before, after = source.frame_times_s, target.frame_times_s
    assert len(after) == len(before)
    moved_s = _moved_s(source)
    tolerance_s = 0.6e-3 if "matroska" in target.format["format_name"] else 20e-6
    np.testing.assert_allclose(after, np.array(before) - moved_s, rtol=0, atol=tolerance_s)


def assert_same_side_streams(source: Probe, target: Probe) -> None:
    """Sound and subtitles are byte for byte the same, at the same times, with the same names."""
    before, after = (p.of_type("audio", "subtitle") for p in (source, target))
    assert [s["codec_name"] for s in after] == [s["codec_name"] for s in before]
    for one, other in zip(before, after, strict=True):
        packets, copies = source.packets(one["index"]), target.packets(other["index"])
        assert [p.digest for p in copies] == [p.digest for p in packets]
        # of a time that is not stated, the muxer makes one
        times = [
            (p.pts_s, c.pts_s) for p, c in zip(packets, copies, strict=True) if p.pts_s is not None
        ]
        moved = np.array([c - p for p, c in times if c is not None]) + _moved_s(source)
        assert len(moved) == len(times)
        assert np.abs(moved).max() < 1e-3
        _assert_same_tags(one, other)
        if "matroska" not in source.format["format_name"]:
            continue  # only Matroska states the dispositions; others imply them
        if "matroska" in target.format["format_name"]:
            assert other["disposition"] == one["disposition"]


def assert_same_description(source: Probe, target: Probe) -> None:
    """Rotation, shape of the pixels, title and date are the same; colours, where stated."""
    assert target.rotation == source.rotation
    before, after = source.video, target.video
    assert (after["width"], after["height"]) == (before["width"], before["height"])
    assert after.get("sample_aspect_ratio", "1:1") == before.get("sample_aspect_ratio", "1:1")
    for key in ("color_space", "color_range", "color_transfer", "color_primaries"):
        if before.get(key, "unknown") not in ("unknown", "gbr"):
            assert after.get(key) == before[key], key
    tags = {key.lower(): value for key, value in target.tags.items()}
    for key, value in source.tags.items():
        if key.lower() in _RECORDING:
            assert _plain(tags.get(key.lower())) == _plain(value)


def assert_same_pictures(source: Probe, target: Probe, least_psnr_db: float = 45.0) -> None:
    """Decoded by ffmpeg, the pictures are nearly the same, and no colour drifts."""
    is_stated = source.video.get("color_space", "unknown") != "unknown"
    guess = "auto" if is_stated else _FFMPEG_NAMES[target.video["color_space"]]
    before, after = source.decode(matrix=guess), target.decode()
    assert psnr_db(before, after) >= least_psnr_db
    assert np.abs(mean_error(before, after)).max() < 0.5


def _plain(value: str | None) -> str | None:
    """Write a time in one way: "2016-05-31 17:01:35" and "2016-05-31T17:01:35.000000Z"."""
    is_time = value is not None and re.fullmatch(r"\d{4}-\d\d-\d\d[ T][\d:]{8}.*", value)
    return value[:19].replace(" ", "T") if value is not None and is_time else value


def _assert_same_tags(one: dict[str, dict[str, str]], other: dict[str, dict[str, str]]) -> None:
    before, after = one.get("tags", {}), other.get("tags", {})
    for key in ("language", "title"):
        if before.get(key, "und") != "und":
            assert after.get(key) == before[key], key


def _moved_s(source: Probe) -> float:
    """What the output starts earlier by."""
    return float(source.format["start_time"]) if "mpeg" in source.format["format_name"] else 0.0
