"""`streamlight info`: what is in a file, and whether enhancing it is worth it."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamlight.cli.errors import FAILED, describe, one_line_errors
from streamlight.cli.messages import one_line, say
from streamlight.cli.options import AsJson, Debug, start_log
from streamlight.errors import StreamlightError

if TYPE_CHECKING:
    from streamlight.facts import (
        BrightnessFacts,
        FileFacts,
        HdrFacts,
        PictureFacts,
        Tag,
        VideoFacts,
    )

Line = tuple[str, str]
"""A name, and what is to be said of it."""

_OF_FORMAT = {"major_brand", "minor_version", "compatible_brands"}
"""Metadata that say nothing to people; --json has them."""


def info(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Videos and pictures to look into.")
    ],
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read and decode all of it: counts frames, finds damage."),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what is in files: streams, colour, timing, brightness, and what stands in the way.

    The exit code is 1 when a file could not be read; the others are shown all the same.
    """
    with one_line_errors(debug):
        start_log(debug)
        found: list[dict[str, Any]] = []
        has_failed = False
        has_printed = False
        for file in files:
            try:
                facts = probe(file, deep=deep)
            except StreamlightError as error:
                has_failed = True
                say(describe(error))
                found.append({"path": str(file), "error": one_line(str(error))})
                continue
            found.append(facts.to_dict())
            if not as_json:
                if has_printed:
                    typer.echo()
                print_facts(facts)
                has_printed = True
        if as_json:
            typer.echo(json.dumps({"files": found}, indent=2))
        if has_failed:
            raise typer.Exit(FAILED)


def probe(path: Path, *, deep: bool = False) -> "FileFacts":
    """Read the facts of a picture or of a video, as the name says.

    Raises:
        SourceError: it cannot be read.
    """
    from streamlight.sources.picture_names import is_picture

    if is_picture(path) and path.is_file():
        from streamlight.sources.picture_facts import probe_picture

        return probe_picture(path)
    from streamlight.sources.probe import probe_video

    return probe_video(path, deep=deep)


def print_facts(facts: "FileFacts") -> None:
    """Print the facts of a file for people."""
    from streamlight.cli.table import print_table

    typer.echo(one_line(f"{facts.path}: {', '.join(_headline(facts))}"))
    if facts.streams:
        rows = [
            (
                str(stream.index),
                stream.type,
                " ".join(filter(None, (stream.codec or "unknown", stream.profile))),
                stream.language or "-",
                _bit_rate(stream.bit_rate),
                one_line(", ".join(filter(None, (stream.detail, stream.title)))),
                ", ".join(stream.dispositions),
            )
            for stream in facts.streams
        ]
        header = ("", "stream", "codec", "language", "bit rate", "detail", "disposition")
        print_table(header, rows)
    lines = list(describe_file(facts))
    width = max((len(name) for name, _ in lines), default=0)
    for name, text in lines:
        typer.echo(one_line(f"{name:<{width}}  {text}"))


def describe_file(facts: "FileFacts") -> Iterator[Line]:
    """Say in lines what a file is."""
    if facts.video is not None:
        yield from _describe_video(facts.video)
    if facts.picture is not None:
        yield from _describe_picture(facts.picture)
    if facts.chapters:
        titles = ", ".join(
            f"{chapter.title or 'untitled'} ({_clock(chapter.start_s)})"
            for chapter in facts.chapters
        )
        yield "chapters", f"{len(facts.chapters)}: {titles}"
    tags = [f"{k}={v.strip()}" for k, v in facts.metadata.items() if k.lower() not in _OF_FORMAT]
    if tags:
        yield "metadata", ", ".join(tags)
    if facts.brightness is not None:
        is_hdr = facts.video is not None and facts.video.hdr is not None
        of = ", of the HDR signal as it is coded" if is_hdr else ""
        yield "brightness", _describe_brightness(facts.brightness) + of
    for problem in facts.problems:
        yield "problem", problem
    yield "enhancing", _verdict(facts)


def _headline(facts: "FileFacts") -> Iterator[str]:
    yield facts.container_name
    if facts.duration_s is not None:
        yield f"{facts.duration_s:.3f} s"
    yield _size(facts.size_bytes)
    if facts.bit_rate:
        yield _bit_rate(facts.bit_rate)
    if facts.start_s:
        yield f"starts at {facts.start_s:.3f} s"


def _describe_video(video: "VideoFacts") -> Iterator[Line]:
    yield "picture", _describe_size(video)
    yield "rate", _describe_rate(video)
    yield "frames", _describe_count(video)
    alpha = ", with alpha" if video.has_alpha else ""
    sited = video.chroma in ("4:2:0", "4:2:2", "4:1:1", "4:4:0")
    place = (
        "location not stated" if video.chroma_location == "unspecified" else video.chroma_location
    )
    location = f", chroma {place}" if sited else ""
    yield (
        "pixels",
        f"{video.pixel_format}: {video.bits} bits, {video.chroma}{location}{alpha}",
    )
    tags = (
        ("matrix", video.matrix),
        ("range", video.range),
        ("primaries", video.primaries),
        ("transfer", video.transfer),
    )
    yield "colour", ", ".join(_describe_tag(name, tag) for name, tag in tags)
    if video.hdr is not None:
        yield "HDR", _describe_hdr(video.hdr)
    scan = "interlaced" if video.is_interlaced else "progressive"
    if video.field_order.endswith("first"):
        scan += f", {video.field_order}"
    elif video.field_order == "unknown" and not video.is_interlaced:
        scan += " (as the frames looked at say)"
    yield "scan", scan
    if video.audio_offset_s is not None:
        yield "sync", _describe_offset(video.audio_offset_s)


