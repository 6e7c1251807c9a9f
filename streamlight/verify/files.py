"""Compares a written file with the file it was made from: everything but the brightness.

Both files are read anew, from end to end. What was meant to differ is told in an `Expectation`;
what else differs comes back as a list, empty when the result is faithful. What is compared, and
what can not be found, is in docs/verify.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamlight.color import UNSPECIFIED, ColorSpec, Matrix
from streamlight.color_names import color_name, is_stated
from streamlight.errors import SinkError, SourceError, VerificationError
from streamlight.sources.inventory import FileContent, StreamContent, VideoContent, read_content
from streamlight.sources.window import Window as Cut
from streamlight.verify.frames import FrameMatch, Region, match_frames
from streamlight.verify.streams import (
    TOLERANCE_S,
    Difference,
    Window,
    compare_stream,
    compare_times,
    has_packets,
    milliseconds,
    stretches,
)
from streamlight.verify.tags import compare_chapters, compare_metadata

_PREROLL_S = 0.1
"""The longest packet of sound: a part begins with the one that the cut goes through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is meant to differ from the input; by default nothing is.

    Attributes:
        size: width and height of the output, where filters or a comparison change them.
        sample_aspect_ratio: of the output, where a filter changes it.
        rotation_degrees: of the output, where the pictures were turned.
        color: tags of the output, where the colours were converted (HDR to SDR).
        bits: of a channel in the output, where they are fewer than in the input.
        chroma: sampling of the output, such as "4:2:0", where it is coarser than in the input.
        frames_per_input: 2 where each interlaced frame became two.
        start_s: start of what was cut out, counted as the output's clock would count; None for
            the start of the input.
        end_s: end of it, exclusive; None for the end of the input.
        is_partial: the run was stopped, so the output is a part from the beginning.
        omitted: indices of the input's streams that were left out, and said so.
        converted: codec of the output by index of the input, for streams that were converted.
        lost_metadata: keys, in lower case, that were left out on purpose.
        region: part of the output that shows the enhanced or the plain picture whole, as
            fractions (left, top, right, bottom), for the comparison frame by frame.
    """

    size: tuple[int, int] | None = None
    sample_aspect_ratio: Fraction | None = None
    rotation_degrees: int | None = None
    color: ColorSpec | None = None
    bits: int | None = None
    chroma: str | None = None
    frames_per_input: int = 1
    start_s: float | None = None
    end_s: float | None = None
    is_partial: bool = False
    omitted: frozenset[int] = frozenset()
    converted: Mapping[int, str] = field(default_factory=dict)
    lost_metadata: frozenset[str] = frozenset()
    region: Region = (0.0, 0.0, 1.0, 1.0)

    @property
    def is_trimmed(self) -> bool:
        """Whether the output is a part of the input."""
        return self.start_s is not None or self.end_s is not None or self.is_partial


@dataclass(frozen=True, slots=True)
class Verification:
    """What comparing an output with its input found.

    Attributes:
        differences: what differs and was not meant to; empty for a faithful output.
        frames: of the output.
        match: of the comparison frame by frame; None where it was not asked for, or where the
            numbers of frames differ already.
    """

    differences: tuple[Difference, ...]
    frames: int
    match: FrameMatch | None = None

    def check(self, target: Path) -> None:
        """Raise if there are differences.

        Raises:
            VerificationError: there are; it names the first.
        """
        if self.differences:
            count = len(self.differences)
            more = f", and {count - 1} more" if count > 1 else ""
            raise VerificationError(
                f"{target}: differs from its input: {self.differences[0]}{more}"
            )


def verify_file(
    source: str | Path,
    target: str | Path,
    *,
    deep: bool = False,
    expected: Expectation | None = None,
) -> Verification:
    """Compare an output with its input.

    Args:
        source: the input.
        target: the output.
        deep: decode the output too, and find the frame of the input that each one shows.
        expected: what is meant to differ.

    Returns:
        What differs besides; its `differences` are empty when nothing does.

    Raises:
        SourceError: the input cannot be read any more.
        SinkError: the output cannot be read.
    """
    expected = expected or Expectation()
    before = read_content(source, decode=True, start_s=expected.start_s, end_s=expected.end_s)
    try:
        after = read_content(target, decode=False)
    except SourceError as error:
        raise SinkError(f"the written file cannot be read: {error}") from error
    differences = list(compare_contents(before, after, expected))
    match = None
    if deep and not any(difference.part == "frames" for difference in differences):
        match = match_frames(
            before.path,
            after.path,
            frames=len(after.video.times_s) // expected.frames_per_input,
            step=expected.frames_per_input,
            start_s=None if expected.start_s is None else _window(before, expected)[0],
            region=expected.region,
        )
        differences += match.differences
    return Verification(tuple(differences), len(after.video.times_s), match)


def compare_contents(
    before: FileContent, after: FileContent, expected: Expectation
) -> Iterator[Difference]:
    """Compare two files that were read; see `verify_file`."""
    shifts_s, found = _compare_frames(before, after, expected)
    yield from found
    yield from _compare_description(before.video, after.video, expected)
    yield from _compare_color(before.video, after, expected)
    yield from _compare_streams(before, after, expected, shifts_s)
    title, found_title = before.video.title, after.video.title
    if "matroska" in after.formats and title != found_title:  # others have no place for it
        yield Difference("title of the video", title or "none", found_title or "none")
    if not expected.is_trimmed and len(shifts_s) == 1:
        if not {"avi", "mpegts"} & set(after.formats):  # which hold none
            yield from compare_chapters(before, after, shifts_s[0])
        yield from _compare_duration(before, after, expected, shifts_s[0])
    yield from compare_metadata(before, after, expected.lost_metadata)


def _window(before: FileContent, expected: Expectation) -> tuple[float, float]:
    """Tell which times of the input are in the output, on the input's clock.

    Both lie half a tick before a time of the picture's clock, so that rounding decides nothing.
    """
    tick = before.video.tick_s
    zero = round((before.start_s or 0.0) / tick) if before.has_untrusted_start else 0
    first, end = Cut.of(expected.start_s, expected.end_s, None).in_ticks(tick)
    return (
        -np.inf if expected.start_s is None else float((zero + first) * tick - tick / 2),
        np.inf if end is None else float((zero + end) * tick - tick / 2),
    )


def _compare_frames(
    before: FileContent, after: FileContent, expected: Expectation
) -> tuple[list[float], list[Difference]]:
    """Compare the number and the times of the pictures.

    Returns:
        Seconds by which the output is later than the input: one number for each stretch of the
        input's clock, which may jump. And what differs.
    """
    start, end = _window(before, expected)
    times = before.video.times_s
    is_in = np.isnan(times) | ((times >= start) & (times < end))
    times = times[is_in]
    found_times = after.video.times_s[:: expected.frames_per_input]
    if expected.is_partial:
        times = times[: len(found_times)]
    parts = stretches(times, may_jump=before.has_untrusted_start)
    moved = [_moved(times[part], found_times[part]) for part in parts] or [0.0]
    allowed_s = moved[0]
    if not after.has_untrusted_start:  # else the muxer lets the clock start where it likes
        allowed_s = _allowed_shift(before, times, expected, moved[0])
    wanted = len(times) * expected.frames_per_input
    if len(after.video.times_s) != wanted:
        where = _first_gap(times + allowed_s, found_times) if len(parts) == 1 else ""
        text = f"{len(after.video.times_s)}{where}"
        return moved, [Difference("frames", str(wanted), text)]
    shifts = [allowed_s, *moved[1:]]
    return moved, list(compare_times("frame times", times, found_times, shifts, parts))


def _moved(times: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Seconds by which the picture of the output is later: the median of the first frames."""
    both = min(len(times), len(found))
    moved = (found[:both] - times[:both])[:50]
    moved = moved[np.isfinite(moved)]
    return float(np.median(moved)) if len(moved) else 0.0


