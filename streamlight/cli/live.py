"""`streamlight webcam` and `streamlight rtsp`: live pictures in, bright ones out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from streamlight.cli import file_options, live_options
from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log

if TYPE_CHECKING:
    from streamlight.cli.live_settings import LiveSettings

RTSP_EXAMPLES = """\b
Examples:
  streamlight rtsp rtsp://user:password@camera/stream
  streamlight rtsp rtsp://camera/stream -o night.mkv --segment 10m
  streamlight rtsp rtsp://camera/stream --preview -o rtmp://server/live/key
  streamlight rtsp rtsp://camera/stream --web 8080
  streamlight rtsp https://host/list.m3u8 -o live/index.m3u8 --wait-for-source

\b
Exit codes: 0 done, 1 failed, 2 wrong arguments, 70 internal error,
130 stopped by Ctrl-C, 143 by SIGTERM. Recordings are complete in all cases.
"""

WEBCAM_EXAMPLES = """\b
Examples:
  streamlight webcam
  streamlight webcam --list
  streamlight webcam --size 1280x720 --fps 30 --pixel-format mjpeg --preview
  streamlight webcam --virtual-camera
  streamlight webcam --preview -o evening.mkv --duration 10m

\b
Exit codes: 0 done, 1 failed, 2 wrong arguments, 70 internal error,
130 stopped by Ctrl-C, 143 by SIGTERM. Recordings are complete in all cases.
"""


def rtsp(
    url: live_options.Url,
    preview: live_options.Preview = False,
    web: live_options.Web = None,
    output: live_options.Outputs = None,
    virtual_camera: live_options.VirtualCamera = False,
    duration: live_options.Duration = None,
    transport: live_options.Transport = "tcp",
    max_retries: live_options.MaxRetries = None,
    wait_for_source: live_options.WaitForSource = False,
    open_timeout: live_options.OpenTimeout = 10.0,
    read_timeout: live_options.ReadTimeout = 5.0,
    no_audio: live_options.NoAudio = False,
    no_low_latency: live_options.NoLowLatency = False,
    overwrite: live_options.Overwrite = False,
    segment: live_options.Segment = None,
    crf: live_options.Crf = 23.0,
    bitrate: live_options.Bitrate = None,
    preset: live_options.Preset = "veryfast",
    model: file_options.Model = "auto",
    backend: file_options.Backend = "auto",
    network_device: live_options.NetworkDevice = None,
    precision: file_options.Precision = None,
    engine_dir: file_options.EngineDir = None,
    memory: file_options.Memory = None,
    process_size: live_options.ProcessSize = None,
    adaptive: live_options.Adaptive = False,
    target_fps: live_options.TargetFps = None,
    strength: file_options.Strength = 1.0,
    exposure: file_options.Exposure = 0.0,
    compare: file_options.Compare = "none",
    skip_bright: file_options.SkipBright = False,
    smoothing: file_options.Smoothing = 12.0,
    estimate_every: file_options.EstimateEvery = 1,
    sampling: file_options.Sampling = "many",
    strict: live_options.Strict = False,
    report: file_options.Report = None,
    quiet: file_options.Quiet = False,
    debug: Debug = False,
) -> None:
    """Brighten a network camera, or any live URL.

    A lost connection is made again. Frames that come faster than the network are dropped, the
    oldest first. Ctrl-C stops and completes the recordings; a second one does not wait.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cameras.source import SourceSpec
        from streamlight.cli.live_command import carry_out
        from streamlight.errors import UsageError
        from streamlight.sources.live_options import LiveOptions
        from streamlight.urls import mask_url

        if "://" not in url:
            raise UsageError(
                f"{mask_url(url)}: expected a URL such as rtsp://camera/stream; "
                "for a file use: streamlight file"
            )
        options = LiveOptions(
            transport=cast(Any, transport),
            open_timeout_s=_positive("--open-timeout", open_timeout),
            read_timeout_s=_positive("--read-timeout", read_timeout),
            low_latency=not no_low_latency,
            audio=not no_audio,
            max_retries=max_retries,
            wait_for_source=wait_for_source,
        )
        settings = live_settings(
            preview=preview,
            web=web,
            output=output,
            virtual_camera=virtual_camera,
            duration=duration,
            overwrite=overwrite,
            segment=segment,
            crf=crf,
            bitrate=bitrate,
            preset=preset,
            model=model,
            backend=backend,
            network_device=network_device,
            precision=precision,
            engine_dir=engine_dir,
            memory=memory,
            process_size=process_size,
            adaptive=adaptive,
            target_fps=target_fps,
            strength=strength,
            exposure=exposure,
            compare=compare,
            skip_bright=skip_bright,
            smoothing=smoothing,
            estimate_every=estimate_every,
            sampling=sampling,
            strict=strict,
            report=report,
            quiet=quiet,
        )
        carry_out(SourceSpec(address=url, live=options), settings, debug=debug)


