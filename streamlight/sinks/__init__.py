"""Where frames go. Together with `streamlight.sources`, the only code that imports av."""

from streamlight.sinks.file import CONTAINERS, EncoderOptions, FileSink

__all__ = ["CONTAINERS", "EncoderOptions", "FileSink"]
