import json
import threading
import time
from dataclasses import FrozenInstanceError, replace

import pytest

from streamlight.pipeline.channel import Channel, Policy
from streamlight.pipeline.latency import LatencyPart, LatencyReport, Quantiles
from streamlight.pipeline.report import (
    DropReason,
    Outcome,
    PipelineReport,
    QueueWait,
    Recorder,
    Stage,
)

REPORT = PipelineReport(
    frames_in=110,
    frames_out=100,
    frames_dropped=10,
    wall_s=20.0,
    parallel=4,
    busy_s={
        Stage.DECODE: 2.0,
        Stage.ESTIMATE: 5.0,
        Stage.RECONSTRUCT: 76.8,
        Stage.ENCODE: 19.0,
    },
    decoded_wait=QueueWait(put_s=12.0, get_s=0.5),
    enhanced_wait=QueueWait(put_s=14.0, get_s=0.25),
    outcome=Outcome.END_OF_STREAM,
    drops={DropReason.NETWORK_BUSY: 7, DropReason.SINK_BUSY: 3},
    latency=LatencyReport(
        total=Quantiles(100, 20.0, 30.0, 40.0, 50.0),
        recent=Quantiles(50, 21.0, 31.0, 41.0, 51.0),
        parts={LatencyPart.ENCODE: Quantiles(100, 2.0, 3.0, 4.0, 5.0)},
    ),
    advice="buy a faster computer",
)


def test_utilisation_is_per_worker() -> None:
    assert REPORT.stage_utilisation() == pytest.approx(
        {
            Stage.DECODE: 0.1,
            Stage.ESTIMATE: 0.25,
            Stage.RECONSTRUCT: 0.96,
            Stage.ENCODE: 0.95,
        }
    )


def test_the_bottleneck_is_the_busiest_stage_and_not_the_one_with_most_seconds() -> None:
    assert REPORT.bottleneck is Stage.RECONSTRUCT
    assert REPORT.bottleneck_text == "reconstruct (96 % busy)"
    on_more_workers = replace(REPORT, parallel=5)
    assert on_more_workers.bottleneck is Stage.ENCODE
    assert on_more_workers.bottleneck_text == "encode (95 % busy)"


def test_frames_per_second_count_what_reached_the_sink() -> None:
    assert REPORT.fps == 5.0


def test_a_report_of_nothing_divides_by_nothing() -> None:
    empty = replace(REPORT, frames_out=0, wall_s=0.0, busy_s=dict.fromkeys(Stage, 0.0))
    assert empty.fps == 0.0
    assert empty.bottleneck is None
    assert empty.bottleneck_text == "none"
    assert set(empty.stage_utilisation().values()) == {0.0}
    assert empty.to_dict()["bottleneck"] is None


def test_the_dictionary_is_json_with_units_in_its_names() -> None:
    figures = json.loads(json.dumps(REPORT.to_dict()))
    utilisation = figures.pop("utilisation_percent")
    assert utilisation == pytest.approx(
        {"decode": 10, "estimate": 25, "reconstruct": 96, "encode": 95}
    )
    assert figures == {
        "outcome": "end_of_stream",
        "frames_in": 110,
        "frames_out": 100,
        "frames_dropped": 10,
        "drops": {"network_busy": 7, "sink_busy": 3},
        "wall_s": 20.0,
        "frames_per_s": 5.0,
        "parallel": 4,
        "busy_s": {"decode": 2.0, "estimate": 5.0, "reconstruct": 76.8, "encode": 19.0},
        "queue_wait_s": {
            "decoded_put": 12.0,
            "decoded_get": 0.5,
            "enhanced_put": 14.0,
            "enhanced_get": 0.25,
        },
        "bottleneck": "reconstruct",
        "latency": {
            "frames": 100,
            "p50_ms": 20.0,
            "p95_ms": 30.0,
            "p99_ms": 40.0,
            "max_ms": 50.0,
            "recent": {
                "frames": 50,
                "p50_ms": 21.0,
                "p95_ms": 31.0,
                "p99_ms": 41.0,
                "max_ms": 51.0,
            },
            "parts": {
                "encode": {
                    "frames": 100,
                    "p50_ms": 2.0,
                    "p95_ms": 3.0,
                    "p99_ms": 4.0,
                    "max_ms": 5.0,
                }
            },
        },
        "advice": "buy a faster computer",
    }


def test_a_snapshot_is_frozen_and_does_not_follow_the_run() -> None:
    recorder = Recorder(parallel=2)
    channel: Channel[int] = Channel(1, Policy.DROP_OLDEST)
    recorder.frame_in()
    with recorder.busy(Stage.DECODE):
        time.sleep(0.01)
    early = recorder.snapshot(channel, channel, channel)
    recorder.frame_in()
    recorder.frame_out()
    channel.put(0)
    recorder.frames_dropped(channel.put(1), DropReason.SINK_BUSY)
    with recorder.busy(Stage.DECODE):
        time.sleep(0.01)
    late = recorder.snapshot(channel, channel, channel, Outcome.STOPPED)

    assert (early.frames_in, early.frames_out, early.frames_dropped) == (1, 0, 0)
    assert (late.frames_in, late.frames_out, late.frames_dropped) == (2, 1, 1)
    assert early.outcome is None
    assert late.outcome is Outcome.STOPPED
    assert late.drops == {DropReason.NETWORK_BUSY: 0, DropReason.SINK_BUSY: 1}
    assert 0.01 <= early.busy_s[Stage.DECODE] < late.busy_s[Stage.DECODE] <= late.wall_s
    assert early.wall_s < late.wall_s
    with pytest.raises(FrozenInstanceError):
        early.frames_in = 5  # type: ignore[misc]


def test_the_waits_of_workers_and_results_count_as_waits_between_estimate_and_encode() -> None:
    recorder = Recorder(parallel=1)
    decoded: Channel[int] = Channel(1)
    enhanced: Channel[int] = Channel(1)
    free_workers: Channel[int] = Channel(1)
    decoded.put_wait_s, decoded.get_wait_s = 1.0, 2.0
    enhanced.put_wait_s, enhanced.get_wait_s = 3.0, 4.0
    free_workers.put_wait_s, free_workers.get_wait_s = 100.0, 0.5
    with recorder.waiting_for_result():
        time.sleep(0.01)
    report = recorder.snapshot(decoded, enhanced, free_workers)
    assert report.decoded_wait == QueueWait(put_s=1.0, get_s=2.0)
    assert report.enhanced_wait.put_s == 3.5
    assert 4.01 <= report.enhanced_wait.get_s < 4.5


def test_work_is_counted_also_when_it_fails() -> None:
    recorder = Recorder(parallel=1)
    channel: Channel[int] = Channel(1)
    with pytest.raises(OSError, match="broken"), recorder.busy(Stage.ENCODE):
        time.sleep(0.01)
        raise OSError("broken")
    assert recorder.snapshot(channel, channel, channel).busy_s[Stage.ENCODE] >= 0.01


def test_busy_seconds_of_many_workers_add_up() -> None:
    recorder = Recorder(parallel=4)
    channel: Channel[int] = Channel(1)
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        for _ in range(10):
            with recorder.busy(Stage.RECONSTRUCT):
                time.sleep(0.002)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    report = recorder.snapshot(channel, channel, channel)
    assert report.busy_s[Stage.RECONSTRUCT] >= 4 * 10 * 0.002
    assert report.stage_utilisation()[Stage.RECONSTRUCT] <= 1.0
