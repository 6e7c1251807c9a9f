"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web_parts import FakeGroup, served

from streamlight.cameras.controls import Controls
from streamlight.cameras.group import CameraGroup
from streamlight.cameras.source import SourceSpec
from streamlight.cameras.spec import CameraSpec
from streamlight.sources.live_options import LiveOptions
from streamlight.sources.reconnect import LivePhase
from streamlight.web.server import WebServer
from streamlight.web.settings import WebSettings

sys.path.append(str(Path(__file__).parents[1] / "live"))
from fault_proxy import Fault, FaultProxy
from peers import REQUIRED, RtspServer, launch, video

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # without it, candidates are names that only multicast DNS knows
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip

PIXEL = """([element, x, y]) => {
  const canvas = document.createElement("canvas");
  canvas.width = element.videoWidth || element.naturalWidth;
  canvas.height = element.videoHeight || element.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(element, 0, 0);
  const pixel = context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data;
  return [...pixel.slice(0, 3), canvas.width, canvas.height];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, server: WebServer, path: str = "", **options: Any) -> Iterator[Page]:
    """Open the page; whatever it logs as an error fails the test."""
    faults: list[str] = []
    with browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options)) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: faults.append(message.text) if message.type == "error" else None,
        )
        page.goto(server.url + path)
        yield page
    assert not faults


def until(is_so: Callable[[], bool], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pixel(page: Page, selector: str, x: float = 0.5, y: float = 0.5) -> list[int]:
    handle = page.query_selector(selector)
    found: list[int] = page.evaluate(PIXEL, [handle, x, y])
    return found


def is_near(color: list[int], expected: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 16 for one, other in zip(color, expected, strict=False))


YELLOW, BLUE = (200, 200, 0), (0, 0, 120)


@pytest.fixture
def group() -> FakeGroup:
    return FakeGroup()


@pytest.fixture
def server(group: FakeGroup) -> Iterator[WebServer]:
    with served(group) as server:
        yield server


def test_every_camera_plays_enhanced_pictures(browser: Browser, server: WebServer) -> None:
    with opened(browser, server) as page:
        playing = page.locator(".screen[data-playing=webrtc]")
        expect(playing).to_have_count(2, timeout=15_000)
        for tile in ("li:nth-child(1)", "li:nth-child(2)"):
            until(lambda t=tile: is_near(pixel(page, f"{t} video"), YELLOW))  # type: ignore[misc]
        expect(page.locator(".tile .name").first).to_have_text("door")
        expect(page.locator(".tile .chip").first).to_have_text("connected")
        frames = "v => v.getVideoPlaybackQuality().totalVideoFrames"
        before = page.eval_on_selector("video", frames)
        until(lambda: page.eval_on_selector("video", frames) > before + 10)


@pytest.mark.parametrize("kind", ["webrtc", "mjpeg"])
def test_the_slider_lies_between_before_and_after(
    browser: Browser, server: WebServer, kind: str
) -> None:
    element = "video" if kind == "webrtc" else "img"
    with opened(browser, server, f"?video={kind}#door") as page:
        page.wait_for_selector(f".stage .screen.stacked.compared[data-playing={kind}]")
        picture = f".stage .after {element}"
        until(lambda: is_near(pixel(page, picture, y=0.75), YELLOW))
        until(lambda: is_near(pixel(page, picture, y=0.25), BLUE))  # an img is empty between two

        def shown(share: float) -> list[int]:
            """What a person sees at a share of the picture's width."""
            box = page.locator(".stage .screen").bounding_box()
            assert box is not None
            clip = {
                "x": box["x"] + share * box["width"], "y": box["y"] + 0.3 * box["height"],
                "width": 2, "height": 2,
            }  # fmt: skip
            data = io.BytesIO(page.screenshot(clip=clip))  # type: ignore[arg-type]
            return np.asarray(Image.open(data).convert("RGB"))[0, 0].tolist()  # type: ignore[no-any-return]

        until(lambda: is_near(shown(0.3), BLUE))
        assert is_near(shown(0.7), YELLOW)
        slider = page.get_by_label("Border between before")
        slider.focus()
        for _ in range(60):
            page.keyboard.press("ArrowLeft")  # half a percent each
        until(lambda: is_near(shown(0.3), YELLOW))
        assert is_near(shown(0.1), BLUE)
        page.get_by_label("Before and after", exact=True).uncheck()
        until(lambda: is_near(shown(0.1), YELLOW))
        expect(slider).to_be_hidden()
        until(lambda: pixel(page, picture)[3:] == [160, 90])


