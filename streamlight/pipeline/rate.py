"""How fast a run is just now."""

from collections import deque

from streamlight.pipeline.report import PipelineReport


class Rate:
    """Frames per second of the last seconds, from the snapshots of a run."""

    def __init__(self, window_s: float = 5.0) -> None:
        """Start without any frame.

        Args:
            window_s: seconds to look back, so that the network's start does not spoil it for long.
        """
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])

    def update(self, report: PipelineReport) -> float:
        """Take a snapshot; return the rate, 0 before the first frame."""
        self._seen.append((report.wall_s, report.frames_out))
        while len(self._seen) > 2 and report.wall_s - self._seen[1][0] >= self._window_s:
            self._seen.popleft()
        (since_s, since_frames) = self._seen[0]
        elapsed_s = report.wall_s - since_s
        return (report.frames_out - since_frames) / elapsed_s if elapsed_s > 0 else 0.0
