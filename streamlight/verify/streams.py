"""Compares a stream that was copied with what it was copied from."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamlight.sources.inventory import StreamContent


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be.

    Attributes:
        part: what it is about, such as "frames" or "audio stream 1 (aac)".
        expected: what the input has, or what was meant.
        found: what the output has.
    """

    part: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.part}: {self.expected} expected, {self.found} found"


TOLERANCE_S = 1e-3
"""How far a timestamp may move: Matroska's unit, and the promise for sound against picture."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an input that is in the output.

    Attributes:
        start_s: on the input's clock.
        end_s: likewise, exclusive.
        is_stopped: the run was stopped, so the streams end somewhere before.
    """

    start_s: float
    end_s: float
    is_stopped: bool = False


_SAME_CODEC = {"mp1": "mp3", "mp2": "mp3", "ssa": "ass"}
"""MP4 has one number for all layers of MPEG audio; the packets themselves say which it is."""


def compare_stream(
    before: StreamContent,
    after: StreamContent,
    *,
    shifts_s: list[float],
    may_jump: bool = False,
    codec: str | None = None,
    window: Window | None = None,
) -> Iterator[Difference]:
    """Compare the packets, times and language of a copied or converted stream.

    Args:
        before: of the input.
        after: of the output.
        shifts_s: seconds by which the picture of the output is later, of each stretch of the
            input's clock.
        may_jump: whether the input's clock may jump forward.
        codec: what it was converted to; None where it was copied.
        window: the part of the input that was cut out; None for all.
    """
    name = before.name
    wanted = codec or before.codec
    if _SAME_CODEC.get(after.codec, after.codec) != _SAME_CODEC.get(wanted, wanted):
        yield Difference(f"codec of {name}", wanted, after.codec)
    else:
        pair = _pair_packets if codec is None else _pair_converted
        times, found, differences = pair(before, after, window)
        yield from differences
        if "attached_pic" not in before.dispositions:  # which is not shown at a time
            parts = stretches(times, may_jump=may_jump and before.type == "audio")
            moved = [_median(found[part] - times[part]) for part in parts]
            shifts = [shifts_s[np.abs(np.array(shifts_s) - m).argmin()] for m in moved]
            yield from compare_times(f"times of {name}", times, found, shifts, parts)
    if before.language != after.language:
        yield Difference(f"language of {name}", before.language or "none", after.language or "none")


def has_packets(stream: StreamContent, window: Window | None) -> bool:
    """Whether something of a stream lies in the part that was cut out; None for all."""
    times = np.array(stream.times_s)
    if window is None or "attached_pic" in stream.dispositions:
        return len(times) > 0
    return bool((np.isnan(times) | ((times >= window.start_s) & (times < window.end_s))).any())


def stretches(times_s: NDArray[np.float64], *, may_jump: bool) -> list[slice]:
    """Part times where their clock jumps, as where recordings were joined.

    Args:
        times_s: NaN where none is stated.
        may_jump: whether the format's clock may also jump forward.
    """
    back_s, forward_s = (0.1, 10.0) if may_jump else (1.0, np.inf)
    starts, reached_s = [0], -np.inf
    for number, time_s in enumerate(times_s):
        if np.isnan(time_s):
            continue
        if time_s < reached_s - back_s or (reached_s + forward_s < time_s and reached_s > -np.inf):
            starts.append(number)
            reached_s = time_s
        reached_s = max(reached_s, time_s)
    ends = [*starts[1:], len(times_s)]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def compare_times(
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    shifts_s: list[float],
    parts: list[slice],
) -> Iterator[Difference]:
    """Compare times one by one, where the input states one and it does not lie before the last.

    Those are mended in the output, by rules that are not the input's.

    Args:
        name: of what they are the times.
        before: of the input, in seconds; NaN where none is stated.
        after: of the output, as many.
        shifts_s: by which those of each part are later in the output.
        parts: from `stretches`.
    """
    due = before.copy()
    is_good = np.isfinite(before)
    for part, shift_s in zip(parts, shifts_s, strict=True):
        latest = np.maximum.accumulate(np.where(is_good, before, -np.inf)[part])
        is_good[part][1:] &= before[part][1:] > latest[:-1]
        due[part] += shift_s
    late = np.where(np.isnan(after), np.inf, after) - due  # the output has to state a time
    bad = np.flatnonzero(is_good & ~(np.abs(late) <= TOLERANCE_S))
    if len(bad) == 0:
        return
    usual = _median(late[is_good])
    if len(bad) == is_good.sum() and np.abs(late[bad] - usual).max() <= TOLERANCE_S:
        when = "later" if usual > 0 else "earlier"
        yield Difference(name, "as in the input", f"all {milliseconds(abs(usual))} {when}")
        return
    first = int(bad[0])
    yield Difference(
        name,
        f"{due[first]:.4f} s at number {first}",
        f"{after[first]:.4f} s; {len(bad)} of {len(before)} differ",
    )


