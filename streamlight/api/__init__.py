"""The calls that do a whole job; the command line is a shell around them."""

from streamlight.api.files import FileResult, enhance_file

__all__ = ["FileResult", "enhance_file"]
