"""A live source and all that a network does to it, by a real RTSP server behind a faulty proxy.

In each: no hang, an end in less than 3 s, no thread or file left, growing timestamps.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes import RecordingSink
from fault_proxy import Fault, FaultProxy
from peers import RtspServer, launch, sound, video

from streamlight.frame import Frame, Image
from streamlight.pipeline import Outcome, Pipeline, Policy, Prior
from streamlight.sources.live import LiveSource
from streamlight.sources.live_failures import Cause, LiveError
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import Backoff, LivePhase, LiveState

pytest_plugins = ["live_fixtures"]

READ_TIMEOUT_S = 1.0
OPTIONS = LiveOptions(
    open_timeout_s=2.0,
    read_timeout_s=READ_TIMEOUT_S,
    max_retries=20,
    backoff=Backoff(first_s=0.1, cap_s=0.5),
)
BACK_WITHIN_S = 2.0
"""From the server's return to its first frame."""

CLOSE_WITHIN_S = 3.0


@pytest.fixture
def proxy(no_leak: None, camera: RtspServer) -> Iterator[FaultProxy]:
    with FaultProxy(camera.port) as proxy:
        yield proxy


class Watch:
    """Takes the frames of a source, and checks at every one what must always hold."""

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self.frames = iter(source)
        self.last: Frame | None = None

    def take(self, count: int) -> Frame:
        for frame in itertools.islice(self.frames, count):
            if self.last is not None:
                assert frame.pts > self.last.pts
                assert frame.index == self.last.index + 1
            assert frame.captured_at is not None
            assert frame.segment == self.source.reconnects
            self.last = frame
        assert self.last is not None
        return self.last

    def until_reconnected(self, within_s: float) -> float:
        """Take frames until the source has been reconnected; return how long that took."""
        started, before = time.monotonic(), self.source.reconnects
        while self.source.reconnects == before:
            self.take(1)
            assert time.monotonic() - started < within_s, f"not back after {within_s} s"
        return time.monotonic() - started


@pytest.fixture
def watched(proxy: FaultProxy, camera: RtspServer) -> Iterator[Callable[..., Watch]]:
    """Open a source through the proxy, and time its end."""
    sources: list[LiveSource] = []

    def watch(path: str = "/cam", options: LiveOptions = OPTIONS) -> Watch:
        source = LiveSource(camera.url(path, port=proxy.port), options)
        sources.append(source)
        source.connect()
        return Watch(source)

    yield watch
    for source in sources:
        started = time.monotonic()
        source.close()
        assert time.monotonic() - started < CLOSE_WITHIN_S


def test_after_a_stall_the_source_reconnects(
    proxy: FaultProxy, watched: Callable[..., Watch]
) -> None:
    watch = watched()
    before = watch.take(10)
    proxy.fault = Fault.STALL
    threading.Timer(READ_TIMEOUT_S + 0.5, setattr, (proxy, "fault", Fault.NONE)).start()
    lasted_s = watch.until_reconnected(READ_TIMEOUT_S + 0.5 + BACK_WITHIN_S)
    assert lasted_s > READ_TIMEOUT_S
    after = watch.take(5)
    assert after.time_s - before.time_s == pytest.approx(lasted_s, abs=0.6), "the gap is kept"
    assert set(watch.source.losses) <= {Cause.STALLED, Cause.NO_ANSWER}


def test_a_stall_for_ever_does_not_hold_up_the_end(
    proxy: FaultProxy, watched: Callable[..., Watch]
) -> None:
    watch = watched()
    watch.take(5)
    proxy.fault = Fault.STALL
    threading.Timer(READ_TIMEOUT_S * 2, watch.source.interrupt).start()
    started = time.monotonic()
    assert len(list(watch.frames)) < 10
    assert time.monotonic() - started < READ_TIMEOUT_S * 2 + 0.5
    assert watch.source.state.phase is LivePhase.CLOSED


class Unchanged:
    """An enhancer that changes nothing."""

    parallel = 1

    def estimate(self, image: Image, time_s: float) -> Prior:
        return np.zeros((1, 1, 96, 96), np.float32)

    def reconstruct(self, image: Image, prior: Prior) -> Image:
        return image


