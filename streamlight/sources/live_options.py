"""How to connect to a live stream, and what libav is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streamlight.errors import UsageError
from streamlight.sources.reconnect import Backoff


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How to connect to a live stream, and what to do when it fails.

    Attributes:
        transport: how RTSP brings the pictures: "tcp" loses nothing and passes firewalls, "udp"
            does not wait for what is late.
        open_timeout_s: seconds for connecting.
        read_timeout_s: a connection that brings no picture for so many seconds is lost.
        low_latency: show each picture at once: no frame threads in the decoder, short analysis at
            the start. False for streams that a single thread cannot decode in time.
        audio: whether the sound is kept for sinks that record or send on.
        max_retries: failed attempts in a row after which a lost source is given up; None for never.
        wait_for_source: keep trying, with `max_retries`, also when the very first connection
            fails. Otherwise that raises at once: it is likely a typing error.
        backoff: the waits between attempts.
    """

    transport: Literal["tcp", "udp"] = "tcp"
    open_timeout_s: float = 10.0
    read_timeout_s: float = 5.0
    low_latency: bool = True
    audio: bool = True
    max_retries: int | None = None
    wait_for_source: bool = False
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one of them makes no sense.
        """
        if self.transport not in ("tcp", "udp"):
            raise UsageError(f"--transport {self.transport}: choose one of tcp, udp")
        for name in ("open_timeout_s", "read_timeout_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name}: expected seconds above 0, not {getattr(self, name)}")
        if self.max_retries is not None and self.max_retries < 0:
            raise UsageError(f"--max-retries: expected 0 or more, not {self.max_retries}")


def open_options(url: str, options: LiveOptions) -> dict[str, str]:
    """Return the options of libavformat for a URL.

    `fflags=nobuffer` is not among them: it throws away the packets that were read for analysis,
    and with them the first key frame, so the first picture comes up to a GOP later. What they
    bring along too late is dropped by the pipeline, where the newest frame wins.
    """
    chosen: dict[str, str] = {}
    is_rtsp = url.lower().startswith(("rtsp:", "rtsps:"))
    if is_rtsp:
        chosen["rtsp_transport"] = options.transport
    if options.low_latency:
        # RTSP tells its codecs in words; MPEG-TS and FLV must be read until all streams are seen.
        chosen["analyzeduration"] = "500000" if is_rtsp else "2000000"
        if is_rtsp:
            chosen["fpsprobesize"] = "0"
    if is_rtsp and options.transport == "udp":
        chosen["reorder_queue_size"] = "64" if options.low_latency else "500"
        chosen["max_delay"] = "200000" if options.low_latency else "500000"
    return chosen
