"""streamlight brightens dark video: files, webcams and RTSP cameras, with GLADNet.

import streamlight

streamlight.enhance_file("night.mp4", "out.mp4")

with streamlight.Enhancer.open() as enhancer:
    bright = enhancer(dark)  # NumPy RGB (H, W, 3)
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlight.api import enhance_file
    from streamlight.backends import BackendInfo
    from streamlight.enhance import Enhancer
    from streamlight.errors import (
        BackendError,
        BackendUnavailableError,
        ModelError,
        SinkError,
        SourceError,
        StreamlightError,
        UnsupportedSourceError,
        UsageError,
    )
    from streamlight.frame import Frame, StreamInfo
    from streamlight.look import Look
    from streamlight.pipeline import Pipeline, PipelineReport
    from streamlight.sinks import EncoderOptions, FileSink
    from streamlight.sources import FileSource, ReaderOptions

__version__ = "0.1.0"

_HOMES = {
    "BackendError": "errors",
    "BackendInfo": "backends",
    "BackendUnavailableError": "errors",
    "EncoderOptions": "sinks",
    "Enhancer": "enhance",
    "FileSink": "sinks",
    "FileSource": "sources",
    "Frame": "frame",
    "Look": "look",
    "ModelError": "errors",
    "Pipeline": "pipeline",
    "PipelineReport": "pipeline",
    "ReaderOptions": "sources",
    "SinkError": "errors",
    "SourceError": "errors",
    "StreamInfo": "frame",
    "StreamlightError": "errors",
    "UnsupportedSourceError": "errors",
    "UsageError": "errors",
    "enhance_file": "api",
}
"""Module of each public name; loaded when first used, so that the import itself costs nothing."""

__all__ = [
    "BackendError",
    "BackendInfo",
    "BackendUnavailableError",
    "EncoderOptions",
    "Enhancer",
    "FileSink",
    "FileSource",
    "Frame",
    "Look",
    "ModelError",
    "Pipeline",
    "PipelineReport",
    "ReaderOptions",
    "SinkError",
    "SourceError",
    "StreamInfo",
    "StreamlightError",
    "UnsupportedSourceError",
    "UsageError",
    "__version__",
    "enhance_file",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'streamlight' has no attribute {name!r}")
    return getattr(importlib.import_module(f"streamlight.{home}"), name)


def __dir__() -> list[str]:
    return __all__
