"""The options of the live commands that `streamlight file` does not have, by panels."""

from typing import Annotated, Any

import typer

from streamlight.cli import completion
from streamlight.cli.file_options import ENCODER, NETWORK, OUTPUT, SCRIPTS

SOURCE, SPEED = "Source", "Speed"


def _option(*names: str, panel: str | None = None, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **settings)


def _transport_names() -> list[str]:
    return ["tcp", "udp"]


Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="rtsp://, rtmp://, srt://, udp://, or http:// with HLS or MJPEG; "
        "rtsp://USER:PASSWORD@HOST/PATH where a login is needed.",
    ),
]
Transport = Annotated[
    str,
    _option(
        "--transport",
        metavar="tcp|udp",
        help="Of RTSP: tcp loses nothing and passes firewalls.",
        autocompletion=_transport_names,
        panel=SOURCE,
    ),
]
MaxRetries = Annotated[
    int | None,
    _option(
        "--max-retries",
        metavar="N",
        help="Give a lost camera up after so many attempts in a row.  [default: never]",
        panel=SOURCE,
    ),
]
WaitForSource = Annotated[
    bool,
    _option(
        "--wait-for-source",
        help="Keep trying also when the first connection fails.",
        panel=SOURCE,
    ),
]
OpenTimeout = Annotated[
    float,
    _option("--open-timeout", metavar="SECONDS", help="For connecting.", panel=SOURCE),
]
ReadTimeout = Annotated[
    float,
    _option(
        "--read-timeout",
        metavar="SECONDS",
        help="A connection without a picture for so long is lost, and made again.",
        panel=SOURCE,
    ),
]
NoAudio = Annotated[bool, _option("--no-audio", help="Leave the sound out.", panel=SOURCE)]
NoLowLatency = Annotated[
    bool,
    _option(
        "--no-low-latency",
        help="Decode with several threads: for streams that one thread is too slow for.",
        panel=SOURCE,
    ),
]

CameraDevice = Annotated[
    str | None,
    _option(
        "--device",
        metavar="CAMERA",
        help="Number, path or name, as --list shows them.  [default: the first]",
        panel=SOURCE,
    ),
]
Size = Annotated[
    str | None,
    _option("--size", metavar="WxH", help="1280x720.  [default: the driver's]", panel=SOURCE),
]
Fps = Annotated[
    str | None,
    _option("--fps", metavar="FPS", help="30, 30000/1001.  [default: the driver's]", panel=SOURCE),
]
PixelFormat = Annotated[
    str | None,
    _option(
        "--pixel-format",
        metavar="FORMAT",
        help="mjpeg, yuyv422; large sizes often need mjpeg.  [default: the driver's]",
        panel=SOURCE,
    ),
]
ListCameras = Annotated[bool, _option("--list", help="Show the cameras, and exit.")]

Preview = Annotated[
    bool,
    _option(
        "--preview",
        help="Show a window, before and after split at the mouse; h in it shows its keys.  "
        "[default: without any other output]",
    ),
]
Web = Annotated[
    int | None,
    _option("--web", metavar="PORT", help="Show it on a page, on this computer, at that port."),
]
Outputs = Annotated[
    list[str] | None,
    _option(
        "--output",
        "-o",
        metavar="FILE|URL",
        help="Record (.mkv, .mp4, .mov, .ts) or send on (rtsp://, rtmp://, srt://, udp://, "
        "FOLDER/index.m3u8); may be repeated.",
    ),
]
VirtualCamera = Annotated[
    bool, _option("--virtual-camera", help="Be a camera for calls: v4l2loopback, or OBS.")
]
Duration = Annotated[
    str | None,
    _option("--duration", metavar="TIME", help="Stop after so long: 90, 1:30, 10m, 2h."),
]
Overwrite = Annotated[
    bool, _option("--overwrite", "-y", help="Replace existing recordings.", panel=OUTPUT)
]
Segment = Annotated[
    str | None,
    _option(
        "--segment",
        metavar="TIME",
        help="Begin another recording every so long, 10m or 1h, with the time in its name.",
        panel=OUTPUT,
    ),
]
Crf = Annotated[
    float,
    _option(
        "--crf", metavar="N", help="Constant quality: lower is better and larger.", panel=ENCODER
    ),
]
Bitrate = Annotated[
    str | None,
    _option(
        "--bitrate",
        metavar="RATE",
        help="At most so many bits a second: 4M, 800k.",
        panel=ENCODER,
    ),
]
Preset = Annotated[
    str,
    _option(
        "--preset",
        metavar="PRESET",
        help="x264's trade of speed for size: ultrafast to placebo.",
        autocompletion=completion.preset_names,
        panel=ENCODER,
    ),
]

NetworkDevice = Annotated[
    str | None,
    _option(
        "--network-device",
        metavar="DEVICE",
        help="CPU, GPU or NPU of openvino; cpu, cuda or cuda:1 of torch.  [default: the best]",
        panel=NETWORK,
    ),
]
ProcessSize = Annotated[
    str | None,
    _option(
        "--process-size",
        metavar="H|WxH",
        help="Let the network see pictures of at most so many rows; the result keeps its size.",
        panel=SPEED,
    ),
]
Adaptive = Annotated[
    bool,
    _option(
        "--adaptive",
        help="Lower the size to process when the network is too slow, and raise it again.",
        panel=SPEED,
    ),
]
TargetFps = Annotated[
    float | None,
    _option(
        "--target-fps",
        metavar="FPS",
        help="What --adaptive keeps up.  [default: the camera's]",
        panel=SPEED,
    ),
]
Strict = Annotated[
    bool,
    _option(
        "--strict",
        help="Stop when any output fails; else the others go on without it.",
        panel=SCRIPTS,
    ),
]
