"""What a live run says of itself."""

from streamlight.cameras.source import LiveInput
from streamlight.cli.live_report import LiveReport
from streamlight.cli.progress import format_duration
from streamlight.pipeline import BranchReport, PipelineReport
from streamlight.sources.live import LiveSource
from streamlight.sources.reconnect import LivePhase

_REASONS = {
    "overtaken": "overtaken by newer ones",
    "network_busy": "network busy",
    "sink_busy": "output busy",
}


def describe_source(source: LiveInput) -> str:
    """Say "rtsp://camera/x: connected, 1280x720, 25 fps"."""
    info = source.info
    rate = f", {float(info.rate):.4g} fps" if info.rate else ""
    return f"{source.name}: connected, {info.width}x{info.height}{rate}"


def describe_now(facts: LiveReport, report: PipelineReport, rate: float) -> str:
    """Say "25.0 fps, 41 ms (p95 63 ms), 12 dropped, reconnects: 1, 0:34"."""
    parts = [f"{rate:.1f} fps"]
    if report.latency is not None:
        recent = report.latency.recent
        parts.append(f"{recent.p50_ms:.0f} ms (p95 {recent.p95_ms:.0f} ms)")
    dropped = sum(facts.drops.values())
    if dropped:
        parts.append(f"{dropped} dropped")
    if facts.reconnects:
        parts.append(f"reconnects: {facts.reconnects}")
    if isinstance(facts.source, LiveSource):
        phase = facts.source.state.phase
        if phase is not LivePhase.CONNECTED:
            parts.append(phase.value)
    return ", ".join([*parts, format_duration(report.wall_s)])


def describe_figures(facts: LiveReport, report: PipelineReport) -> list[str]:
    """Say in a line what became of the run, and in one each what became of the outputs."""
    drops = [f"{count} {_REASONS[why]}" for why, count in facts.drops.items() if count]
    total = (
        f"{report.frames_out} frames in {report.wall_s:.1f} s, {report.fps:.1f} fps; "
        f"dropped: {', '.join(drops) or 'none'}; reconnects: {facts.reconnects}"
    )
    return [total, *(_describe_sink(facts, sink) for sink in facts.sinks)]


def _describe_sink(facts: LiveReport, sink: BranchReport) -> str:
    latency = sink.latency
    text = f"{sink.name}: {sink.frames_out} frames"
    if sink.frames_dropped:
        text += f", {sink.frames_dropped} missed"
    if latency.frames:
        text += (
            f"; latency p50 {latency.p50_ms:.0f}, p95 {latency.p95_ms:.0f}, "
            f"p99 {latency.p99_ms:.0f} ms"
        )
    stream = facts.streams.get(sink.name)
    if stream is None:
        return text
    lost = [f"{count} {why.replace('_', ' ')}" for why, count in stream["drops"].items() if count]
    return f"{text}; sent {stream['frames_sent']}, lost: {', '.join(lost) or 'none'}"