def _allowed_shift(
    before: FileContent, times: NDArray[np.float64], expected: Expectation, moved_s: float
) -> float:
    """Tell by how much all streams of the output may be later, nearest to what they are.

    Not at all; or so that a clock that starts anywhere, or before 0, starts at 0: with the
    picture, or with whatever is the earliest. A part that was cut out starts at 0 between the
    packet of sound that the cut goes through and its first picture.
    """
    stated = times[np.isfinite(times)]
    firsts = [float(stated[0])] if len(stated) else [0.0]
    if expected.start_s is not None:
        cut = _window(before, expected)[0]
        return -float(np.clip(-moved_s, cut - _PREROLL_S, max(cut, firsts[0])))
    for stream in before.streams:
        begun = np.array(stream.times_s[: stream.hidden + 1])
        firsts += begun[np.isfinite(begun)].tolist()
    allowed = [0.0]
    if before.has_untrusted_start:
        allowed += [-(before.start_s or 0.0), *(-first for first in firsts)]
    else:
        allowed += [-first for first in firsts if first < 0]
    return min(allowed, key=lambda shift_s: abs(shift_s - moved_s))


def _first_gap(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> str:
    """Say where the first frame is missing, or is too much; "" where the times do not tell."""
    both = min(len(wanted), len(found))
    apart = np.abs(found[:both] - wanted[:both]) > TOLERANCE_S
    if not np.isfinite(wanted).all():
        return ""
    index = int(apart.argmax()) if apart.any() else both
    if len(found) < len(wanted):
        return f" (the one of {wanted[index]:.3f} s is missing)"
    return f" (one too many at {found[index]:.3f} s)" if index < len(found) else ""


def _compare_description(
    before: VideoContent, after: VideoContent, expected: Expectation
) -> Iterator[Difference]:
    size = expected.size or (before.width, before.height)
    if (after.width, after.height) != size:
        yield Difference("size", f"{size[0]}x{size[1]}", f"{after.width}x{after.height}")
    aspect = expected.sample_aspect_ratio or before.sample_aspect_ratio
    if after.sample_aspect_ratio != aspect:
        yield Difference("shape of the pixels", str(aspect), str(after.sample_aspect_ratio))
    turn = before.rotation_degrees
    if expected.rotation_degrees is not None:
        turn = expected.rotation_degrees
    if after.rotation_degrees != turn:
        yield Difference("rotation", f"{turn} degrees", f"{after.rotation_degrees} degrees")
    if after.is_mirrored != before.is_mirrored:
        yield Difference("mirrored", str(before.is_mirrored), str(after.is_mirrored))
    bits = expected.bits or before.bits
    if after.bits < bits:
        yield Difference("bits", str(bits), str(after.bits))
    chroma = expected.chroma or before.chroma
    if _COARSENESS.get(after.chroma, 0) > _COARSENESS.get(chroma, 0):
        yield Difference("chroma sampling", chroma, after.chroma)
    if before.language != after.language:
        yield Difference(
            "language of the video", before.language or "none", after.language or "none"
        )


_COARSENESS = {"RGB": 0, "4:4:4": 0, "4:2:2": 1, "4:4:0": 1, "4:2:0": 2, "4:1:1": 2, "4:1:0": 3}


def _compare_color(
    before: VideoContent, after: FileContent, expected: Expectation
) -> Iterator[Difference]:
    """Compare the tags: what the input states must be there, and what it does not, be guessed.

    Where a file cannot state them, what counts is what players guess.
    """
    wanted, found = expected.color, after.video.color
    if wanted is None:
        size = before.width, before.height
        wanted = before.color.resolved(*size)
        if found.matrix != Matrix.RGB:
            wanted = wanted.for_yuv(*size)
        if before.color.primaries == UNSPECIFIED and before.color.transfer == UNSPECIFIED:
            # stating what players assume anyway is no difference
            wanted = ColorSpec(wanted.matrix, wanted.range, found.primaries, found.transfer)
    can_state = _can_state(wanted, after)
    if not can_state:
        found = found.resolved(after.video.width, after.video.height)
    for name in ("matrix", "range", "primaries", "transfer"):
        one, other = getattr(wanted, name), getattr(found, name)
        if not can_state and not is_stated(name, other):
            continue
        if one != other and is_stated(name, one):
            yield Difference(f"colour {name}", color_name(name, one), color_name(name, other))


def _can_state(color: ColorSpec, after: FileContent) -> bool:
    """Whether a file has a place for tags: FFV1 and AVI have none; MP4 takes three or none."""
    if after.video.codec != "ffv1" or "matroska" in after.formats:
        return True
    three = ("matrix", "primaries", "transfer")
    return "mp4" in after.formats and all(is_stated(name, getattr(color, name)) for name in three)


def _compare_streams(
    before: FileContent, after: FileContent, expected: Expectation, shifts_s: list[float]
) -> Iterator[Difference]:
    """Pair the streams of each type in their order, and compare each pair."""
    both_matroska = "matroska" in before.formats & after.formats
    window = None
    if expected.is_trimmed:
        window = Window(*_window(before, expected), is_stopped=expected.is_partial)
    kinds = dict.fromkeys(stream.type for stream in (*before.streams, *after.streams))
    if "matroska" not in after.formats:  # others have no place for fonts
        kinds.pop("attachment", None)
    for kind in kinds:
        wanted = [s for s in before.streams if s.type == kind and s.index not in expected.omitted]
        found = [s for s in after.streams if s.type == kind]
        if len(wanted) > len(found):  # MP4 leaves out a stream without packets
            wanted = [stream for stream in wanted if has_packets(stream, window)]
        if len(wanted) != len(found):
            yield Difference(f"{kind} streams", _list(wanted), _list(found))
            continue
        for one, other in zip(wanted, found, strict=True):
            yield from compare_stream(
                one,
                other,
                shifts_s=shifts_s,
                may_jump=before.has_untrusted_start,
                codec=expected.converted.get(one.index),
                window=window,
            )
            if "matroska" in after.formats and one.title != other.title:
                yield Difference(f"title of {one.name}", one.title or "none", other.title or "none")
            if both_matroska and one.dispositions != other.dispositions:
                yield Difference(
                    f"disposition of {one.name}",
                    ", ".join(sorted(one.dispositions)) or "none",
                    ", ".join(sorted(other.dispositions)) or "none",
                )


def _list(streams: list[StreamContent]) -> str:
    return ", ".join(stream.name for stream in streams) or "none"


def _compare_duration(
    before: FileContent, after: FileContent, expected: Expectation, shift_s: float
) -> Iterator[Difference]:
    """Compare what the containers state: a tail that was cut off, a last frame held for ever."""
    if before.duration_s is None or before.has_untrusted_start:
        return
    kept = [stream for stream in before.streams if stream.index not in expected.omitted]
    lasting_s = max([before.video.end_s, *(stream.end_s for stream in kept if stream.lasts)])
    last_s = max([lasting_s, *(stream.end_s for stream in kept)])
    ends = [before.duration_s, lasting_s, last_s]  # MP4 may count subtitles or not
    if before.chapters:  # it counts them
        ends.append(max(last_s, *(chapter.end_s for chapter in before.chapters)))
    ends += [end + shift_s for end in ends]
    # some formats state when they end, some for how long they are
    for start_s in {before.start_s or 0.0, after.start_s or 0.0}:
        ends += [sign * start_s + end for end in ends for sign in (1, -1)]
    steps = np.diff(before.video.times_s)
    steps = np.append(steps[np.isfinite(steps)], 0.05)
    # MP4 is shorter by the frames that wait for others; that none is missing was seen before
    usual_s, longest_s = max(np.median(steps), 0.05) + TOLERANCE_S, steps.max() + TOLERANCE_S
    found = after.duration_s or 0.0
    if not any(-longest_s <= found - end <= usual_s for end in ends):
        yield Difference("duration", milliseconds(last_s), milliseconds(found))