def _describe_tag(name: str, tag: "Tag") -> str:
    if tag.origin == "unknown":
        return f"{name} not stated"
    return f"{name} {tag.name}" + (" (guessed as players do)" if tag.origin == "guessed" else "")


def _describe_size(video: "VideoFacts") -> str:
    text = f"{video.width}x{video.height}"
    if video.sample_aspect_ratio != 1:
        aspect = video.sample_aspect_ratio
        text += f", pixels {aspect.numerator}:{aspect.denominator}"
    turns = []
    if video.rotation_degrees:
        turns.append(f"turned {_turn(video.rotation_degrees)}")
    if video.is_mirrored:
        turns.append("mirrored")
    if (video.display_width, video.display_height) != (video.width, video.height) or turns:
        text += f", shown as {video.display_width}x{video.display_height}"
    return f"{text} ({', '.join(turns)})" if turns else text


def _turn(degrees: int) -> str:
    if abs(degrees) == 180:
        return "180 degrees"
    return f"{abs(degrees)} degrees {'counter-clockwise' if degrees > 0 else 'clockwise'}"


def _describe_rate(video: "VideoFacts") -> str:
    timing = video.timing
    measured = Fraction(1000 / timing.mean_ms) if timing.mean_ms else None
    is_constant = timing.is_variable is False
    rate = measured if is_constant else video.average_rate or measured or video.nominal_rate
    text = f"{float(rate):.5g} fps" if rate else "unknown"
    if video.nominal_rate and rate and abs(video.nominal_rate / rate - 1) > 0.002:
        text += f" ({float(video.nominal_rate):.5g} nominally)"
    if timing.is_variable is None:
        return f"{text}; too few timestamps to tell whether it varies"
    of = "" if timing.is_complete else f" (in the first {timing.frames_read} frames)"
    shortest, longest = timing.shortest_ms or 0.0, timing.longest_ms or 0.0
    if timing.is_variable:
        return f"{text}, variable: {shortest:.2f} to {longest:.2f} ms a frame{of}"
    return f"{text}, constant: {timing.median_ms or 0.0:.2f} ms a frame{of}"


def _describe_count(video: "VideoFacts") -> str:
    parts = []
    if video.frames_counted is not None:
        parts.append(f"{video.frames_counted} counted")
    if video.frame_count is not None:
        parts.append(f"{video.frame_count} stated")
    elif video.timing.is_complete:
        parts.append(f"{video.timing.frames_read} packets read, none stated")
    if video.frames_hidden:
        parts.append(f"{video.frames_hidden} of them left out by the edit list")
    if video.timing.missing:
        parts.append(f"{video.timing.missing} without a timestamp")
    return ", ".join(parts) or "not stated; --deep counts them"


def _describe_hdr(hdr: "HdrFacts") -> str:
    parts: list[str] = [hdr.transfer] if hdr.transfer else []
    if hdr.dolby_vision_profile:
        parts.append(f"Dolby Vision profile {hdr.dolby_vision_profile}")
    if hdr.has_hdr10_plus:
        parts.append("HDR10+")
    if hdr.mastering_max_nits is not None:
        least = hdr.mastering_min_nits or 0.0
        parts.append(f"mastered at {least:g} to {hdr.mastering_max_nits:g} cd/m2")
    if hdr.max_cll_nits is not None:
        parts.append(f"MaxCLL {hdr.max_cll_nits}")
    if hdr.max_fall_nits is not None:
        parts.append(f"MaxFALL {hdr.max_fall_nits}")
    return ", ".join(parts)


def _describe_offset(offset_s: float) -> str:
    if abs(offset_s) < 0.5e-3:
        return "sound and picture start together"
    when = "after" if offset_s > 0 else "before"
    return f"the sound starts {abs(1e3 * offset_s):.1f} ms {when} the picture"


def _describe_picture(picture: "PictureFacts") -> Iterator[Line]:
    text = f"{picture.width}x{picture.height}"
    if picture.orientation != 1:
        text += f", shown as {picture.display_width}x{picture.display_height}"
        text += f" (EXIF orientation {picture.orientation})"
    yield "picture", text
    alpha = ", with alpha" if picture.has_alpha else ""
    yield "pixels", f"{picture.mode}: {picture.bits} bits{alpha}"
    yield "colour", f"ICC profile: {picture.icc_profile or 'none'}"
    if picture.pages > 1:
        yield "pages", str(picture.pages)
    if picture.taken_at:
        yield "taken", picture.taken_at
    if picture.camera:
        yield "camera", picture.camera


def _describe_brightness(brightness: "BrightnessFacts") -> str:
    text = f"{brightness.word}: mean luma {brightness.mean_luma:.0f} of 255"
    if brightness.samples > 1:
        span = f"{brightness.lowest:.0f} to {brightness.highest:.0f}"
        text += f" ({span} in {brightness.samples} frames)"
    return text


def _verdict(facts: "FileFacts") -> str:
    if facts.brightness is None:
        return "not possible"
    if not facts.brightness.is_worth_enhancing:
        return "not worth it: bright already"
    if facts.brightness.word == "bright":
        return "worth it in parts: some frames are dark"
    return "worth it"


def _bit_rate(bits: int | None) -> str:
    if bits is None:
        return "-"
    return f"{bits / 1e6:.3g} Mbit/s" if bits >= 1e6 else f"{bits / 1e3:.3g} kbit/s"


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:06.3f}"
