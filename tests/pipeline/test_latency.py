import random

import pytest

from streamlight.pipeline.latency import (
    RECENT_FRAMES,
    FrameClock,
    LatencyHistogram,
    LatencyPart,
    LatencyRecorder,
    Quantiles,
    quantiles_of,
)


def test_the_quantiles_of_the_histogram_are_within_one_percent() -> None:
    rng = random.Random(1)  # noqa: S311
    durations_s = [rng.lognormvariate(-4, 1.2) for _ in range(5000)]
    histogram = LatencyHistogram()
    for duration_s in durations_s:
        histogram.add(duration_s)
    found, exact = histogram.quantiles(), quantiles_of(durations_s)
    assert found.frames == exact.frames == 5000
    assert found.p50_ms == pytest.approx(exact.p50_ms, rel=0.011)
    assert found.p95_ms == pytest.approx(exact.p95_ms, rel=0.011)
    assert found.p99_ms == pytest.approx(exact.p99_ms, rel=0.011)
    assert found.max_ms == exact.max_ms


@pytest.mark.parametrize("duration_s", [-0.5, 0.0, 1e-9, 1e6])
def test_a_duration_outside_of_the_bins_is_counted_at_their_end(duration_s: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(duration_s)
    assert histogram.quantiles().frames == 1
    assert histogram.quantiles().p50_ms <= max(1e3 * duration_s, 0.0)


def test_exact_quantiles_are_values_that_occurred() -> None:
    assert quantiles_of([]) == Quantiles()
    assert quantiles_of([0.25]) == Quantiles(1, 250, 250, 250, 250)
    figures = quantiles_of([place / 1000 for place in range(100, 0, -1)])
    assert figures == Quantiles(100, 50.0, 95.0, 99.0, 100.0)


def clock(captured: float, *, encode_s: float) -> FrameClock:
    taken = captured + 0.010
    return FrameClock(
        captured, taken, taken + 0.002, taken + 0.032, taken + 0.035, taken + 0.035 + encode_s
    )


def test_the_parts_of_a_frame_add_up_to_its_total() -> None:
    recorder = LatencyRecorder()
    recorder.add(clock(50.0, encode_s=0.005))
    report = recorder.report()
    assert report is not None
    assert report.total.p50_ms == pytest.approx(50, rel=0.011)
    expected_ms = {"queue": 10, "estimate": 2, "reconstruct": 30, "order": 3, "encode": 5}
    found_ms = {part.value: report.parts[part].max_ms for part in LatencyPart}
    assert found_ms == pytest.approx(expected_ms)


def test_recent_forgets_what_total_remembers() -> None:
    recorder = LatencyRecorder()
    assert recorder.report() is None
    for index in range(RECENT_FRAMES):
        recorder.add(clock(index, encode_s=1.0))
    for index in range(RECENT_FRAMES):
        recorder.add(clock(index, encode_s=0.005))
    report = recorder.report()
    assert report is not None
    assert report.total.frames == 2 * RECENT_FRAMES
    assert report.total.p95_ms > 1000
    assert report.recent.frames == RECENT_FRAMES
    assert report.recent.max_ms == pytest.approx(50)
