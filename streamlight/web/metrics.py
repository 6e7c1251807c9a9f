"""The figures of all cameras in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from streamlight import __version__
from streamlight.cameras.camera import Camera
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.status import CameraStatus
from streamlight.sources.reconnect import LivePhase

_CAMERA = ["camera"]


class CameraCollector:
    """Reads the cameras when somebody asks."""

    def __init__(self, group: CameraGroup) -> None:
        """Belong to a group."""
        self._group = group

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        yield InfoMetricFamily(
            "streamlight",
            "What runs.",
            value={
                "version": __version__,
                "model": self._group.model.name,
                "backend": self._group.info.backend,
                "precision": self._group.info.precision,
            },
        )
        statuses = _statuses(self._group.cameras)
        yield from _counters(statuses)
        yield from _gauges(statuses)
        yield _outputs(statuses)


def _statuses(cameras: Mapping[str, Camera]) -> list[CameraStatus]:
    return [camera.status() for camera in cameras.values()]


def _counters(statuses: list[CameraStatus]) -> Iterable[Metric]:
    frames_in = CounterMetricFamily(
        "streamlight_frames_received", "Frames that came from the camera.", labels=_CAMERA
    )
    frames_out = CounterMetricFamily(
        "streamlight_frames_enhanced", "Frames that were enhanced and shown.", labels=_CAMERA
    )
    dropped = CounterMetricFamily(
        "streamlight_frames_dropped",
        "Frames that were not shown, by reason.",
        labels=[*_CAMERA, "reason"],
    )
    reconnects = CounterMetricFamily(
        "streamlight_reconnects", "Lost connections that were made again.", labels=_CAMERA
    )
    restarts = CounterMetricFamily(
        "streamlight_restarts", "Restarts after other failures.", labels=_CAMERA
    )
    for status in statuses:
        frames_in.add_metric([status.name], status.frames_in)
        frames_out.add_metric([status.name], status.frames_out)
        reconnects.add_metric([status.name], status.reconnects)
        restarts.add_metric([status.name], status.restarts)
        for reason, count in status.drops.items():
            dropped.add_metric([status.name, reason], count)
    return frames_in, frames_out, dropped, reconnects, restarts


def _gauges(statuses: list[CameraStatus]) -> Iterable[Metric]:
    phase = GaugeMetricFamily(
        "streamlight_camera_phase",
        "1 for what the camera is doing, 0 for the rest.",
        labels=[*_CAMERA, "phase"],
    )
    fps = GaugeMetricFamily(
        "streamlight_frames_per_second", "Enhanced frames of the last seconds.", labels=_CAMERA
    )
    viewers = GaugeMetricFamily("streamlight_viewers", "Who watches.", labels=_CAMERA)
    factor = GaugeMetricFamily(
        "streamlight_process_factor",
        "The sides of the pictures are divided by this for the network.",
        labels=_CAMERA,
    )
    latency = GaugeMetricFamily(
        "streamlight_latency_seconds",
        "From capture to display, of the last frames.",
        labels=[*_CAMERA, "quantile"],
    )
    for status in statuses:
        for one in LivePhase:
            phase.add_metric([status.name, one.value], float(one is status.phase))
        fps.add_metric([status.name], status.fps)
        viewers.add_metric([status.name], status.viewers)
        factor.add_metric([status.name], status.process_factor)
        if status.latency is not None:
            recent = status.latency.recent
            for quantile, value_ms in (
                ("0.5", recent.p50_ms),
                ("0.95", recent.p95_ms),
                ("0.99", recent.p99_ms),
            ):
                latency.add_metric([status.name, quantile], value_ms / 1000)
    return phase, fps, viewers, factor, latency


def _outputs(statuses: list[CameraStatus]) -> Metric:
    failed = GaugeMetricFamily(
        "streamlight_output_failed",
        "1 for an output that takes no frames any more.",
        labels=[*_CAMERA, "output"],
    )
    for status in statuses:
        for output in status.outputs:
            failed.add_metric([status.name, output.name], float(output.failure is not None))
    return failed


def exposition(group: CameraGroup, accept: str) -> tuple[bytes, str]:
    """Return the metrics, and their content type, in the form that a client accepts."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CameraCollector(group))
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        encode, content_type = choose_encoder("")
    return encode(registry), content_type
