import io
import os
import sys
import threading
from fractions import Fraction

import av
import pytest

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.sinks.encoder_table import ENCODERS
from streamlight.sinks.encoders import probe_encoder
from streamlight.sinks.encoding import Encoding
from streamlight.sinks.video_encoder import VideoEncoder, VideoFormat
from streamlight.sources.nvdec_probe import probe_nvdec
from streamlight.thread_priority import kept_thread_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of threads")
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may have real-time threads"
)


def policies() -> dict[int, int]:
    return {int(t): os.sched_getscheduler(int(t)) for t in os.listdir("/proc/self/task")}


def test_the_calling_thread_and_new_ones_get_back_what_they_had() -> None:
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    with kept_thread_priority():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # which anyone may
        other.start()  # and inherits it
        assert os.sched_getscheduler(other.native_id or 0) == os.SCHED_BATCH
    try:
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert os.sched_getscheduler(other.native_id or 0) == os.SCHED_OTHER
    finally:
        done.set()
        other.join()


def test_what_was_raised_before_stays() -> None:
    done, ready = threading.Event(), threading.Event()

    def run() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        ready.set()
        done.wait()

    other = threading.Thread(target=run)
    other.start()
    ready.wait()
    try:
        with kept_thread_priority():
            pass
        assert os.sched_getscheduler(other.native_id or 0) == os.SCHED_BATCH
    finally:
        done.set()
        other.join()


def test_also_after_a_failure() -> None:
    with pytest.raises(ValueError, match="as it is"), kept_thread_priority():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        raise ValueError("as it is")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@needs_root
def test_av1_for_root_is_encoded_at_the_usual_priority() -> None:
    color = ColorSpec(Matrix.BT709, Range.LIMITED)
    with av.open(io.BytesIO(), "w", format="matroska") as container:
        picture = VideoFormat((128, 96), color, Fraction(1, 25), Fraction(25))
        encoder = VideoEncoder(container, Encoding(ENCODERS["libsvtav1"], "yuv420p"), picture)
        policies_meanwhile = set(policies().values())
        encoder.flush()
    assert policies_meanwhile == {os.SCHED_OTHER}


@needs_root
def test_so_is_what_only_tries_an_encoder_or_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe_encoder("libsvtav1").works
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    monkeypatch.setattr("streamlight.sources.nvdec_probe.open_accel", lambda device: None)
    assert "software only" in probe_nvdec("av1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
