"""Brighten a video file with one call.

    python examples/enhance_a_file.py                     # the demo clip, to night.bright.mp4
    python examples/enhance_a_file.py dark.mp4 bright.mp4

The output has the frames, timing, sound, subtitles and tags of the input. It appears under its
name when it is complete, so an interrupted run leaves nothing behind.
"""

import argparse
from pathlib import Path

import streamlight
from streamlight import Look, PipelineReport, StreamlightError


def show_progress(report: PipelineReport) -> None:
    """Rewrite one line; `enhance_file` calls this about ten times a second."""
    print(f"\r{report.frames_out} frames, {report.fps:.1f} a second ", end="", flush=True)


def main() -> None:
    """Read the command line and brighten the file."""
    parser = argparse.ArgumentParser(description="Brighten a video file.")
    parser.add_argument(
        "source", nargs="?", type=Path, default=Path(__file__).with_name("night.mp4")
    )
    parser.add_argument("target", nargs="?", type=Path, default=Path("night.bright.mp4"))
    parser.add_argument("-y", "--overwrite", action="store_true", help="replace the target")
    arguments = parser.parse_args()

    # A little of the darkness stays, so that night still looks like night.
    look = Look(strength=0.9, exposure_ev=-0.2)
    try:
        result = streamlight.enhance_file(
            arguments.source,
            arguments.target,
            look=look,
            overwrite=arguments.overwrite,
            on_progress=show_progress,
        )
    except StreamlightError as error:
        raise SystemExit(str(error)) from error
    print(f"\n{result.output}: {result.report.bottleneck_text} was the slowest stage")
    for note in result.notes:
        print(f"note: {note}")


if __name__ == "__main__":
    main()
