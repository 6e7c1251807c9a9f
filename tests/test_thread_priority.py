import io
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.sinks.encoder_table import ENCODERS
from streamlight.sinks.encoders import probe_encoder
from streamlight.sinks.encoding import Encoding
from streamlight.sinks.video_encoder import VideoEncoder, VideoFormat
from streamlight.sources.nvdec_probe import probe_nvdec
from streamlight.thread_priority import no_raised_priority


def policies() -> set[int]:
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def may_raise_priority() -> bool:
    """Whether this thread has the capability, as root's has on a usual machine.

    It is not tried: of two real-time threads, one may keep a core from the other for good.
    """
    status = Path("/proc/thread-self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) & 1 << 23)  # CAP_SYS_NICE


needs_capability = pytest.mark.skipif(
    sys.platform != "linux" or not may_raise_priority(),
    reason="who runs this may not raise priorities",
)


@needs_capability
def test_neither_the_thread_nor_what_it_starts_may_raise_its_priority_meanwhile() -> None:
    found = []
    with no_raised_priority():
        assert not may_raise_priority()
        other = threading.Thread(target=lambda: found.append(may_raise_priority()))
        other.start()
        other.join()
    assert found == [False]
    assert may_raise_priority()


@needs_capability
def test_also_after_a_failure() -> None:
    with pytest.raises(ValueError, match="as it is"), no_raised_priority():
        raise ValueError("as it is")
    assert may_raise_priority()


@needs_capability
def test_within_itself_it_changes_nothing() -> None:
    with no_raised_priority():
        with no_raised_priority():
            pass
        assert not may_raise_priority()
    assert may_raise_priority()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone lists the threads of a process")
def test_av1_is_encoded_at_the_usual_priority() -> None:
    before = policies()
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        picture = VideoFormat((128, 96), color, Fraction(1, 25), Fraction(25))
        encoder = VideoEncoder(container, Encoding(ENCODERS["libsvtav1"], "yuv420p"), picture)
        meanwhile = policies()
        encoder.flush()
    assert meanwhile == before == {os.SCHED_OTHER}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone lists the threads of a process")
def test_so_is_what_only_tries_an_encoder_or_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe_encoder("libsvtav1").works
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    monkeypatch.setattr("streamlight.sources.nvdec_probe.open_accel", lambda device: None)
    assert "software only" in probe_nvdec("av1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