def webcam(
    list_: live_options.ListCameras = False,
    preview: live_options.Preview = False,
    web: live_options.Web = None,
    output: live_options.Outputs = None,
    virtual_camera: live_options.VirtualCamera = False,
    duration: live_options.Duration = None,
    device: live_options.CameraDevice = None,
    size: live_options.Size = None,
    fps: live_options.Fps = None,
    pixel_format: live_options.PixelFormat = None,
    overwrite: live_options.Overwrite = False,
    segment: live_options.Segment = None,
    crf: live_options.Crf = 23.0,
    bitrate: live_options.Bitrate = None,
    preset: live_options.Preset = "veryfast",
    model: file_options.Model = "auto",
    backend: file_options.Backend = "auto",
    network_device: live_options.NetworkDevice = None,
    precision: file_options.Precision = None,
    engine_dir: file_options.EngineDir = None,
    memory: file_options.Memory = None,
    process_size: live_options.ProcessSize = None,
    adaptive: live_options.Adaptive = False,
    target_fps: live_options.TargetFps = None,
    strength: file_options.Strength = 1.0,
    exposure: file_options.Exposure = 0.0,
    compare: file_options.Compare = "none",
    skip_bright: file_options.SkipBright = False,
    smoothing: file_options.Smoothing = 12.0,
    estimate_every: file_options.EstimateEvery = 1,
    sampling: file_options.Sampling = "many",
    strict: live_options.Strict = False,
    report: file_options.Report = None,
    quiet: file_options.Quiet = False,
    debug: Debug = False,
) -> None:
    """Brighten a camera of this computer.

    Frames that come faster than the network are dropped, the oldest first. Ctrl-C stops and
    completes the recordings; a second one does not wait.
    """
    with one_line_errors(debug):
        start_log(debug)
        if list_:
            _print_cameras()
            return
        from streamlight.cameras.source import SourceSpec
        from streamlight.cli.live_command import carry_out
        from streamlight.cli.live_settings import parse_rate, parse_size

        frame_size, rate = parse_size("--size", size), parse_rate("--fps", fps)
        settings = live_settings(
            preview=preview,
            web=web,
            output=output,
            virtual_camera=virtual_camera,
            duration=duration,
            overwrite=overwrite,
            segment=segment,
            crf=crf,
            bitrate=bitrate,
            preset=preset,
            model=model,
            backend=backend,
            network_device=network_device,
            precision=precision,
            engine_dir=engine_dir,
            memory=memory,
            process_size=process_size,
            adaptive=adaptive,
            target_fps=target_fps,
            strength=strength,
            exposure=exposure,
            compare=compare,
            skip_bright=skip_bright,
            smoothing=smoothing,
            estimate_every=estimate_every,
            sampling=sampling,
            strict=strict,
            report=report,
            quiet=quiet,
        )
        source = SourceSpec(
            address=f"device:{device or ''}",
            size=frame_size,
            fps=rate,
            pixel_format=pixel_format,
        )
        carry_out(source, settings, debug=debug)


def live_settings(
    *,
    preview: bool,
    web: int | None,
    output: list[str] | None,
    virtual_camera: bool,
    duration: str | None,
    overwrite: bool,
    segment: str | None,
    crf: float,
    bitrate: str | None,
    preset: str,
    model: str,
    backend: str,
    network_device: str | None,
    precision: str | None,
    engine_dir: Path | None,
    memory: str | None,
    process_size: str | None,
    adaptive: bool,
    target_fps: float | None,
    strength: float,
    exposure: float,
    compare: str,
    skip_bright: bool,
    smoothing: float,
    estimate_every: int,
    sampling: str,
    strict: bool,
    report: Path | None,
    quiet: bool,
) -> "LiveSettings":
    """Read the options that both commands have.

    Raises:
        UsageError: one makes no sense.
    """
    from streamlight.cameras.outputs import OutputSpec
    from streamlight.cli.live_preview import has_display
    from streamlight.cli.live_settings import LiveSettings, parse_process_size, parse_span
    from streamlight.look import Look
    from streamlight.memory import parse_memory
    from streamlight.sinks.live_encoder import LiveEncoding
    from streamlight.sinks.options import parse_bitrate
    from streamlight.web.settings import WebSettings

    has_other = bool(output) or virtual_camera or web is not None
    return LiveSettings(
        network={
            "model": model,
            "backend": backend,
            "device": network_device,
            "precision": precision,
            "engine_dir": engine_dir,
            "memory_bytes": None if memory is None else parse_memory(memory),
            "smoothing_s": smoothing,
            "estimate_every": estimate_every,
            "sampling": sampling,
            "skip_bright": skip_bright,
        },
        look=Look(strength, exposure, cast(Any, compare)),
        outputs=OutputSpec(
            targets=tuple(output or ()),
            has_virtual_camera=virtual_camera,
            segment_s=parse_span("--segment", segment),
            overwrite=overwrite,
            encoding=LiveEncoding(
                crf=crf,
                preset=preset,
                bitrate=None if bitrate is None else parse_bitrate(bitrate),
            ),
        ),
        has_preview=preview or (not has_other and has_display()),
        web=None if web is None else WebSettings(port=web),
        process_size=parse_process_size(process_size),
        is_adaptive=adaptive,
        target_fps=target_fps,
        is_strict=strict,
        duration_s=parse_span("--duration", duration),
        report_path=report,
        is_quiet=quiet,
    )


def _positive(option: str, seconds: float) -> float:
    from streamlight.errors import UsageError

    if not seconds > 0:
        raise UsageError(f"{option} {seconds:g}: must be more than 0 s")
    return seconds


def _print_cameras() -> None:
    from streamlight.cli.messages import one_line, say
    from streamlight.sources.camera import list_cameras

    cameras = list_cameras()
    if not cameras:
        say("no camera was found; plug one in, or use a network camera: streamlight rtsp URL")
    for camera in cameras:
        typer.echo(one_line(f"{camera.device}  {camera.name}"))
        for mode in camera.modes:
            typer.echo("    " + one_line(f"{mode.pixel_format}: {' '.join(mode.sizes)}"))
