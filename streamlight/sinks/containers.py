"""The containers that can be written: one row each, and what each can state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamlight.errors import SinkError, UsageError

_ALL = frozenset({"h264", "hevc", "av1", "vp9", "prores", "ffv1"})
_PICTURES_ELSEWHERE = frozenset({"h264", "hevc", "av1", "vp9"})
"""Codecs whose own stream states matrix and range."""

_BROADCAST = frozenset(
    {"h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4", "vc1", "cavs"}
    | {"mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m"}
    | {"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}
)
"""Codecs with a stream type of their own in MPEG-TS."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container.

    Attributes:
        extension: with its point.
        muxer: libavformat's name.
        codecs: of the picture that players expect in it.
        default_codec: for 8 bits.
        deep_codec: for more than 8 bits.
        text: the codec to convert text subtitles to; None where it holds none.
        tags: four letters to name a codec by, where libavformat's choice does not play.
        states_range: whether the container itself states the range of the samples.
        states_matrix: whether the container itself states the matrix.
        states_shape: whether it states the shape of the pixels, as PyAV writes it.
        holds_rotation: whether it can tell a player to turn the picture.
        holds_attachments: whether it holds files such as fonts.
        holds_timecode: whether a `timecode` tag becomes a timecode that players read.
        holds_covers: how a cover picture goes in: "stream", "attachment" or not ("").
        side_codecs: of the sound, subtitles and further video; None to believe libavformat, which
            writes what it does not know into a transport stream as private data.
        data_codecs: of data streams; libavformat's QuickTime takes any, and names most of them
            wrongly.
        holds_tags: whether it holds a title and other metadata of the recording.
        holds_chapters: whether it holds those.
        has_fixed_rate: whether it numbers pictures instead of timing them.
    """

    extension: str
    muxer: str
    codecs: frozenset[str]
    default_codec: str = "h264"
    deep_codec: str = "hevc"
    text: str | None = None
    tags: Mapping[str, str] | None = None
    states_range: bool = False
    states_matrix: bool = True
    states_shape: bool = False
    holds_rotation: bool = True
    holds_attachments: bool = False
    holds_timecode: bool = False
    holds_covers: str = ""
    side_codecs: frozenset[str] | None = None
    data_codecs: frozenset[str] = frozenset()
    holds_tags: bool = True
    holds_chapters: bool = True
    has_fixed_rate: bool = False

    def states_shape_of(self, codec: str) -> bool:
        """Whether a reader learns the shape of the pixels."""
        return self.states_shape or codec in ("h264", "hevc")

    def states_color_of(self, codec: str) -> tuple[bool, bool]:
        """Whether a reader learns matrix and range, from the container or from the stream."""
        in_stream = codec in _PICTURES_ELSEWHERE
        return (
            in_stream or self.states_matrix or codec == "prores",
            in_stream or (self.states_range and codec != "prores"),
        )


_HVC1 = {"hevc": "hvc1"}  # "hev1", libavformat's choice, does not play on Apple's systems

_CAMERA_DATA = frozenset({"bin_data"})  # GoPro's and Sony's, by their own four letters


def _mp4(extension: str) -> Container:
    return Container(
        extension,
        "mp4",
        _ALL - {"prores"},
        text="mov_text",
        tags=_HVC1,
        states_range=True,
        states_shape=True,
        holds_timecode=True,
        holds_covers="stream",
        data_codecs=_CAMERA_DATA,
    )


_ROWS = (
    _mp4(".mp4"),
    _mp4(".m4v"),
    Container(
        ".mov",
        "mov",
        frozenset({"h264", "hevc", "prores"}),
        text="mov_text",
        tags=_HVC1,
        states_shape=True,
        holds_timecode=True,
        data_codecs=_CAMERA_DATA,
    ),
    Container(
        ".mkv",
        "matroska",
        _ALL,
        text="subrip",
        states_range=True,
        holds_attachments=True,
        holds_timecode=True,
        holds_covers="attachment",
    ),
    Container(
        ".webm",
        "webm",
        frozenset({"vp9", "av1"}),
        default_codec="vp9",
        deep_codec="av1",
        text="webvtt",
        states_range=True,
        holds_timecode=True,
    ),
    Container(
        ".avi",
        "avi",
        frozenset({"h264", "ffv1"}),
        deep_codec="h264",
        states_matrix=False,
        holds_rotation=False,
        holds_chapters=False,
        has_fixed_rate=True,
    ),
    Container(
        ".ts",
        "mpegts",
        frozenset({"h264", "hevc"}),
        states_matrix=False,
        holds_rotation=False,
        holds_tags=False,
        holds_chapters=False,
        side_codecs=_BROADCAST,
        data_codecs=frozenset({"klv", "timed_id3", "scte_35"}),
    ),
)

CONTAINERS: Mapping[str, Container] = {row.extension: row for row in _ROWS}
"""The containers by the output's extension."""


def extensions_for(codec: str) -> list[str]:
    """List the extensions of the containers that hold a codec."""
    return [row.extension for row in _ROWS if codec in row.codecs]


def check_target(target: Path, source: Path | None = None) -> Container:
    """Check that a file can be an output, before anything is opened; return its container.

    Raises:
        SinkError: the extension is unknown.
        UsageError: input and output are the same file.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        known = ", ".join(CONTAINERS)
        raise SinkError(f"{target}: unknown extension {target.suffix!r}; choose one of {known}")
    # os.path.exists, because that of Path raises where a name is too long or a folder is closed
    exist = source is not None and os.path.exists(target) and os.path.exists(source)
    if exist and source is not None and target.samefile(source):
        raise UsageError(f"{target}: input and output are the same file")
    return container


def muxer_options(container: Container, metadata: Mapping[str, str]) -> dict[str, str]:
    """Put the index first, so that a browser can start; keep keys that MP4 has no atom for.

    MP4 notes when a stream starts in ticks of the movie, by default 1 ms, which would move the
    sound by up to half of one; 1/90000 s keeps it within 6 us.
    """
    if container.muxer not in ("mp4", "mov"):
        return {}
    flags = "+faststart"
    if any("." in key for key in metadata):
        flags += "+use_metadata_tags"
    return {"movflags": flags, "movie_timescale": "90000"}
