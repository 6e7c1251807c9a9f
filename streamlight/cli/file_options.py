"""The options of `streamlight file`, by the panels of its help."""

from pathlib import Path
from typing import Annotated, Any

import typer

from streamlight.cli import completion

OUTPUT, NETWORK, LOOK, TIME = "Output", "Network", "Look", "Over time"
INPUT, ENCODER, SCRIPTS = "Reading", "Encoder", "Failures and scripts"
REALTIME = "As if live"


def _option(*names: str, panel: str | None = None, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=panel, **settings)


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Videos, pictures, folders of them, or a numbered sequence (frame_%05d.png).",
    ),
]
Output = Annotated[
    str | None,
    _option(
        "--output",
        "-o",
        metavar="FILE|FOLDER",
        help="A video (.mp4, .m4v, .mov, .mkv, .webm, .avi, .ts), a picture, a sequence, or a "
        "folder for several inputs.  [default: beside the input, .bright before its extension]",
    ),
]
Realtime = Annotated[
    bool,
    _option(
        "--realtime",
        help="Play a video at its own pace as if it were a camera: to a window, a page, -o FILE "
        "or -o URL. What is too much for the network is left out.",
        panel=REALTIME,
    ),
]
Loop = Annotated[bool, _option("--loop", help="Of --realtime: again and again.", panel=REALTIME)]
Overwrite = Annotated[bool, _option("--overwrite", "-y", help="Replace an existing output.")]
Pattern = Annotated[
    str,
    _option(
        "--name",
        metavar="PATTERN",
        help="Names in the folder, of {stem}, {ext}, {name}, {parent} and {index}.",
        panel=OUTPUT,
    ),
]
Recursive = Annotated[
    bool, _option("--recursive", "-r", help="Folders within folders too.", panel=OUTPUT)
]
SkipExisting = Annotated[
    bool, _option("--skip-existing", help="Leave out inputs whose output is there.", panel=OUTPUT)
]
Jobs = Annotated[
    int,
    _option("--jobs", metavar="N", min=1, help="How many files at the same time.", panel=OUTPUT),
]

Model = Annotated[
    str,
    _option(
        "--model",
        metavar="auto|gladnet|gladnet-fast|FILE",
        help="auto: gladnet on a GPU, gladnet-fast on a CPU. Or your own weights (.safetensors).",
        autocompletion=completion.model_names,
        panel=NETWORK,
    ),
]
Backend = Annotated[
    str,
    _option(
        "--backend",
        metavar="auto|openvino|cuda|torch|tensorrt|tensorrt-rtx",
        help="What runs the network; `streamlight doctor` shows what works here.",
        autocompletion=completion.backend_names,
        panel=NETWORK,
    ),
]
Device = Annotated[
    str | None,
    _option(
        "--device",
        metavar="DEVICE",
        help="CPU, GPU or NPU of openvino; cpu, cuda or cuda:1 of torch.  [default: the best]",
        panel=NETWORK,
    ),
]
Precision = Annotated[
    str | None,
    _option(
        "--precision",
        metavar="fp32|bf16|fp16|int8",
        help="Of the network's arithmetic.  [default: the fastest that is good]",
        autocompletion=completion.precision_names,
        panel=NETWORK,
    ),
]
EngineDir = Annotated[
    Path | None,
    _option(
        "--engine-dir",
        metavar="FOLDER",
        help="Where TensorRT's engines are kept.  "
        "[default: $STREAMLIGHT_ENGINE_DIR, or the user's cache]",
        panel=NETWORK,
    ),
]
Streams = Annotated[
    int | None,
    _option(
        "--streams",
        metavar="N",
        min=1,
        max=64,
        help="How many frames are enhanced at once.  [default: what makes the most of the device]",
        panel=NETWORK,
    ),
]
Memory = Annotated[
    str | None,
    _option(
        "--memory",
        metavar="SIZE",
        help="Most memory for the network, such as 2GB: larger frames go through in tiles, with "
        "the same result.  [default: by what is free]",
        panel=NETWORK,
    ),
]

Strength = Annotated[
    float,
    _option(
        "--strength",
        metavar="0..1",
        help="0 is the input, 1 the network's result; between, their blend.",
        panel=LOOK,
    ),
]
Exposure = Annotated[
    float,
    _option(
        "--exposure",
        metavar="EV",
        help="Expose the result by so many stops more, -5 to 5.",
        panel=LOOK,
    ),
]
Compare = Annotated[
    str,
    _option(
        "--compare",
        metavar="none|split|side",
        help="Before and after in one picture: halves, or both whole.",
        autocompletion=completion.compare_names,
        panel=LOOK,
    ),
]
SkipBright = Annotated[
    bool,
    _option("--skip-bright", help="Leave frames as they are that are bright already.", panel=LOOK),
]

Smoothing = Annotated[
    float,
    _option(
        "--smoothing",
        metavar="SECONDS",
        help="Time constant of the illumination in steady light; changes of light are "
        "followed at once. 0 takes every frame by itself.",
        panel=TIME,
    ),
]
EstimateEvery = Annotated[
    int,
    _option(
        "--estimate-every",
        metavar="K",
        help="Estimate the illumination every K frames, and when the light changes.",
        panel=TIME,
    ),
]
Sampling = Annotated[
    str,
    _option(
        "--sampling",
        metavar="many|nearest|area",
        help="How the network's small view of the frame is taken: the mean of many, one by "
        "nearest neighbour (the paper), or averaged pixels.",
        autocompletion=completion.sampling_names,
        panel=TIME,
    ),
]

