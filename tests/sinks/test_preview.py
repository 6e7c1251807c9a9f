"""The preview: with SDL's dummy driver for its logic, under Xvfb with xdotool for its window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import bars
from live_frames import live_frame, live_info
from numpy.typing import NDArray

from streamlight.errors import SinkError
from streamlight.frame import Frame
from streamlight.sinks.preview import PreviewSink
from streamlight.sinks.preview_overlay import Pace
from streamlight.sinks.preview_window import fitting_size

pygame = pytest.importorskip("pygame", reason="needs pygame-ce: pip install 'streamlight[preview]'")

SIZE = (640, 360)


def shown_frame(index: int, *, size: tuple[int, int] = SIZE, with_original: bool = True) -> Frame:
    """A frame whose result is bright and whose input is dark."""
    frame = live_frame(index, *size)
    bright, dark = np.full((2, size[1], size[0], 3), 200, np.uint8)
    dark[:] = 40
    return replace(
        frame,
        image=bright,
        original=dark if with_original else None,
        captured_at=time.monotonic() - 0.05,
    )


@pytest.fixture
def open_preview(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., PreviewSink]]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened: list[PreviewSink] = []

    def make(**options: Any) -> PreviewSink:
        info = live_info(*options.pop("size", SIZE))
        opened.append(PreviewSink(info, **{"folder": tmp_path, **options}))
        return opened[-1]

    yield make
    for sink in opened:
        sink.abort()


def show(sink: PreviewSink, frame: Frame) -> NDArray[np.uint8]:
    sink.write(frame)
    return look(sink)


def look(sink: PreviewSink) -> NDArray[np.uint8]:
    """What is in the window, (H, W, 3)."""
    sink.pump()
    surface = pygame.display.get_surface()
    return np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))


def press(sink: PreviewSink, *keys: int) -> None:
    for key in keys:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    sink.pump()


def move_mouse(sink: PreviewSink, x: int, y: int = 100) -> None:
    pygame.event.post(
        pygame.event.Event(pygame.MOUSEMOTION, pos=(x, y), rel=(0, 0), buttons=(0, 0, 0))
    )


def row(window: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A row of the window that nothing is written over: grey levels, (W,)."""
    return window[window.shape[0] * 3 // 4, :, 0]


# Picture


def test_before_is_left_of_the_mouse_and_after_right_of_it(
    open_preview: Callable[..., PreviewSink],
) -> None:
    sink = open_preview()
    assert sink.wants_original
    window = show(sink, shown_frame(0))
    assert window.shape == (360, 640, 3)
    assert (row(window)[:315] == 40).all()
    assert (row(window)[325:] == 200).all()
    move_mouse(sink, 100)
    window = look(sink)
    assert (row(window)[:95] == 40).all()
    assert (row(window)[105:] == 200).all()


@pytest.mark.parametrize("x", [0, 639, 5000])
def test_the_mouse_may_be_at_the_edge(open_preview: Callable[..., PreviewSink], x: int) -> None:
    sink = open_preview()
    show(sink, shown_frame(0))
    move_mouse(sink, x)
    window = look(sink)
    expected = 200 if x == 0 else 40
    assert (row(window)[10:-10] == expected).all()


def test_s_shows_the_result_alone_and_the_input_is_no_longer_asked_for(
    open_preview: Callable[..., PreviewSink],
) -> None:
    sink = open_preview()
    show(sink, shown_frame(0))
    press(sink, pygame.K_s)
    assert not sink.wants_original
    assert (row(look(sink)) == 200).all()
    assert (row(show(sink, shown_frame(1, with_original=False))) == 200).all()
    press(sink, pygame.K_s)
    assert sink.wants_original
    assert (row(look(sink)) == 200).all(), "there is no input of this picture"


def test_a_comparison_of_another_size_is_not_split(
    open_preview: Callable[..., PreviewSink],
) -> None:
    sink = open_preview()
    frame = shown_frame(0)
    wide = np.concatenate((frame.image, frame.image), axis=1)
    window = show(sink, replace(frame, image=wide))
    assert (window[180, 5:-5, 0] == 200).all()


@pytest.mark.parametrize(("size", "bars_at"), [((640, 640), "sides"), ((640, 90), "top")])
def test_other_sizes_are_fitted_into_the_window_in_mid_stream(
    open_preview: Callable[..., PreviewSink], size: tuple[int, int], bars_at: str
) -> None:
    sink = open_preview(is_split=False)
    press(sink, pygame.K_o)
    show(sink, shown_frame(0))
    window = show(sink, shown_frame(1, size=size))
    assert window.shape == (360, 640, 3)
    assert window[180, 320, 0] == 200
    if bars_at == "sides":
        assert not window[:, :135].any()
        assert not window[:, 505:].any()
        assert (window[:, 145:495] == 200).all()
    else:
        assert not window[:130].any()
        assert (window[140:220] == 200).all()


def test_sixteen_bits_become_eight(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview(is_split=False)
    deep = np.full((360, 640, 3), 200 << 8, np.uint16)
    assert (row(show(sink, replace(shown_frame(0), image=deep))) == 200).all()


def test_pixels_are_shown_as_they_are(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview(is_split=False)
    press(sink, pygame.K_o)
    picture = bars(3, *SIZE)
    window = show(sink, replace(shown_frame(0), image=picture))
    assert np.array_equal(window, picture)


def test_only_the_newest_frame_is_shown(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview()
    for index in range(5):
        sink.write(shown_frame(index))
    look(sink)
    look(sink)
    assert (sink.frames_shown, sink.frames_dropped) == (1, 4)


def test_frames_come_from_another_thread(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview()

    def work() -> None:
        for index in range(20):
            sink.write(shown_frame(index))
            time.sleep(0.002)
        sink.finish()

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        sink.pump()
    sink.pump()
    assert sink.frames_shown + sink.frames_dropped == 20
    thread = threading.Thread(target=sink.abort)
    thread.start()
    thread.join()
    assert pygame.display.get_init(), "SDL must be left to the thread of the window"


# Keys


def test_the_strength_goes_in_steps_and_is_told(open_preview: Callable[..., PreviewSink]) -> None:
    told: list[float] = []
    sink = open_preview(strength=0.2, on_strength=told.append)
    press(sink, pygame.K_DOWN, pygame.K_MINUS, pygame.K_DOWN)
    assert told == [0.1, 0.0, 0.0]
    for key in (pygame.K_UP, pygame.K_PLUS, pygame.K_EQUALS, pygame.K_KP_PLUS):
        press(sink, key)
    assert told[3:] == [0.1, 0.2, 0.3, 0.4]
    for _ in range(9):
        press(sink, pygame.K_UP)
    assert sink.strength == told[-1] == 1.0


def test_space_holds_the_picture(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview(is_split=False)
    show(sink, shown_frame(0))
    press(sink, pygame.K_SPACE)
    dark = replace(shown_frame(1), image=np.zeros((360, 640, 3), np.uint8))
    assert (row(show(sink, dark)) == 200).all()
    press(sink, pygame.K_SPACE)
    assert (row(show(sink, dark)) == 0).all()


@pytest.mark.parametrize("key", [pygame.K_q, pygame.K_ESCAPE])
def test_q_and_escape_close_the_window_and_stop_the_run(
    open_preview: Callable[..., PreviewSink], key: int
) -> None:
    stopped: list[bool] = []
    sink = open_preview(on_stop=lambda: stopped.append(True))
    press(sink, key)
    assert sink.is_closed
    assert stopped == [True]
    assert not pygame.display.get_init()
    sink.pump()
    sink.write(shown_frame(0))
    sink.finish()


def test_closing_the_window_stops_the_run(open_preview: Callable[..., PreviewSink]) -> None:
    stopped: list[bool] = []
    sink = open_preview(on_stop=lambda: stopped.append(True))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    sink.pump()
    assert stopped == [True]


def test_o_and_h_write_over_the_picture(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview(is_split=False)
    with_figures = show(sink, shown_frame(0))
    assert not (with_figures == 200).all()
    press(sink, pygame.K_o)
    assert (look(sink) == 200).all()
    press(sink, pygame.K_h)
    middle = look(sink)[100:260, 200:440]
    assert not (middle == 200).all()


def read_png(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def test_p_saves_the_picture_in_its_full_size_as_it_is_split(
    open_preview: Callable[..., PreviewSink], tmp_path: Path
) -> None:
    sink = open_preview(now=lambda: datetime(2026, 3, 4, 5, 6, 7))
    show(sink, shown_frame(0, size=(1280, 720)))
    move_mouse(sink, 160)
    press(sink, pygame.K_p)
    press(sink, pygame.K_s, pygame.K_p)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["streamlight_20260304-050607.png", "streamlight_20260304-050607_2.png"]
    split, whole = (read_png(tmp_path / name) for name in names)
    assert split.shape == (720, 1280, 3)
    assert (split[:, :320] == 40).all()
    assert (split[:, 320:] == 200).all()
    assert (whole == 200).all()


def test_a_picture_that_cannot_be_saved_does_not_end_the_preview(
    open_preview: Callable[..., PreviewSink], tmp_path: Path
) -> None:
    sink = open_preview(folder=tmp_path / "missing")
    show(sink, shown_frame(0))
    press(sink, pygame.K_p)
    assert not sink.is_closed
    assert "cannot be saved" in sink._overlay._notice


def test_full_screen_and_back(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview()
    show(sink, shown_frame(0))
    press(sink, pygame.K_f)
    assert pygame.display.get_surface().get_size() == pygame.display.get_desktop_sizes()[0]
    press(sink, pygame.K_ESCAPE)
    assert not sink.is_closed
    assert pygame.display.get_surface().get_size() == SIZE


def test_unknown_keys_do_nothing(open_preview: Callable[..., PreviewSink]) -> None:
    sink = open_preview()
    press(sink, pygame.K_z, pygame.K_F5, pygame.K_1)
    assert not sink.is_closed


# Figures


def test_the_pace_is_that_of_the_last_second() -> None:
    now = 100.0
    pace = Pace(lambda: now)
    assert pace.fps == 0
    assert pace.latency_ms is None
    for _ in range(50):
        now += 0.04
        pace.add(now - 0.1)
    assert pace.fps == pytest.approx(25)
    assert pace.latency_ms == pytest.approx(100)
    now += 5
    assert pace.fps == 0


def test_the_window_fits_the_screen() -> None:
    assert fitting_size(live_info(640, 360), [(1920, 1080)]) == (640, 360)
    assert fitting_size(live_info(3840, 2160), [(1920, 1080)]) == (1536, 864)
    assert fitting_size(live_info(3840, 2160), [(1920, 1080), (1280, 800)]) == (1024, 576)
    turned = replace(live_info(1920, 1080), rotation=90)
    assert fitting_size(turned, [(1920, 1080)]) == (486, 864)
    assert fitting_size(live_info(16, 16), [(1920, 1080)]) == (320, 180)


# Without a display or a package


def run_without_display(**environment: str) -> str:
    program = """
from streamlight.errors import SinkError
from streamlight.sinks.preview import PreviewSink
import sys
sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])
from live_frames import live_info
try:
    PreviewSink(live_info())
except SinkError as error:
    print(error)
"""
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    clean.pop("SDL_VIDEODRIVER", None)
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tests), str(tests / "sinks")],
        check=True,
        capture_output=True,
        text=True,
        env=clean | environment,
        timeout=30,
    )
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_browser_is_named_as_the_way() -> None:
    said = run_without_display()
    assert said.startswith("there is no display for a preview window (neither DISPLAY nor")
    assert "--web" in said
    assert "streamlight serve" in said
    assert "--web" in run_without_display(DISPLAY=":987")


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(SinkError, match=r"pip install 'streamlight\[preview\]'"):
        PreviewSink(live_info())


# A real window

PROGRAM = """
import sys, threading, time
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from fakes import FakeEnhancer, FakeSource
from test_preview import shown_frame
from live_frames import live_info
from streamlight.pipeline import Pipeline
from streamlight.sinks.preview import PreviewSink

class Camera:
    info = live_info(640, 360)
    def __iter__(self):
        for index in range(2000):
            time.sleep(0.02)
            yield shown_frame(index)

class Enhancer:
    parallel = 1
    def estimate(self, image, time_s): return None
    def reconstruct(self, image, prior): return image

class Keeping:
    '''The original of the camera's frames is a dark picture.'''
    def __init__(self, sink): self.sink = sink
    wants_original = False
    def write(self, frame):
        import numpy as np
        self.sink.write(replace(frame, original=np.full_like(frame.image, 40)))
    def finish(self): self.sink.finish()
    def abort(self): self.sink.abort()

stop = threading.Event()
told = []
with PreviewSink(Camera.info, title="streamlight test", folder=sys.argv[3], on_stop=stop.set,
                 on_strength=told.append) as preview:
    report = Pipeline(Camera(), Enhancer(), Keeping(preview)).run(stop, preview.pump, 1 / 60)
print(report.outcome, told, preview.frames_shown >= 3, flush=True)
"""

needs_screen = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("Xvfb", "xdotool", "import", "xwininfo")),
    reason="needs a screen to test with: apt-get install xvfb xdotool imagemagick x11-utils",
)


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """An X server of its own; yields the environment that leads to it."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [str(shutil.which("Xvfb")), "-displayfd", str(write), "-screen", "0", "800x600x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    environment = {k: v for k, v in os.environ.items() if k != "SDL_VIDEODRIVER"}
    yield environment | {"DISPLAY": f":{number}", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    server.terminate()
    server.wait()


@needs_screen
def test_a_real_window_obeys_real_keys_and_the_mouse(
    screen: dict[str, str], tmp_path: Path
) -> None:
    tests = Path(__file__).parents[1]
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tests), str(tests / "sinks"), str(tmp_path)],
        env=screen,
        stdout=subprocess.PIPE,
        text=True,
    )

    def do(*command: str) -> str:
        command = (str(shutil.which(command[0])), *command[1:])
        done = subprocess.run(command, env=screen, check=False, capture_output=True, text=True)
        return done.stdout

    def seen(name: str) -> NDArray[np.uint8]:
        do("import", "-window", "root", str(tmp_path / name))
        return read_png(tmp_path / name)

    def until(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    try:
        until(lambda: "640x360" in do("xwininfo", "-name", "streamlight test"), "no window")
        # in the middle of the screen, which has no window manager to move it: from (80, 120)
        do("xdotool", "mousemove", "240", "300")
        until(lambda: (seen("a.png")[400, 100:235] == 40).all(), "the seam is not at the mouse")
        assert (seen("b.png")[400, 250:700] == 200).all()
        do("xdotool", "mousemove", "560", "300")
        until(lambda: (seen("c.png")[400, 100:550] == 40).all(), "the seam does not follow")
        do("xdotool", "key", "p")
        until(lambda: list(tmp_path.glob("streamlight_*.png")), "no picture was saved")
        do("xdotool", "key", "Down", "minus", "s")
        until(lambda: (seen("d.png")[400, 100:700] == 200).all(), "s does not end the split")
        do("xdotool", "key", "q")
        said, _ = program.communicate(timeout=10)
    finally:
        program.kill()
        program.wait()
    assert said.split("\n")[0] == "stopped [0.9, 0.8] True"
    saved = read_png(next(tmp_path.glob("streamlight_*.png")))
    assert saved.shape == (360, 640, 3)
    assert (saved[:, :475] == 40).all()
    assert (saved[:, 485:] == 200).all()
