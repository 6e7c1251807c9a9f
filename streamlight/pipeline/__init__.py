"""Decode -> enhance -> encode in threads, over plain protocols."""

from streamlight.pipeline.channel import Policy
from streamlight.pipeline.fanout import Branch, BranchReport, FanOutSink
from streamlight.pipeline.latency import LatencyPart, LatencyReport, Quantiles
from streamlight.pipeline.pipeline import Pipeline
from streamlight.pipeline.protocols import (
    FrameEnhancer,
    Interruptible,
    Prior,
    Resettable,
    Sink,
    Source,
    WantsOriginal,
)
from streamlight.pipeline.rate import Rate
from streamlight.pipeline.report import DropReason, Outcome, PipelineReport, Stage

__all__ = [
    "Branch",
    "BranchReport",
    "DropReason",
    "FanOutSink",
    "FrameEnhancer",
    "Interruptible",
    "LatencyPart",
    "LatencyReport",
    "Outcome",
    "Pipeline",
    "PipelineReport",
    "Policy",
    "Prior",
    "Quantiles",
    "Rate",
    "Resettable",
    "Sink",
    "Source",
    "Stage",
    "WantsOriginal",
]