def test_a_pipeline_can_be_stopped_while_its_camera_stalls(
    proxy: FaultProxy, watched: Callable[..., Watch]
) -> None:
    source = watched(options=replace(OPTIONS, read_timeout_s=30.0)).source
    sink, stop = RecordingSink(), threading.Event()
    threading.Timer(0.5, setattr, (proxy, "fault", Fault.STALL)).start()
    threading.Timer(1.0, stop.set).start()
    started = time.monotonic()
    report = Pipeline(source, Unchanged(), sink, policy=Policy.DROP_OLDEST).run(stop)
    assert time.monotonic() - started < 1.0 + CLOSE_WITHIN_S
    assert report.outcome is Outcome.STOPPED
    assert len(sink.frames) >= 5


def test_a_cut_connection_is_made_again(proxy: FaultProxy, watched: Callable[..., Watch]) -> None:
    watch = watched()
    for times in range(1, 3):
        watch.take(5)
        proxy.cut()
        watch.until_reconnected(BACK_WITHIN_S)
        assert watch.source.reconnects == times
    watch.take(5)
    assert watch.source.losses.total() == 2
    assert watch.source.state.phase is LivePhase.CONNECTED


def test_refused_then_accepted(proxy: FaultProxy, watched: Callable[..., Watch]) -> None:
    watch = watched()
    watch.take(5)
    proxy.refuse()
    proxy.cut()
    threading.Timer(1.5, proxy.listen).start()
    assert watch.until_reconnected(1.5 + BACK_WITHIN_S) > 1.4
    watch.take(5)


def test_noise_in_place_of_the_stream(proxy: FaultProxy, watched: Callable[..., Watch]) -> None:
    watch = watched()
    watch.take(5)
    proxy.fault = Fault.GARBAGE
    threading.Timer(1.5, setattr, (proxy, "fault", Fault.NONE)).start()
    watch.until_reconnected(1.5 + READ_TIMEOUT_S + BACK_WITHIN_S)
    assert watch.take(5).image.shape == (64, 96, 3)


def test_a_slow_link_brings_what_it_can(proxy: FaultProxy, watched: Callable[..., Watch]) -> None:
    watch = watched("/mute", replace(OPTIONS, read_timeout_s=4.0))
    watch.take(25)
    before, started = proxy.bytes_passed, time.monotonic()
    watch.take(25)
    bytes_per_s = (proxy.bytes_passed - before) / (time.monotonic() - started)
    proxy.bytes_per_s, proxy.fault = round(bytes_per_s / 2), Fault.SLOW
    started = time.monotonic()
    watch.take(15)
    assert 0.8 < time.monotonic() - started < 5, "half of the link, half of the pace"
    proxy.fault = Fault.NONE
    watch.take(10)
    assert watch.source.reconnects == 0


def test_the_size_may_be_another_one_after_a_reconnect(no_leak: None) -> None:
    with (
        RtspServer({"/cam": launch(video((96, 64)), sound())}) as server,
        LiveSource(server.url("/cam"), OPTIONS) as source,
    ):
        watch = Watch(source)
        assert watch.take(5).image.shape == (64, 96, 3)
        server.command(mount="/cam", launch=launch(video((160, 96)), sound()))
        server.command(close=True)
        watch.until_reconnected(BACK_WITHIN_S)
        assert watch.take(2).image.shape == (96, 160, 3)
        assert (source.info.width, source.info.height) == (96, 64)


def test_the_codec_and_the_sound_may_be_others_after_a_reconnect(
    no_leak: None, caplog: pytest.LogCaptureFixture
) -> None:
    jpeg = video(encoder="videoconvert ! video/x-raw,format=I420 ! jpegenc", payloader="rtpjpegpay")
    with (
        RtspServer({"/cam": launch(video(), sound())}) as server,
        LiveSource(server.url("/cam"), OPTIONS) as source,
    ):
        watch = Watch(source)
        watch.take(10)
        taken = list(source.side.take())
        server.command(mount="/cam", launch=launch(jpeg, sound("mulawenc", "rtppcmupay")))
        server.command(close=True)
        watch.until_reconnected(BACK_WITHIN_S)
        watch.take(10)
        assert taken and source.side.streams[0].codec_context.name == "aac"
        times = [packet.pts for packet in [*taken, *source.side.take()]]
        assert times == sorted(set(times), key=lambda pts: pts or 0)
    assert "the sound is another one" in caplog.text


