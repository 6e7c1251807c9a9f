"""A program of its own that sends packets to a network: `StreamSink` starts it and may kill it.

libav's outputs have no timeout, and PyAV holds Python's lock while it connects and closes: a peer
that stops answering would freeze the whole process. Here it freezes a process that can be spared,
and that ends itself when one call of libav takes too long, also when nobody is left to kill it.

It reads blocks from its standard input, each with its length before it (4 bytes): a JSON object; a
NUT file that describes the streams, whose one packet means nothing; and then packets, each with a
head before it as in `PACKET`. The URL comes this way because a command line can be read by every
user. To its standard output it writes one JSON object a line: `{"ready": true}`, or
`{"failed": "why"}` before it ends.

Run by its path, with nothing but PyAV: it must start quickly.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any, TextIO
from urllib.parse import unquote

PACKET = struct.Struct("!BBqqqII")
"""Stream, whether it is a key frame, pts, dts, duration, and the time base of all three; then come
the length and the bytes."""


@contextmanager
def at_most(seconds: float, trash: TextIO) -> Iterator[None]:
    """End this process if the block takes longer; works while libav holds Python's lock."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=trash)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def read_exactly(count: int) -> bytes:
    """Read from the standard input.

    Raises:
        EOFError: it ends before.
    """
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_block() -> bytes:
    """Read a block and the length before it."""
    return read_exactly(int.from_bytes(read_exactly(4), "big"))


def read_packets() -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield the heads and the bytes of the packets."""
    while True:
        try:
            head = PACKET.unpack(read_exactly(PACKET.size))
        except EOFError:
            return
        yield head, read_block()


def say(**words: Any) -> None:
    """Tell the parent."""
    os.write(1, json.dumps(words).encode() + b"\n")


def open_target(url: Any, task: dict[str, Any], templates: Any) -> tuple[Any, list[Any]]:
    """Connect, and return the container and its streams."""
    import av

    target = av.open(url, "w", format=task["format"], container_options=task["options"])
    streams = [target.add_stream_from_template(stream) for stream in templates]
    target.start_encoding()
    return target, streams


def relay_to(url: str) -> IO[bytes]:
    """Start ffmpeg for a protocol that PyAV's libav lacks, such as SRT; return what it reads.

    It ends with its input, and so with this process.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        scheme = url.partition("://")[0]
        raise RuntimeError(
            f"protocol not found: PyAV has no {scheme}; install the program ffmpeg, "
            "which is used then"
        )
    command = [ffmpeg, "-v", "error", "-probesize", "100000", "-analyzeduration", "300000"]
    command += ["-f", "mpegts", "-i", "pipe:0", "-map", "0", "-c", "copy"]
    secrets: list[int] = []
    if os.name == "posix":  # where every user can read the command lines of all
        url, options = without_secrets(url)
        reader, writer = os.pipe()
        os.write(writer, options.encode())
        os.close(writer)
        secrets = [reader]
        command += ["-fpre", f"/dev/fd/{reader}"]
    command += ["-f", "mpegts", "-flush_packets", "1", url]
    relay = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=secrets,
    )
    for descriptor in secrets:
        os.close(descriptor)
    if relay.stdin is None:
        raise RuntimeError("ffmpeg has no input")
    return relay.stdin


def without_secrets(url: str) -> tuple[str, str]:
    """Take the secrets of SRT out of a URL; return it, and them as a preset file of ffmpeg."""
    bare, _, query = url.partition("?")
    kept, taken = [], []
    for option in query.split("&") if query else []:
        name, _, value = option.partition("=")
        if name in ("passphrase", "streamid"):
            taken.append(f"{name}={unquote(value) if name == 'streamid' else value}\n")
        else:
            kept.append(option)
    return bare + ("?" + "&".join(kept) if kept else ""), "".join(taken)


def publish(task: dict[str, Any]) -> None:
    """Copy all packets from the standard input to the URL."""
    import av
    import av.error
    import av.logging

    templates = av.open(io.BytesIO(read_block()), format="nut")
    av.logging.set_level(av.logging.ERROR)  # from now on an exception tells what libav logged
    with open(os.devnull, "w") as trash:
        with at_most(task["connect_s"], trash):
            try:
                target, streams = open_target(task["url"], task, templates.streams)
            except av.error.ProtocolNotFoundError:
                target, streams = open_target(relay_to(task["url"]), task, templates.streams)
        say(ready=True)
        for (stream, is_key, pts, dts, duration, *time_base), data in read_packets():
            packet: av.Packet[Any] = av.Packet(data)
            packet.stream = streams[stream]
            packet.time_base = Fraction(*time_base)
            packet.pts, packet.dts, packet.duration = pts, dts, duration
            packet.is_keyframe = bool(is_key)
            with at_most(task["stall_s"], trash):
                target.mux(packet)
        with at_most(task["stall_s"], trash):
            target.close()


def main() -> int:
    """Run the task that comes from the standard input; return the exit status."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are for the parent, which then tells us
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        publish(json.loads(read_block()))
    except EOFError:
        return 0
    except Exception as error:  # the outermost frame
        text = getattr(error, "strerror", None) or str(error)
        log = getattr(error, "log", None)
        if log and text.lower() not in log[2].lower():
            text += f" ({log[2].strip()})"
        say(failed=text)
        return 1
    return 0


if __name__ == "__main__":
    # os._exit: libav may keep the peer of a broken connection waiting in its destructors.
    status = main()
    sys.stdout.flush()
    os._exit(status)
