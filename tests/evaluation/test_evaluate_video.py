"""Steadiness: methods whose faults are known get the figures that they deserve."""

from pathlib import Path

import numpy as np
import pytest
from clips import dim, make_clip
from skimage import data

from streamlight.errors import UsageError
from streamlight.evaluation import metrics, steadiness
from streamlight.evaluation.pairs import Method, open_methods
from streamlight.evaluation.synthesis import ClipForm, static_clip
from streamlight.evaluation.video import FIGURES, run_clip, run_protocol
from streamlight.frame import Image

FORM = ClipForm(size=(96, 64), frames=12, fps=20, ev=-3, seed=3)
CLIPS = ["static", "pan", "light-step", "flash", "cut", "fade", "flicker"]


class Lagging:
    """Mixes each frame of a video with the result of the one before."""

    def __init__(self) -> None:
        self.held: Image | None = None
        self.videos = 0

    def forget(self) -> None:
        self.held = None
        self.videos += 1

    def __call__(self, image: Image, time_s: float | None) -> Image:
        if time_s is None:
            return image
        held = image if self.held is None else self.held
        self.held = np.asarray(np.rint(0.25 * image + 0.75 * held), np.uint8)
        return self.held


def grey(image: Image, time_s: float | None) -> Image:
    return np.full_like(image, 100)


def first_picture() -> Image:
    return np.asarray(data.chelsea())


@pytest.fixture(scope="module")
def lagging() -> Lagging:
    return Lagging()


@pytest.fixture(scope="module")
def outcome(lagging: Lagging) -> tuple[list[dict[str, str | float | None]], list[object]]:
    methods = [
        Method("input", lambda image, time_s: image),
        Method("grey", grey),
        Method("lagging", lagging, forget=lagging.forget),
    ]
    rows, courses = run_protocol(first_picture(), data.coffee(), methods, FORM)
    return rows, list(courses)


Outcome = tuple[list[dict[str, str | float | None]], list[object]]


def figure(outcome: Outcome, method: str, name: str) -> float:
    [value] = [row[name] for row in outcome[0] if row["method"] == method]
    assert isinstance(value, float)
    return value


def test_each_method_has_every_figure(outcome: Outcome) -> None:
    rows, _ = outcome
    assert [row["method"] for row in rows] == ["input", "grey", "lagging"]
    for row in rows:
        assert list(row) == ["method", "sampling", "smoothing_s", "denoise", *FIGURES]


def test_the_input_keeps_its_own_flicker_and_has_no_lag(outcome: Outcome) -> None:
    assert figure(outcome, "input", "flicker_reduction") == 1
    for name in ("step_settling_s", "cut_error", "fade_error"):
        assert figure(outcome, "input", name) == 0


def test_the_figures_of_the_static_clip_are_those_of_the_metrics(outcome: Outcome) -> None:
    frames = [dark for dark, _ in static_clip(first_picture(), FORM)]
    brightness = [metrics.luma(frame) for frame in frames]

    assert figure(outcome, "input", "static_flicker_rms") == pytest.approx(np.std(brightness))
    assert figure(outcome, "input", "static_pixel_deviation") == steadiness.pixel_deviation(frames)


def test_a_constant_result_is_steady(outcome: Outcome) -> None:
    for name in ("static_flicker_rms", "static_pixel_deviation", "pan_flicker_rms", "flicker_out"):
        assert figure(outcome, "grey", name) == 0
    for name in ("pan_warping_error", "flash_deviation", "cut_error"):
        assert figure(outcome, "grey", name) == 0
    [grey_row] = [row for row in outcome[0] if row["method"] == "grey"]
    assert grey_row["flicker_reduction"] is None


def test_a_steadier_light_is_a_reduction_of_flicker(outcome: Outcome) -> None:
    into, out = (figure(outcome, "lagging", f"flicker_{way}") for way in ("in", "out"))
    swing = 0.1 / 2**0.5  # RMS of +-10 % of light; in codes, the power of sRGB's curve of that
    assert swing / 2.4 < into < swing
    assert figure(outcome, "lagging", "flicker_reduction") == into / out > 1.5


def test_a_lagging_result_shows_it(outcome: Outcome) -> None:
    assert figure(outcome, "lagging", "static_pixel_deviation") < 0.7 * figure(
        outcome, "input", "static_pixel_deviation"
    )
    assert figure(outcome, "lagging", "step_settling_s") > 0.15
    assert figure(outcome, "lagging", "cut_error") > 1
    assert figure(outcome, "lagging", "cut_residue") > 1
    assert figure(outcome, "lagging", "fade_error") > 1
    assert figure(outcome, "lagging", "flash_deviation") > 5


def test_every_clip_is_a_video_of_its_own(outcome: Outcome, lagging: Lagging) -> None:
    assert lagging.videos == len(CLIPS) + 1  # the cut, once more from there on


def test_the_courses_hold_brightness_over_time(outcome: Outcome) -> None:
    from streamlight.evaluation.video import Course

    courses = [course for course in outcome[1] if isinstance(course, Course)]
    assert [course.clip for course in courses] == CLIPS
    step = courses[2]
    assert step.times_s == pytest.approx([index / 20 for index in range(12)])
    assert step.input[6] > 1.5 * step.input[5]
    assert step.reference[6] == step.reference[5]
    assert step.outputs["input"] == step.input
    assert step.outputs["grey"] == pytest.approx([100] * 12)


def test_smoothings_stand_side_by_side_and_steady_the_light() -> None:
    with open_methods(
        ["gladnet-fast"], ["nearest"], smoothings_s=[0, 2], backend="openvino"
    ) as methods:
        rows, courses = run_protocol(first_picture(), data.coffee(), methods, FORM)

    assert [row["smoothing_s"] for row in rows] == [0, 2]
    assert list(courses[0].outputs) == ["gladnet-fast nearest 0 s", "gladnet-fast nearest 2 s"]
    plain, smooth = (float(row["static_flicker_rms"] or 0) for row in rows)
    assert smooth < plain / 2
    assert rows[0]["cut_error"] == 0
    assert float(rows[1]["cut_residue"] or 0) < 0.1  # its views are of other phases


def test_a_clip_without_a_middle_is_refused() -> None:
    with pytest.raises(UsageError, match="--frames 5: must be at least 12"):
        run_protocol(first_picture(), data.coffee(), [], ClipForm(frames=5))


def test_a_clip_of_ones_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=6, picture=dim)
    lagging = Lagging()
    methods = [
        Method("input", lambda image, time_s: image),
        Method("grey", grey),
        Method("lagging", lagging, forget=lagging.forget),
    ]

    rows, course = run_clip(clip, methods, limit=5)

    assert len(course.times_s) == len(course.input) == 5
    assert course.outputs["input"] == course.input
    assert [row["frames"] for row in rows] == [5, 5, 5]
    assert rows[1]["luma_out"] == pytest.approx(100)
    assert rows[1]["luma_change_out"] == 0
    assert rows[0]["luma_change_out"] == rows[0]["luma_change_in"]
    assert rows[0]["pixel_deviation"] is None


def test_a_static_clip_of_ones_own(tmp_path: Path) -> None:
    def alternating(index: int, width: int, height: int) -> Image:
        return np.full((height, width, 3), 60 if index % 2 else 40, np.uint8)

    clip = make_clip(tmp_path / "a.mp4", frames=6, picture=alternating)

    rows, _ = run_clip(clip, [Method("input", lambda image, time_s: image)], is_static=True)

    assert rows[0]["flicker_rms"] == pytest.approx(10, abs=1)
    assert rows[0]["pixel_deviation"] == pytest.approx(10, abs=1)
