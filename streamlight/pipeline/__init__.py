"""Decode -> enhance -> encode in threads, over plain protocols."""

from streamlight.pipeline.channel import Policy
from streamlight.pipeline.pipeline import Pipeline
from streamlight.pipeline.protocols import FrameEnhancer, Interruptible, Prior, Sink, Source
from streamlight.pipeline.report import Outcome, PipelineReport, Stage

__all__ = [
    "FrameEnhancer",
    "Interruptible",
    "Outcome",
    "Pipeline",
    "PipelineReport",
    "Policy",
    "Prior",
    "Sink",
    "Source",
    "Stage",
]
