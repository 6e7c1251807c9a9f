"""`streamlight file`: dark videos and pictures in, bright ones out."""

from pathlib import Path
from typing import Any, cast

import typer

from streamlight.cli import file_options as options
from streamlight.cli import live_options
from streamlight.cli.errors import one_line_errors
from streamlight.cli.options import Debug, start_log

EXAMPLES = """\b
Examples:
  streamlight file night.mp4
  streamlight file night.mp4 -o bright.mkv --strength 0.8 --exposure 0.5
  streamlight file night.mp4 -o compare.mp4 --compare split
  streamlight file night.mp4 -o out.mp4 --start 1:30 --duration 20 --verify frames
  streamlight file holiday/ -o bright/ --skip-existing
  streamlight file night.jpg frame_%05d.png -o bright/
  streamlight file night.mp4 --realtime --loop --web 8080

\b
Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 --verify found differences,
70 internal error, 130 stopped by Ctrl-C, 143 by SIGTERM.
"""


def enhance(
    context: typer.Context,
    sources: options.Sources,
    output: options.Output = None,
    overwrite: options.Overwrite = False,
    name: options.Pattern = "{stem}.bright{ext}",
    recursive: options.Recursive = False,
    skip_existing: options.SkipExisting = False,
    jobs: options.Jobs = 1,
    model: options.Model = "auto",
    backend: options.Backend = "auto",
    device: options.Device = None,
    precision: options.Precision = None,
    engine_dir: options.EngineDir = None,
    streams: options.Streams = None,
    memory: options.Memory = None,
    strength: options.Strength = 1.0,
    exposure: options.Exposure = 0.0,
    compare: options.Compare = "none",
    skip_bright: options.SkipBright = False,
    smoothing: options.Smoothing = 12.0,
    estimate_every: options.EstimateEvery = 1,
    sampling: options.Sampling = "many",
    start: options.Start = None,
    end: options.End = None,
    duration: options.Duration = None,
    filters: options.Filter = None,
    denoise: options.Denoise = "off",
    keep_interlaced: options.KeepInterlaced = False,
    hdr: options.Hdr = "tonemap",
    hwaccel: options.Hwaccel = "auto",
    frame_rate: options.FrameRate = None,
    codec: options.Codec = "auto",
    encoder: options.Encoder = None,
    crf: options.Crf = None,
    bitrate: options.Bitrate = None,
    preset: options.Preset = None,
    pix_fmt: options.PixFmt = None,
    gop: options.Gop = None,
    encoder_option: options.EncoderOption = None,
    post_filter: options.PostFilter = None,
    quality: options.Quality = None,
    realtime: options.Realtime = False,
    loop: options.Loop = False,
    preview: live_options.Preview = False,
    web: live_options.Web = None,
    process_size: live_options.ProcessSize = None,
    adaptive: live_options.Adaptive = False,
    strict: options.Strict = False,
    keep_partial: options.KeepPartial = False,
    resume: options.Resume = False,
    verify: options.Verify = "off",
    report: options.Report = None,
    quiet: options.Quiet = False,
    debug: Debug = False,
) -> None:
    """Brighten videos and pictures.

    The output has the same frames, timing, sound, subtitles and tags. Ctrl-C stops and leaves
    nothing behind, unless --keep-partial is given; a second Ctrl-C does not wait for anything.
    """
    with one_line_errors(debug):
        start_log(debug)
        from streamlight.cli.file_batch import FileBatch
        from streamlight.cli.file_job import FileJob
        from streamlight.cli.file_realtime import check_realtime, play
        from streamlight.cli.times import parse_time
        from streamlight.look import Look
        from streamlight.memory import parse_memory
        from streamlight.sinks import EncoderOptions
        from streamlight.sinks.options import parse_bitrate
        from streamlight.sources import ReaderOptions

        check_realtime(context, realtime)
        if realtime:
            play(context, sources, debug=debug)
            return
        job = FileJob(
            network={
                "model": model,
                "backend": backend,
                "device": device,
                "precision": precision,
                "engine_dir": engine_dir,
                "streams": streams,
                "memory_bytes": None if memory is None else parse_memory(memory),
                "smoothing_s": smoothing,
                "estimate_every": estimate_every,
                "sampling": sampling,
                "skip_bright": skip_bright,
            },
            look=Look(strength, exposure, cast(Any, compare)),
            reader=ReaderOptions(
                strict=strict,
                denoise=denoise,
                filters=filters,
                deinterlace="off" if keep_interlaced else "auto",
                hdr=cast(Any, hdr),
                start_s=parse_time("--start", start),
                end_s=parse_time("--end", end),
                duration_s=parse_time("--duration", duration),
            ),
            encoder=EncoderOptions(
                codec=codec,
                encoder=encoder,
                crf=crf,
                bitrate=None if bitrate is None else parse_bitrate(bitrate),
                preset=preset,
                pix_fmt=pix_fmt,
                gop=gop,
                extra=tuple(encoder_option or ()),
            ),
            post_filter=post_filter,
            frame_rate=frame_rate,
            quality=quality,
            overwrite=overwrite,
            keep_partial=keep_partial,
            resume=resume,
            verify=verify,
            hwaccel=hwaccel,
        )
        batch = FileBatch(
            [Path(source) for source in sources],
            output,
            pattern=name,
            recursive=recursive,
            skip_existing=skip_existing,
            workers=jobs,
        )
        batch.carry_out(job, report_path=report, is_quiet=quiet)
