"""Which cameras are there, and what to try when one cannot be opened."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import av.logging

from streamlight.errors import SourceError
from streamlight.sources.libav_log import libav_log

_SYSFS = Path("/sys/class/video4linux")
_DEV = Path("/dev")
_PROC = Path("/proc")
_MODE = re.compile(r"^(?:Raw|Compressed) *: *(\S+) *:.*:([ \dx{}\-,]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CameraMode:
    """A way in which a camera can send.

    Attributes:
        pixel_format: what `--pixel-format` takes: a format of libav, or a codec such as mjpeg.
        sizes: as "640x480".
    """

    pixel_format: str
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera of this computer.

    Attributes:
        device: what `--device` takes.
        name: for people.
        modes: what it can send; empty when that is not known.
    """

    device: str
    name: str
    modes: tuple[CameraMode, ...] = ()


def device_format() -> str:
    """Return the name of libavdevice's camera format on this system.

    Raises:
        SourceError: there is none.
    """
    for system, name in (("linux", "v4l2"), ("darwin", "avfoundation"), ("win32", "dshow")):
        if sys.platform.startswith(system):
            return name
    raise SourceError(f"cameras are not supported on {sys.platform}")


def list_cameras() -> list[CameraInfo]:
    """Return the cameras of this computer; on Linux also those that may not be opened.

    Raises:
        SourceError: the system has no cameras that are supported.
    """
    format_name = device_format()
    if format_name == "v4l2":
        return _v4l2_cameras()
    try:
        devices = av.enumerate_input_devices(format_name)
    except (av.error.FFmpegError, ValueError) as error:
        raise SourceError(f"the cameras cannot be listed ({error})") from error
    named = "name" if format_name == "avfoundation" else "description"
    return [
        CameraInfo(getattr(device, named), device.description)
        for device in devices
        if not device.media_types or "video" in device.media_types
    ]


def _v4l2_cameras() -> list[CameraInfo]:
    """List by sysfs: opening each device, as libavdevice does, leaves out what is forbidden."""
    found = []
    for node in _SYSFS.glob("video*"):
        try:
            name = (node / "name").read_text().strip()
            index = (node / "index").read_text().strip()
        except OSError:
            continue  # unplugged just now
        if index == "0":  # the others carry metadata of the same camera
            found.append((int(node.name.removeprefix("video") or 0), node.name, name))
    return [
        CameraInfo(str(_DEV / node), name, parse_modes(_mode_log(str(_DEV / node))))
        for _, node, name in sorted(found)
    ]


def _mode_log(device: str) -> str:
    """Return what libavdevice logs of a camera's formats; it has no other way to ask."""
    with libav_log(av.logging.INFO, of_all_threads=True) as entries:
        with contextlib.suppress(av.error.FFmpegError):  # it ends with an error by design
            av.open(device, format="v4l2", options={"list_formats": "all"}).close()
        return "".join(message for _, _, message in entries)


def parse_modes(log: str) -> tuple[CameraMode, ...]:
    """Read the modes out of libavdevice's `list_formats`; those without a decoder are left out."""
    modes = (CameraMode(name, tuple(sizes.split())) for name, sizes in _MODE.findall(log))
    return tuple(mode for mode in modes if mode.pixel_format != "Unsupported")


def describe_failure(
    device: str, error: av.error.FFmpegError, asked: Sequence[str], *, was_open: bool = False
) -> SourceError:
    """Translate libav's error into one line that names the device and what to try.

    Args:
        device: as the user knows it.
        error: of libav.
        asked: the options that the user gave, for example "--size 640x480".
        was_open: whether the camera has worked before.
    """
    code = error.errno
    if was_open and (code in (errno.ENODEV, errno.EIO, errno.ENXIO) or _is_missing(device)):
        return SourceError(f"{device}: the camera was unplugged")
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        found = ", ".join(camera.device for camera in list_cameras()) or "none"
        return SourceError(
            f"{device}: there is no such camera (found: {found}); "
            "plug it in, and see: streamlight webcam --list"
        )
    if code == errno.EBUSY:
        return SourceError(f"{device}: the camera is in use{_used_by(device)}; close that program")
    if code in (errno.EACCES, errno.EPERM):
        return SourceError(f"{device}: no permission to use the camera; {_how_to_permit()}")
    if code == errno.ENOTTY:
        return SourceError(f"{device}: is not a camera; see: streamlight webcam --list")
    if code in (errno.EINVAL, errno.EIO) and asked:
        return SourceError(
            f"{device}: the camera does not offer {' '.join(asked)}; "
            "leave it out, or choose from: streamlight webcam --list"
        )
    return SourceError(
        f"{device}: the camera cannot be read ({error.strerror}); unplug it and plug it in again"
    )


def _is_missing(device: str) -> bool:
    return device.startswith("/dev/") and not os.path.exists(device)


def _how_to_permit() -> str:
    if sys.platform == "darwin":
        return "allow it in System Settings, Privacy & Security, Camera"
    if sys.platform == "win32":
        return "allow it in Settings, Privacy, Camera"
    return "join the group: sudo usermod -aG video $USER, then log in again"


def _used_by(device: str) -> str:
    """Name the process that has a device open, as far as this user may see it."""
    for link in _PROC.glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) != os.path.realpath(device):
                continue
            process = link.parent.parent
            return f" by {(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return f" by another program (sudo fuser {device} tells which)" if _PROC.exists() else ""