def test_the_page_falls_back_to_jpegs_without_webrtc(browser: Browser, server: WebServer) -> None:
    with opened(browser, server, "#door") as page:
        page.add_init_script("delete window.RTCPeerConnection")
        page.reload()
        page.wait_for_selector(".stage .screen.stacked[data-playing=mjpeg]")
        until(lambda: is_near(pixel(page, ".stage .after img", y=0.75), YELLOW))


def test_a_control_acts_at_once_and_can_be_taken_back(
    browser: Browser, server: WebServer, group: FakeGroup
) -> None:
    door = group.cameras["door"]
    with opened(browser, server, "#door") as page:
        strength = page.get_by_label("Strength")
        strength.focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        until(lambda: door.controls == Controls(strength=0.8), 2)
        expect(page.locator("output[for=strength]")).to_have_text("80 %")
        door.set_controls(Controls(strength=0.8, exposure_ev=4.25))  # by another page
        page.get_by_label("Strength").press("ArrowLeft")
        until(lambda: door.controls == Controls(0.75, 4.25), 2)  # only what was moved is sent
        page.get_by_label("Strength").press("ArrowRight")
        page.get_by_label("Exposure").fill("1.5")
        page.get_by_label("Smoothing").fill("0")
        until(lambda: door.controls == Controls(0.8, 1.5, 0.0), 2)
        page.get_by_role("button", name="Reset").click()
        until(lambda: door.controls == Controls(), 2)
        assert group.cameras["yard"].controls == Controls()
        page.locator("h2").click()
        door.set_controls(Controls(strength=0.5))
        expect(page.locator("output[for=strength]")).to_have_text("50 %", timeout=3000)


def test_states_and_reasons_are_told(browser: Browser, server: WebServer, group: FakeGroup) -> None:
    door = group.cameras["door"]
    with opened(browser, server, "#door") as page:
        page.wait_for_selector(".stage .screen[data-playing]")
        door.now = replace(
            door.now,
            phase=LivePhase.RECONNECTING,
            reason="no picture came for 5 s",
            since=time.time(),
        )
        expect(page.locator(".detail .chip")).to_have_text("reconnecting")
        expect(page.locator(".veil")).to_contain_text("no picture came for 5 s")
        expect(page.locator("#news")).to_have_text("door: reconnecting, no picture came for 5 s")
        door.now = replace(door.now, phase=LivePhase.FAILED, reason="401: wrong user or password")
        expect(page.locator(".reason")).to_have_text("401: wrong user or password")
        expect(page.locator(".stage .screen[data-playing]")).to_have_count(0)
        expect(page.locator(".split")).to_be_hidden()
        door.now = replace(door.now, phase=LivePhase.CONNECTED, reason="")
        page.wait_for_selector(".stage .screen[data-playing]")
        expect(page.locator(".veil")).to_have_count(0)
        expect(page.locator(".outputs li")).to_have_text("recording a.mkv: the disk is full")
        expect(page.locator(".facts")).to_contain_text("7 network busy")
        expect(page.locator(".chart svg").first).to_have_attribute(
            "aria-label", "Frames per second: now 24.5, between 24.5 and 24.5"
        )