Start = Annotated[
    str | None,
    _option(
        "--start",
        metavar="TIME",
        help="Begin here, with the sound: 90, 10m or 1:23:45.6.",
        panel=INPUT,
    ),
]
End = Annotated[str | None, _option("--end", metavar="TIME", help="End before this.", panel=INPUT)]
Duration = Annotated[
    str | None,
    _option("--duration", metavar="TIME", help="Instead of --end: how long.", panel=INPUT),
]
Filter = Annotated[
    str | None,
    _option(
        "--filter",
        metavar="CHAIN",
        help="Filters of libavfilter before the network: crop=iw:ih-80, scale=1280:-2.",
        panel=INPUT,
    ),
]
Denoise = Annotated[
    str,
    _option(
        "--denoise",
        metavar="off|light|strong",
        help="Average what stands still over 5 or 9 frames, before the network.",
        autocompletion=completion.denoise_names,
        panel=INPUT,
    ),
]
KeepInterlaced = Annotated[
    bool,
    _option(
        "--keep-interlaced",
        help="Leave interlaced video as it is; else it is deinterlaced.",
        panel=INPUT,
    ),
]
Hdr = Annotated[
    str,
    _option(
        "--hdr",
        metavar="tonemap|keep",
        help="What becomes of HLG and PQ: SDR, or HDR of 10 bits.",
        autocompletion=completion.hdr_names,
        panel=INPUT,
    ),
]
Hwaccel = Annotated[
    str,
    _option(
        "--hwaccel",
        metavar="auto|none|cuda",
        help="cuda: decode on the NVIDIA GPU of --backend cuda, and keep the pictures there; where "
        "that cannot be it says why, and fails with --strict. auto: software.",
        autocompletion=completion.hwaccel_names,
        panel=INPUT,
    ),
]
FrameRate = Annotated[
    str | None,
    _option(
        "--frame-rate",
        metavar="FPS",
        help="Of a numbered sequence: 25, 30000/1001.  [default: 25]",
        panel=INPUT,
    ),
]

Codec = Annotated[
    str,
    _option(
        "--codec",
        metavar="NAME",
        help="h264, hevc, av1, vp9, prores, ffv1, copy-settings (the input's, as near as can be)."
        "  [default: auto: h264, of more than 8 bits hevc, in .webm vp9]",
        autocompletion=completion.codec_names,
        show_default=False,
        panel=ENCODER,
    ),
]
Encoder = Annotated[
    str | None,
    _option(
        "--encoder",
        metavar="NAME",
        help="One of libavcodec: libx264, h264_nvenc; auto takes hardware where it works.  "
        "[default: software]",
        autocompletion=completion.encoder_names,
        panel=ENCODER,
    ),
]
Crf = Annotated[
    float | None,
    _option(
        "--crf",
        metavar="N",
        help="Constant quality: lower is better and larger.  [default: the encoder's, 20 of x264]",
        panel=ENCODER,
    ),
]
Bitrate = Annotated[
    str | None,
    _option("--bitrate", metavar="RATE", help="Instead of --crf: 4M, 800k.", panel=ENCODER),
]
Preset = Annotated[
    str | None,
    _option(
        "--preset",
        metavar="PRESET",
        help="The encoder's trade of speed for size, veryfast or slow of x264.",
        autocompletion=completion.preset_names,
        panel=ENCODER,
    ),
]
PixFmt = Annotated[
    str | None,
    _option(
        "--pix-fmt",
        metavar="FORMAT",
        help="Such as yuv420p, yuv444p10le.  [default: the input's sampling and bits]",
        panel=ENCODER,
    ),
]
Gop = Annotated[
    int | None,
    _option("--gop", metavar="FRAMES", help="Most frames between key frames.", panel=ENCODER),
]
EncoderOption = Annotated[
    list[str] | None,
    _option(
        "--encoder-option",
        metavar="KEY=VALUE",
        help="Of the encoder itself, tune=film; may be repeated.",
        panel=ENCODER,
    ),
]
PostFilter = Annotated[
    str | None,
    _option(
        "--post-filter",
        metavar="CHAIN",
        help="Filters of libavfilter between the network and the encoder.",
        panel=ENCODER,
    ),
]
Quality = Annotated[
    int | None,
    _option(
        "--quality",
        metavar="1..100",
        help="Of JPEG and WebP pictures.  [default: the input's, or 95]",
        panel=ENCODER,
    ),
]

Strict = Annotated[
    bool,
    _option(
        "--strict",
        help="Fail where the input is damaged or cut off, instead of going on.",
        panel=SCRIPTS,
    ),
]
KeepPartial = Annotated[
    bool,
    _option(
        "--keep-partial",
        help="When stopped or failed, keep a playable file of what was done.",
        panel=SCRIPTS,
    ),
]
Resume = Annotated[
    bool,
    _option(
        "--resume",
        help="Keep what is done on disk, and go on from there when it was interrupted.",
        panel=SCRIPTS,
    ),
]
Verify = Annotated[
    str,
    _option(
        "--verify",
        metavar="off|streams|frames",
        help="Read the output again and compare it with the input: times, streams and tags, or "
        "each frame too. Exit code 3 where they differ.",
        autocompletion=completion.verify_names,
        panel=SCRIPTS,
    ),
]
Report = Annotated[
    Path | None,
    _option(
        "--report",
        metavar="FILE",
        help="Write figures and outcome as JSON, also of a failure; replaces the file.",
        panel=SCRIPTS,
    ),
]
Quiet = Annotated[
    bool, _option("--quiet", "-q", help="Print errors and stops only.", panel=SCRIPTS)
]
