"""Whether a file that was written in several runs is like one that was written in one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import av
from clips import number_of
from fidelity import copy_clip

from streamlight.sinks import EncoderOptions, FileSink
from streamlight.sources import FileSource

_OF_SIZE = {"bit_rate", "size", "filename", "probe_score", "extradata_size", "BPS"}
"""What of a description says how well it was compressed."""

_OF_LAST = {"duration", "duration_ts", "avg_frame_rate"}
"""What MP4 states of a video by the packet decoded last, which depends on where B-frames lie."""


def write_at_once(
    clip: Path, target: Path, options: EncoderOptions | None = None, **reading: Any
) -> Path:
    """Write what an uninterrupted run of `FileSink` writes."""
    if not reading:
        copy_clip(clip, target, options or EncoderOptions())
        return target
    with FileSource(clip, **reading) as source, FileSink(target, source, options) as sink:
        for frame in source:
            sink.write(frame)
        sink.finish()
    return target


def assert_as_if_written_at_once(target: Path, reference: Path) -> None:
    """Same streams, tags, chapters, durations; same times, and same bytes beside the picture."""
    one, other = _described(target), _described(reference)
    for part in ("format", "chapters"):
        assert one[part] == other[part]
    assert _without_ends(one["streams"]) == _without_ends(other["streams"])
    for stream in one["streams"]:
        packets, expected = (_packets(found, stream["index"]) for found in (one, other))
        if stream["codec_type"] == "video":
            assert _shown(packets) == _shown(expected)
            assert [p.get("dts") for p in packets] == [p.get("dts") for p in expected]
        else:
            assert packets == expected


def numbers_of(path: Path) -> list[int]:
    """Read back, modulo 32, which frame of the clip each picture is."""
    with av.open(str(path)) as container:
        return [number_of(p.to_ndarray(format="rgb24")) for p in container.decode(video=0)]


def _shown(packets: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """When the pictures are shown, and for how long, as far as it is stated.

    AVI does not say when, and shows them as it decodes them.
    """
    return sorted(
        (packet["pts" if "pts" in packet else "dts"], packet.get("duration", 0))
        for packet in packets
    )


def _described(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format"]
    command += ["-show_chapters", "-show_packets", "-show_data_hash", "md5", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return dict(_without_sizes(found))


def _without_sizes(found: Any) -> Any:
    if isinstance(found, list):
        return [_without_sizes(item) for item in found]
    if isinstance(found, dict):
        return {k: _without_sizes(v) for k, v in found.items() if k not in _OF_SIZE}
    return found


def _without_ends(streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out when the video ends: the file as a whole says so, too."""
    return [
        {k: v for k, v in stream.items() if stream["codec_type"] != "video" or k not in _OF_LAST}
        for stream in streams
    ]


def _packets(found: dict[str, Any], stream: int) -> list[dict[str, Any]]:
    """Packets of a stream; where they lie in the file is left out."""
    return [
        {key: value for key, value in packet.items() if key != "pos"}
        for packet in found["packets"]
        if packet["stream_index"] == stream
    ]
