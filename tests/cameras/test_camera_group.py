"""Several cameras in one process, before a real RTSP server, with the real network."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from camera_parts import Told, spec, until

from streamlight.backends import openvino as openvino_backend
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.outputs import LiveOutputs, OutputSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.color import ColorSpec
from streamlight.errors import UsageError
from streamlight.frame import StreamInfo
from streamlight.sources.reconnect import LivePhase

sys.path.append(str(Path(__file__).parents[1] / "live"))
from fault_proxy import Fault, FaultProxy
from peers import RtspServer, launch, video

pytest_plugins = ["live_fixtures"]

BACK_WITHIN_S = 2.0


@contextmanager
def running(*specs: CameraSpec, told: Told | None = None) -> Iterator[CameraGroup]:
    told = told or Told()
    group = CameraGroup(
        specs, backend="openvino", on_state=told.take_state, on_message=told.take_message
    )
    with group:
        group.start()
        yield group
        started = time.monotonic()
        group.stop()
        assert time.monotonic() - started < 3


def out(group: CameraGroup, name: str) -> int:
    return group.cameras[name].status().frames_out


def test_one_camera_dies_and_comes_back_while_the_other_goes_on(
    no_leak: None, camera: RtspServer, tmp_path: Path
) -> None:
    target, told = tmp_path / "door.mkv", Told()
    with FaultProxy(camera.port) as proxy:
        outputs = OutputSpec(targets=(str(target),))
        specs = (
            spec("door", camera.url("/cam", port=proxy.port), outputs=outputs),
            spec("yard", camera.url("/mute")),
        )
        with running(*specs, told=told) as group:
            until(lambda: min(out(group, "door"), out(group, "yard")) > 10, "frames of both")
            proxy.fault = Fault.STALL
            door = group.cameras["door"]
            until(lambda: door.state.phase is LivePhase.RECONNECTING, "the loss is noticed")
            assert "no picture" in door.status().reason
            before = out(group, "yard")
            time.sleep(0.6)
            assert out(group, "yard") - before > 5, "the other one goes on"
            proxy.fault = Fault.NONE
            proxy.cut()
            until(lambda: door.state.phase is LivePhase.CONNECTED, "it is back", BACK_WITHIN_S)
            until(lambda: door.status().reconnects == 1, "the reconnect is counted")
            seen = out(group, "door")
            until(lambda: out(group, "door") > seen + 10, "frames after it")
            status = door.status()
    assert status.restarts == 0 and status.files == (target,)
    with av.open(target) as container:
        times = [frame.pts or 0 for frame in container.decode(video=0)]
    assert len(times) > 20 and np.diff(times).min() > 0


def test_a_wrong_password_fails_that_camera_alone_and_is_shown_nowhere(
    no_leak: None, camera: RtspServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told()
    with RtspServer({"/cam": launch(video())}, user="me", password="right") as locked:  # noqa: S106
        specs = (
            spec("locked", locked.url("/cam", login="me:hunter2-wrong")),
            spec("open", camera.url("/mute")),
        )
        with running(*specs, told=told) as group:
            until(lambda: group.cameras["locked"].state.phase is LivePhase.FAILED, "the refusal")
            until(lambda: out(group, "open") > 5, "frames of the other")
            status = group.cameras["locked"].status()
            assert "401" in status.reason and status.restarts == 0
    shown = caplog.text + repr(status.to_dict()) + repr(told.states) + repr(told.messages)
    assert "hunter2" not in shown


def test_a_camera_that_changes_its_size_is_shown_in_it(no_leak: None) -> None:
    with (
        RtspServer({"/cam": launch(video((96, 64)))}) as server,
        running(spec("door", server.url("/cam"))) as group,
    ):
        door = group.cameras["door"]

        def is_shown(width: int, height: int) -> bool:
            status = door.status()
            return (status.width, status.height) == (width, height)

        until(lambda: is_shown(96, 64), "the first size")
        server.command(resize=[160, 120])
        until(lambda: is_shown(160, 120), "the other size")


def test_a_camera_that_is_not_there_yet_comes_by_itself(no_leak: None) -> None:
    with RtspServer({"/cam": launch(video())}) as server:
        url = server.url("/cam")
        server.stop()
        with running(spec("late", url)) as group:
            late = group.cameras["late"]
            until(lambda: bool(late.state.reason), "the refusal")
            assert late.state.phase is LivePhase.CONNECTING
            server.start()
            until(lambda: late.state.phase is LivePhase.CONNECTED, "it came", 4)


def test_stopping_does_not_wait_for_a_camera_that_hangs(no_leak: None, camera: RtspServer) -> None:
    with FaultProxy(camera.port) as proxy:
        with running(spec("door", camera.url("/cam", port=proxy.port))) as group:
            until(lambda: out(group, "door") > 3, "frames")
            proxy.fault = Fault.STALL  # `running` stops it, and looks at the clock
            time.sleep(0.3)
        proxy.fault = Fault.NONE
        proxy.cut()


def test_the_network_is_opened_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, compiled = list[str](), list[tuple[int, ...]]()
    real_open = openvino_backend.OpenVinoBackend.__init__
    real_compile = openvino_backend.OpenVinoBackend._compile

    def noted_open(self: object, *arguments: object, **options: object) -> None:
        opened.append("opened")
        real_open(self, *arguments, **options)  # type: ignore[arg-type]

    def noted_compile(self: object, shape: tuple[int, ...], *rest: object) -> object:
        compiled.append(shape)
        return real_compile(self, shape, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(openvino_backend.OpenVinoBackend, "__init__", noted_open)
    monkeypatch.setattr(openvino_backend.OpenVinoBackend, "_compile", noted_compile)
    # a mount each: GStreamer 1.22's server dies now and then when four clients open one at once
    with RtspServer({f"/{i}": launch(video()) for i in range(4)}) as server:
        specs = [spec(f"camera{i}", server.url(f"/{i}")) for i in range(4)]
        with running(*specs) as group:
            for each in specs:
                until(lambda name=each.name: out(group, name) > 3, "frames")  # type: ignore[misc]
    assert len(opened) == 1
    assert compiled == [(64, 96, 3)], "one network of that size, for all four"


@pytest.mark.slow
def test_eight_cameras_that_are_too_many_get_the_same_rate() -> None:
    size = (1280, 720)
    with RtspServer({f"/{i}": launch(video(size)) for i in range(8)}) as server:
        specs = [spec(f"c{i}", server.url(f"/{i}")) for i in range(8)]
        with running(*specs) as group:
            until(lambda: all(out(group, each.name) > 3 for each in specs), "frames of all", 60)
            before = {each.name: out(group, each.name) for each in specs}
            time.sleep(15)
            counts = [out(group, each.name) - before[each.name] for each in specs]
            drops = [sum(camera.status().drops.values()) for camera in group.cameras.values()]
    mean = sum(counts) / len(counts)
    assert mean > 3
    assert max(counts) < 1.25 * mean and min(counts) > 0.75 * mean, counts
    assert min(drops) > 0, "there was too much to do"


def test_a_name_is_taken_once(camera: RtspServer) -> None:
    with pytest.raises(UsageError, match="door: the name is taken twice"):
        CameraGroup([spec("Door", camera.url("/cam")), spec("door", camera.url("/cam"))])
    outputs = OutputSpec(targets=("a.mkv",))
    same = [spec("a", "a.mp4", outputs=outputs), spec("b", "b.mp4", outputs=outputs)]
    with pytest.raises(UsageError, match=r"camera b: .*a\.mkv is an output of a already"):
        CameraGroup(same)
    same[1] = spec("b", "b.mp4", outputs=OutputSpec(targets=("sub/../a.mkv",)))
    with pytest.raises(UsageError, match=r"camera b: .*a\.mkv is an output of a already"):
        CameraGroup(same)
    with pytest.raises(UsageError, match=r"-o sub/\.\./a\.mkv: is given twice"):
        OutputSpec(targets=("sub/../a.mkv", "a.mkv"))
    with pytest.raises(UsageError, match="no camera"):
        CameraGroup([])


def test_streams_whose_names_differ_only_in_their_secrets_are_told_apart() -> None:
    keys = [f"srt://127.0.0.1:9/?streamid={key}" for key in ("one", "two", "three")]
    info = StreamInfo(64, 48, None, Fraction(1, 90_000), ColorSpec(), is_live=True)
    with LiveOutputs(OutputSpec(targets=tuple(keys))) as outputs:
        outputs.open(info, None, lambda name, state: None)
        names = [branch.name for branch in outputs.branches]
        assert list(outputs.stream_figures()) == names
    shown = "stream srt://127.0.0.1:9/?streamid=***"
    assert names == [shown, f"{shown} (2)", f"{shown} (3)"]