def test_a_server_that_restarts(no_leak: None) -> None:
    with (
        RtspServer({"/cam": launch(video(), sound())}) as server,
        LiveSource(server.url("/cam"), OPTIONS) as source,
    ):
        watch = Watch(source)
        before = watch.take(10)
        server.stop()
        returned: list[float] = []

        def restart() -> None:
            server.start()
            returned.append(time.monotonic())

        threading.Timer(0.7, restart).start()
        watch.until_reconnected(10)
        assert time.monotonic() - returned[0] < BACK_WITHIN_S
        after = watch.take(10)
        assert after.time_s - before.time_s > 0.7
        packets = list(source.side.take())
    times = [float((packet.pts or 0) * packet.time_base) for packet in packets]
    assert all(a < b for a, b in itertools.pairwise(times))
    assert times[-1] == pytest.approx(after.time_s, abs=0.4), "the sound follows the picture"


def test_a_source_that_does_not_come_back_is_given_up(
    proxy: FaultProxy, camera: RtspServer
) -> None:
    states: list[LiveState] = []
    options = LiveOptions(max_retries=3, backoff=Backoff(first_s=0.05, cap_s=0.1))
    url = camera.url("/cam", port=proxy.port)
    with LiveSource(url, options, on_state=states.append) as source:
        watch = Watch(source)
        watch.take(3)
        proxy.refuse()
        proxy.cut()
        with pytest.raises(LiveError, match="given up after 3 attempts: nothing listens") as raised:
            watch.take(100)
    assert raised.value.cause is Cause.REFUSED
    assert states[-1].phase is LivePhase.FAILED
    phases = [state.phase for state in states]
    assert phases.count(LivePhase.RECONNECTING) == 3


def test_a_source_can_be_waited_for(no_leak: None, camera: RtspServer) -> None:
    with FaultProxy(camera.port) as proxy:
        proxy.refuse()
        threading.Timer(0.8, proxy.listen).start()
        options = LiveOptions(wait_for_source=True, backoff=Backoff(first_s=0.1, cap_s=0.5))
        started = time.monotonic()
        with LiveSource(camera.url("/cam", port=proxy.port), options) as source:
            assert time.monotonic() - started < 0.8 + BACK_WITHIN_S
            Watch(source).take(3)
            assert source.reconnects == 0 and not source.losses


@pytest.mark.slow
def test_waiting_for_a_source_can_be_interrupted(no_leak: None, camera: RtspServer) -> None:
    with FaultProxy(camera.port) as proxy:
        proxy.fault = Fault.STALL
        options = LiveOptions(wait_for_source=True, open_timeout_s=2.0, read_timeout_s=1.0)
        source = LiveSource(camera.url("/cam", port=proxy.port), options)
        threading.Timer(0.4, source.interrupt).start()
        started = time.monotonic()
        with pytest.raises(Exception, match="interrupted"), source:
            pass
        assert time.monotonic() - started < CLOSE_WITHIN_S


@pytest.mark.slow
def test_a_server_that_closes_at_once_is_not_called_in_a_storm(
    no_leak: None, camera: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with FaultProxy(camera.port) as proxy:
        options = LiveOptions(backoff=Backoff(first_s=0.1, cap_s=1.0, jitter=0))
        with LiveSource(camera.url("/mute", port=proxy.port), options) as source:
            watch = Watch(source)
            for wait_s in (0.1, 0.2, 0.4, 0.8):
                watch.take(1)
                proxy.cut()
                watch.until_reconnected(3)
                assert f"in {wait_s} s" in caplog.text, "the waits began anew"
            assert proxy.accepted == 5
