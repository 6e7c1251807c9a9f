"""Where frames go. Together with `streamlight.sources`, the only code that imports av."""

from streamlight.sinks.containers import CONTAINERS
from streamlight.sinks.file import FileSink
from streamlight.sinks.options import EncoderOptions

__all__ = ["CONTAINERS", "EncoderOptions", "FileSink"]
