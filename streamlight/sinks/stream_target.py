"""Where a stream can be sent, and how libav is told: one row for each kind of URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from streamlight.errors import SinkError, UsageError
from streamlight.sinks.side_copies import MPEGTS_SOUND
from streamlight.urls import mask_url

_RTP_SOUND = MPEGTS_SOUND | {
    "adpcm_g722",
    "g722",
    "opus",
    "pcm_alaw",
    "pcm_mulaw",
    "pcm_s16be",
    "speex",
    "vorbis",
}
_FLV_SOUND = frozenset({"aac", "mp3"})


@dataclass(frozen=True, slots=True)
class _Kind:
    muxer: str
    sound: frozenset[str]
    options: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


_TS_OPTIONS = {"mpegts_flags": "+resend_headers", "pat_period": "0.5"}
_KINDS: dict[str, _Kind] = {
    "rtsp": _Kind("rtsp", _RTP_SOUND),
    "rtsps": _Kind("rtsp", _RTP_SOUND),
    "rtmp": _Kind("flv", _FLV_SOUND, {"flvflags": "+no_duration_filesize"}),
    "rtmps": _Kind("flv", _FLV_SOUND, {"flvflags": "+no_duration_filesize"}),
    "srt": _Kind("mpegts", MPEGTS_SOUND, _TS_OPTIONS),
    # seven packets of MPEG-TS, which pass every network whole
    "udp": _Kind("mpegts", MPEGTS_SOUND, _TS_OPTIONS, query="pkt_size=1316"),
    "tcp": _Kind("mpegts", MPEGTS_SOUND, _TS_OPTIONS),
}

_HLS = _Kind(
    "hls",
    MPEGTS_SOUND,
    {
        "hls_time": "2",
        "hls_list_size": "6",
        "hls_delete_threshold": "3",
    },
)

TRANSPORTS = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """A place that a stream can be sent to.

    Attributes:
        url: with its secrets, as libav takes it.
        name: without them.
        muxer: libavformat's.
        sound: codecs of sound that can be sent.
        options: of the muxer.
        folder: that the parts of an HLS stream are written to; None for a network.
    """

    url: str
    name: str
    muxer: str
    sound: frozenset[str]
    options: Mapping[str, str]
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, transport: str = "tcp") -> StreamTarget:
        """Read a target such as "rtsp://host/path" or "folder/index.m3u8".

        Args:
            text: a URL, or the playlist of an HLS stream.
            transport: of RTSP: "tcp" or "udp".

        Raises:
            SinkError: nothing can be sent there.
            UsageError: there is no such transport.
        """
        if transport not in TRANSPORTS:
            raise UsageError(f"--transport {transport}: choose one of {', '.join(TRANSPORTS)}")
        if _is_playlist(text):
            path = Path(text)
            flags = {"hls_flags": "+delete_segments+independent_segments+program_date_time"}
            # libav's own names would be those of another playlist: cam1.ts of cam and of cam1
            parts = {"hls_segment_filename": f"{path.with_suffix('')}-%d.ts"}
            options = {**_HLS.options, **flags, **parts}
            return cls(str(path), str(path), "hls", _HLS.sound, options, path.parent)
        kind = _KINDS.get(_scheme(text))
        if kind is None:
            known = ", ".join(f"{scheme}://" for scheme in _KINDS)
            raise SinkError(
                f"{mask_url(text)}: cannot send a stream there; expected {known} "
                "or the name of a playlist such as live/index.m3u8"
            )
        options = dict(kind.options)
        if kind.muxer == "rtsp":
            options["rtsp_transport"] = transport
        url = text
        if kind.query and kind.query.partition("=")[0] not in urlsplit(text).query:
            url += f"{'&' if '?' in text else '?'}{kind.query}"
        return cls(url, mask_url(text), kind.muxer, kind.sound, options)

    def again(self) -> Mapping[str, str]:
        """Return the options for a further connection, which goes on where the last one broke."""
        if self.muxer != "hls":
            return self.options
        flags = self.options["hls_flags"] + "+append_list+discont_start"
        return {**self.options, "hls_flags": flags}


def is_stream_target(text: str) -> bool:
    """Whether an output is for a `StreamSink`: a URL, or the playlist of an HLS stream."""
    return _is_playlist(text) or "://" in text


def _scheme(text: str) -> str:
    return text.partition("://")[0].lower() if "://" in text else ""


def _is_playlist(text: str) -> bool:
    return not _scheme(text) and Path(text).suffix.lower() == ".m3u8"