def _median(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def milliseconds(seconds: float) -> str:
    """Write a time so that a millisecond can be seen: "20.0 ms", "12.345 s"."""
    return f"{1e3 * seconds:.1f} ms" if abs(seconds) < 1 else f"{seconds:.3f} s"


_Pairs = tuple[NDArray[np.float64], NDArray[np.float64], list[Difference]]
"""Times of what belongs together in input and output, and what differs besides."""

_NOTHING = np.empty(0)


def _pair_packets(before: StreamContent, after: StreamContent, window: Window | None) -> _Pairs:
    """Compare the bytes of a copied stream."""
    if window is not None:
        return _pair_part(before, after, window)
    name = before.name
    times, found = np.array(before.times_s), np.array(after.times_s)
    firsts = range(before.hidden + 1)  # what an edit list hides may be left out
    first = next((n for n in firsts if _run_from(n, before, after) == len(times)), None)
    if before.is_pcm:  # containers cut it where they like
        if first is None:
            counts = f"{before.ends[-1]} bytes", f"{after.ends[-1]} bytes, not the same"
            return _NOTHING, _NOTHING, [Difference(name, *counts)]
        return times[first:][:1], found[:1], []
    if first is not None:
        return times[first:], found, []
    if len(times) != len(found):
        counts = f"{len(times)} packets", f"{len(found)} packets"
        return _NOTHING, _NOTHING, [Difference(name, *counts)]
    return times, found, _changed(name, before.digests, after.digests)


def _changed(name: str, before: list[bytes], after: list[bytes]) -> list[Difference]:
    pairs = zip(before, after, strict=True)
    changed = [number for number, (one, other) in enumerate(pairs) if one != other]
    if not changed:
        return []
    which = "1 packet differs," if len(changed) == 1 else f"{len(changed)} packets differ, first"
    return [Difference(name, "the same bytes", f"{which} number {changed[0]}")]


def _pair_part(before: StreamContent, after: StreamContent, window: Window) -> _Pairs:
    """Find the packets of a part that was cut out, and compare them.

    The packet that a cut goes through may be there or not, and its time may be moved to the cut.
    """
    times, found = np.array(before.times_s), np.array(after.times_s)
    is_inside = (times >= window.start_s) & (times < window.end_s)
    inside = np.flatnonzero(is_inside)
    run = _align(before, after, near=int(inside[0]) if len(inside) else 0)
    if run is None:
        wanted = f"{len(inside)} packets of the part"
        is_same = len(found) == 0 and (len(inside) <= 2 or window.is_stopped)
        differences = [] if is_same else [Difference(before.name, wanted, f"{len(found)} others")]
        return _NOTHING, _NOTHING, differences
    latest = max(inside[0], before.hidden) if len(inside) else 0  # the hidden may be left out
    is_late = len(inside) > 0 and not inside[0] - 2 <= run.start <= latest + 2
    is_short = len(inside) > 0 and abs(inside[-1] + 1 - run.stop) > 2
    if is_late or (is_short and not window.is_stopped):
        wanted = f"packets {inside[0]} to {inside[-1]}"
        text = f"packets {run.start} to {run.stop - 1}"
        return _NOTHING, _NOTHING, [Difference(before.name, wanted, text)]
    if before.is_pcm:
        return times[run][:1], found[:1], []
    return times[run][is_inside[run]], found[is_inside[run]], []


def _align(before: StreamContent, after: StreamContent, near: int) -> slice | None:
    """Find the run of the input's packets that the output has; None where it is no such run.

    Of several, as in silence, the one that begins nearest to packet `near`.
    """
    firsts = range(len(before.digests)) if after.digests else ()
    for first in sorted(firsts, key=lambda first: abs(first - near)):
        end = _run_from(first, before, after)
        if end is not None:
            return slice(first, end)
    return None


def _run_from(first: int, before: StreamContent, after: StreamContent) -> int | None:
    """Tell where the run of the input's packets that are the output's ends; None if they differ."""
    if before.is_pcm:
        end = bisect_left(before.ends, before.ends[first] + after.ends[-1])
        is_whole = (
            end < len(before.ends) and before.ends[end] - before.ends[first] == after.ends[-1]
        )
        is_same = is_whole and before.number(first, end) == after.number(0, len(after.digests))
    else:
        end = first + len(after.digests)
        begins = before.digests[first : first + 1] == after.digests[:1]  # without long copies
        is_same = begins and before.digests[first:end] == after.digests
    return end if is_same else None


def _pair_converted(before: StreamContent, after: StreamContent, window: Window | None) -> _Pairs:
    """Compare what a conversion keeps: words and times of subtitles, times of sound."""
    if before.type == "subtitle":
        return _pair_texts(before, after, window)
    times, found = np.array(before.times_s), np.array(after.times_s)
    if window is not None:
        return _NOTHING, _NOTHING, []
    return (times, found, []) if len(times) == len(found) else (times[:1], found[:1], [])


def _pair_texts(before: StreamContent, after: StreamContent, window: Window | None) -> _Pairs:
    """Compare the words of converted subtitles; empty ones only clear the screen."""
    wanted, found = (
        [(time, text) for time, text in zip(s.times_s, s.texts, strict=True) if text]
        for s in (before, after)
    )
    if window is not None:
        # one that is shown across the start is there from 0 on, and says nothing of the times
        start_s, end_s = window.start_s, window.end_s
        wanted = [(time, text) for time, text in wanted if start_s <= time < end_s]
        if window.is_stopped:
            wanted = wanted[: len(found)]
        across = len(found) - len(wanted)
        found = found[across:] if 0 < across <= 2 else found
    if [text for _, text in wanted] != [text for _, text in found]:
        pairs = zip((t for _, t in wanted), (t for _, t in found), strict=False)
        first = next((f": {one!r}, {other!r}" for one, other in pairs if one != other), "")
        counts = f"{len(wanted)} texts", f"{len(found)} texts{first}"
        return _NOTHING, _NOTHING, [Difference(before.name, *counts)]
    one, other = (np.array([time for time, _ in pairs], np.float64) for pairs in (wanted, found))
    return one, other, []
