"""Frames to nowhere."""

from streamlight.frame import Frame


class NullSink:
    """Takes frames and forgets them: to measure, or to serve pages without an output.

    Attributes:
        frames_written: how many frames it took.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.frames_written = 0

    def write(self, frame: Frame) -> None:
        """Count a frame."""
        self.frames_written += 1

    def finish(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""
