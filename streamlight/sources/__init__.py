"""Where frames come from. Together with `streamlight.sinks`, the only code that imports av."""

from streamlight.sources.file import FileSource
from streamlight.sources.options import ReaderOptions
from streamlight.sources.side_streams import SideStreams

__all__ = ["FileSource", "ReaderOptions", "SideStreams"]