def test_everything_can_be_done_with_the_keyboard(browser: Browser, server: WebServer) -> None:
    with opened(browser, server) as page:
        page.wait_for_selector(".tile")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("h2")).to_have_text("door")
        reached = set()
        for _ in range(12):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("document.activeElement.ariaLabel || document.activeElement.id"
                              " || document.activeElement.textContent.trim()"
                              " || document.activeElement.className")
            )  # fmt: skip
        assert {"strength", "exposure_ev", "smoothing_s", "Reset", "Save picture"} <= reached
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        expect(page.locator("h2")).to_have_text("door")
        page.go_back()
        expect(page.locator(".tile")).to_have_count(2)
        page.goto(server.url + "#%")
        expect(page.locator(".tile")).to_have_count(2)


def test_more_cameras_than_a_browser_has_connections_are_all_shown(browser: Browser) -> None:
    """Six to one address, and one of them tells the states: JPEGs must not take them all."""
    many = FakeGroup(*(f"camera{number}" for number in range(8)))
    with served(many) as server, opened(browser, server, "?video=mjpeg") as page:
        expect(page.locator(".screen[data-playing=mjpeg]")).to_have_count(8, timeout=15_000)
        page.locator("a[href='#camera7']").click()
        page.get_by_label("Strength").fill("0.5")
        until(lambda: many.cameras["camera7"].controls == Controls(strength=0.5), 3)


@pytest.mark.parametrize("path", ["", "#door"])
@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 360),
        ("dark", 1280),
        pytest.param("light", 1280, marks=pytest.mark.slow),
        pytest.param("dark", 360, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_fault(
    browser: Browser, server: WebServer, path: str, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 740}
    with opened(browser, server, path, color_scheme=scheme, viewport=viewport) as page:
        page.wait_for_selector(".screen[data-playing]")
        page.wait_for_timeout(300)
        found = Axe().run(page).response["violations"]
        bad = [v for v in found if v["impact"] in ("serious", "critical")]
        assert not bad, [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in bad]
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0, "nothing is cut off on a phone"


def test_a_real_camera_that_dies_is_shown_and_comes_back(browser: Browser) -> None:
    """All real: GStreamer's server, a cut connection, the network, the page."""
    size = (320, 180)
    with RtspServer({"/cam": launch(video(size))}) as rtsp, FaultProxy(rtsp.port) as proxy:
        live = LiveOptions(read_timeout_s=1, wait_for_source=True)
        source = SourceSpec(address=rtsp.url("/cam", port=proxy.port), live=live)
        specs = [CameraSpec(name="door", source=source)]
        with (
            CameraGroup(specs, backend="openvino") as group,
            WebServer(group, WebSettings(port=0)) as server,
            opened(browser, server, "#door") as page,
        ):
            group.start()
            page.wait_for_selector(".stage .screen[data-playing]", timeout=20_000)
            until(lambda: pixel(page, ".stage .after video")[3:] == [320, 360])
            dark = pixel(page, ".stage .after video", x=0.05, y=0.75)
            assert max(dark[:3]) > 30
            proxy.fault = Fault.STALL
            expect(page.locator(".detail .chip")).to_have_text("reconnecting", timeout=5000)
            expect(page.locator(".veil")).to_contain_text("Reconnecting for")
            proxy.fault = Fault.NONE
            proxy.cut()
            expect(page.locator(".detail .chip")).to_have_text("connected", timeout=5000)
            expect(page.locator(".veil")).to_have_count(0)
            frames = "v => v.getVideoPlaybackQuality().totalVideoFrames"
            before = page.eval_on_selector(".stage video", frames)
            until(lambda: page.eval_on_selector(".stage video", frames) > before + 5)
            page.get_by_label("Strength").fill("0")
            with_input = Controls(strength=0.0)
            until(lambda: group.cameras["door"].controls == with_input, 3)

            def is_same() -> bool:
                above = pixel(page, ".stage .after video", x=0.05, y=0.25)
                below = pixel(page, ".stage .after video", x=0.05, y=0.75)
                return is_near(above, (below[0], below[1], below[2]))

            until(is_same)  # the control has changed the picture: it is the input now
